// Mirror: copies the keys of one registry to another, and goes on with their changes.
//
//   Mirror mirror(from, to, {.prefix = "shop/", .dest_prefix = "shop/"});
//   co_await mirror.copy();       // all, as of one revision
//   co_await mirror.follow();     // what happened since, without end
//
// Thread rule: one task at a time, but the counters.
#pragma once

#include <minigrpc/etcd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

namespace minigrpc::cli {

struct MirrorOptions {
  std::string prefix{};                        // what to copy
  std::string dest_prefix{};                   // stands in its place at the destination
  std::int64_t txn_operation_count_max = 128;  // what one transaction may have: etcd's own default
  // Keys keep their leases, which are granted there under the same number, and kept alive for as long as they
  // are here.
  bool with_leases = false;
};

class Mirror {
 public:
  // The clients must outlive it.
  Mirror(etcd::Client& from, etcd::Client& to, MirrorOptions options)
      : from_(from), to_(to), options_(std::move(options)) {}

  // Every key as of one revision.
  Task<Status> copy();
  // The changes behind that revision, or behind `revision` where there was no copy. OUT_OF_RANGE where they
  // are compacted; ends with CANCELLED.
  Task<Status> follow(std::int64_t revision = 0);

  // From any thread: how many keys were put and deleted, and up to which revision of the source.
  std::int64_t change_count() const { return change_count_; }
  std::int64_t revision() const { return revision_; }

 private:
  Task<Status> copy_page(std::vector<etcd::KeyValue> kvs);
  Task<Status> apply_events(std::vector<etcd::WatchEvent> events);
  Task<Status> commit(etcd::TxnRequest batch);
  Task<Result<bool>> lease_is_there(etcd::LeaseId id);
  Task<Status> apply_changes(AsyncEvent& ended);
  Task<void> keep_leases(AsyncEvent& ended);
  std::string destination_of(const std::string& key) const;

  etcd::Client& from_;
  etcd::Client& to_;
  const MirrorOptions options_;
  std::map<etcd::LeaseId, std::int64_t> leases_;  // granted there, with their TTL in seconds
  std::atomic<std::int64_t> change_count_ = 0;
  std::atomic<std::int64_t> revision_ = 0;
};

}  // namespace minigrpc::cli
