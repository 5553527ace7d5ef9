// Changes to the keyspace inside one write transaction: puts, deletions, leases' keys, and the events they
// make.
//
// Thread rule: the writer's. Nothing here validates a request or undoes a change: the caller checks first,
// and drops the transaction when a call fails after writes() has moved.
#pragma once

#include <minigrpc/result.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/snapshot.h"
#include "store/types.h"

namespace minigrpc::store {

class Writer {
 public:
  // All borrowed until the writer ends.
  Writer(TableTxn& txn, const Tables& tables, State& state, std::vector<Event>& events, RecentLinks& recent)
      : txn_(txn), tables_(tables), state_(state), events_(events), recent_(recent) {}

  // Between these, all changes are of one revision: the next one, if there are any.
  void begin_revision() { sub_ = 0; }
  void end_revision() {
    if (sub_ > 0) ++state_.revision;
    sub_ = 0;
  }
  std::int64_t revision() const { return state_.revision + (sub_ > 0 ? 1 : 0); }
  // As of now, with the changes of the open revision.
  Snapshot snapshot() const;

  Result<PutResult> put(const PutRequest& request);
  Result<DeleteRangeResult> delete_range(const DeleteRangeRequest& request);
  // Enters an event under the revision that it has, which is later than every other; it makes no event.
  Status replay(const EventView& event);
  Status put_lease(LeaseId id, std::int64_t ttl_s);
  Status erase_lease(LeaseId id);
  Status put_state();
  Status put_record(std::string_view name, std::string_view bytes);
  Status erase_record(std::string_view name);

  // Counts up before every write to the database.
  std::uint64_t writes() const { return writes_; }

 private:
  Result<bool> erase(const std::string& key, const DeleteRangeRequest& request, DeleteRangeResult& result);
  // What stood under the key before.
  struct Before {
    LeaseId lease = 0;
    bool was_deleted = false;
  };
  Status write_version(Revision revision, const KeyValueView& kv, Revision prev, const Ancestry& ancestry,
                       Before before);
  Status write_tombstone(Revision revision, std::string_view key, const Links& links, LeaseId lease_before);
  Revision next_revision() const { return {state_.revision + 1, sub_}; }
  Status append_log(Revision revision, const LogRecord& record);
  Status move_lease(std::string_view key, LeaseId from, LeaseId to);

  TableTxn& txn_;
  const Tables& tables_;
  State& state_;
  std::vector<Event>& events_;
  RecentLinks& recent_;
  std::uint32_t sub_ = 0;
  std::uint64_t writes_ = 0;
  std::string buffer_;
};

// The keys attached to a lease, in key order.
Result<std::vector<std::string>> lease_keys(const Snapshot& snapshot, LeaseId id);

}  // namespace minigrpc::store
