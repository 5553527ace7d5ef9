// Member: this process as the one member of an etcd cluster: its data, the thread that writes it, its watchers, and
// who it is. The services are made on one.
//
// Thread rule: any thread; construction, stop() and destruction belong to the owner.
#pragma once

#include <minigrpc/registry.h>
#include <minigrpc/server.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "etcd/api/header.pb.h"
#include "registry/alarms.h"
#include "registry/auth_store.h"
#include "registry/counters.h"
#include "registry/log.h"
#include "registry/open_calls.h"
#include "registry/watch_hub.h"
#include "registry/writer_thread.h"
#include "store/store.h"

namespace minigrpc::registry {

// What Maintenance.Status calls the version: the level of etcd's API that is served. Clients look at it to know what
// they may use (watch progress requests: 3.4.25 and 3.5.8).
inline constexpr std::string_view kApiVersion = "3.5.17";

// There are no elections with one member, so the term never changes; and as nothing is replicated, the revision stands
// for raft's index.
inline constexpr std::uint64_t kRaftTerm = 1;

// The record of the peer URLs that `member update` gave, one a line.
inline constexpr std::string_view kPeerUrlsRecord = "member/peer_urls";

class Member {
 public:
  // Errors: Store::open()'s.
  static Result<std::unique_ptr<Member>> open(const RegistryOptions& options);
  ~Member();
  Member(const Member&) = delete;

  store::Store& store() { return *store_; }
  WatchHub& hub() { return hub_; }
  WriterThread& writer() { return writer_; }
  OpenCalls& open_calls() { return open_calls_; }
  AuthStore& auth() { return *auth_; }
  Alarms& alarms() { return alarms_; }
  Counters& counters() { return counters_; }
  // What the server that serves it has seen of its peers. Set before it listens.
  void set_server_counters(std::function<ServerCounters()> counters) {
    server_counters_ = std::move(counters);
  }
  ServerCounters server_counters() const { return server_counters_ ? server_counters_() : ServerCounters(); }
  const Log& log() const { return log_; }
  const RegistryOptions& options() const { return options_; }
  store::Identity identity() const { return identity_; }

  // The URLs that clients are told; known when it listens.
  std::vector<std::string> client_urls() const;
  void set_client_urls(std::vector<std::string> urls);
  // What `member list` shows as peer URLs: the options', until `member update` changed them.
  std::vector<std::string> peer_urls() const;
  void set_peer_urls(std::vector<std::string> urls);

  void fill(etcdserverpb::ResponseHeader* header, std::int64_t revision) const;

  // Ends the writer: what it has taken is finished, later writes fail with UNAVAILABLE.
  void stop() { writer_.stop(); }

 private:
  Member(const RegistryOptions& options, std::unique_ptr<store::Store> store, std::int64_t revision,
         std::unique_ptr<AuthStore> auth);
  // What the store's records say of alarms and URLs.
  Status restore(const store::ReadView& view);

  const RegistryOptions options_;
  const Log log_;
  const std::unique_ptr<store::Store> store_;
  const store::Identity identity_;
  mutable std::mutex mutex_;
  std::vector<std::string> client_urls_;
  std::vector<std::string> peer_urls_;
  const std::unique_ptr<AuthStore> auth_;
  Alarms alarms_;
  OpenCalls open_calls_;
  Counters counters_;
  std::function<ServerCounters()> server_counters_;
  WatchHub hub_;
  WriterThread writer_;
};

// A positive number from the system's random device: ids of members and leases.
std::uint64_t random_id();

}  // namespace minigrpc::registry
