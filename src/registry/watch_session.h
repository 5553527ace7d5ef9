// WatchSession: the watchers of one client's stream. One task reads what the client asks for, another one sends.
//
// The sender works in turns: answer requests, send the deliveries in the outbox, read one piece of history for each
// watcher that is behind. It waits whenever the client does not read, so what is buffered stays within the outbox's and
// the inbox's bounds. All responses leave in the order in which the sender makes them, so a watcher's "created" comes
// before its events, and nothing after its "canceled".
//
// Thread rule: the loop of the call.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "etcd/api/watch.minigrpc.h"
#include "registry/access.h"
#include "registry/member.h"
#include "registry/watch_hub.h"

namespace minigrpc::registry {

class WatchSession {
 public:
  using Stream = ServerStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>;

  // All are borrowed.
  WatchSession(Member& member, Runtime& runtime, const ServerContext& context, Stream& stream);
  ~WatchSession();
  WatchSession(const WatchSession&) = delete;

  // Until the call is over, or end() was called.
  Task<Status> run();
  // From any thread: the stream ends with UNAVAILABLE, soon.
  void end();

 private:
  struct Entry {
    std::shared_ptr<Watcher> watcher;
    Access access;
    bool prev_kv = false;
    bool progress = false;
    bool fragment = false;
    // Something was sent since the last round of progress notifications.
    bool heard = false;
  };
  using Watchers = std::map<std::int64_t, Entry>;

  // Requests that were read and not yet served. The threat is a client that creates watchers without end.
  static constexpr std::size_t kInboxMax = 256;
  static constexpr std::size_t kWatchersMax = 100'000;

  Task<void> read();
  Task<void> send();
  Task<bool> send_turn();
  Task<bool> serve_requests();
  Task<bool> serve(etcdserverpb::WatchRequest request);
  Task<bool> create(etcdserverpb::WatchCreateRequest request);
  // Tells the client that its watcher was not created.
  Task<bool> refuse(std::string reason);
  Task<bool> refuse(const Status& status);
  Task<bool> cancel(std::int64_t watch_id);
  Task<bool> cancel_compacted(std::int64_t watch_id, std::int64_t compact_revision);
  // Ends the watchers that the client may not have any more, once rights have changed.
  Task<bool> cancel_forbidden();
  Task<bool> send_delivery(Delivery delivery);
  Task<bool> send_history(Behind behind);
  Task<bool> send_events(std::int64_t watch_id, std::int64_t revision, std::vector<mvccpb::Event> events);
  Task<bool> send_progress(std::int64_t revision);
  // False when the call is over, as all of the above.
  Task<bool> write(etcdserverpb::WatchResponse response);
  template <class Writing>
  Task<bool> written(Writing writing);

  std::optional<std::int64_t> choose_id(std::int64_t wanted);
  etcdserverpb::WatchResponse response_for(std::int64_t watch_id, std::int64_t revision) const;

  Member& member_;
  Runtime& runtime_;
  const ServerContext& context_;
  Stream& stream_;
  std::deque<etcdserverpb::WatchRequest> inbox_;
  AsyncEvent wake_;       // for the sender: something to do
  AsyncEvent inbox_room_;  // for the reader
  Outbox outbox_;
  Watchers watchers_;
  std::int64_t next_id_ = 0;
  bool progress_requested_ = false;
  std::uint64_t auth_changes_;  // when the watchers were allowed last
  bool progress_wanted_ = false;  // by a watcher that there is or was
  TimePoint next_progress_;       // if so
  std::atomic<bool> ended_ = false;
  Status failure_;  // why the sender gave up, where it was not the client
};

}  // namespace minigrpc::registry
