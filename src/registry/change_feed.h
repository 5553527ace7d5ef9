// ChangeFeed: the changes of some keys from a revision on, each once and in order, for a task of the registry's own.
//
//   ChangeFeed feed(member, {.key = "k"}, revision + 1);
//   Task<Result<std::vector<store::Event>>> next = feed.next();      // waits until there are some
//
// Thread rule: the task's loop.
#pragma once

#include <memory>
#include <vector>

#include "registry/member.h"
#include "registry/watch_hub.h"

namespace minigrpc::registry {

class ChangeFeed {
 public:
  // `member` is borrowed.
  ChangeFeed(Member& member, WatchFilter filter, std::int64_t from_revision);
  ~ChangeFeed();
  ChangeFeed(const ChangeFeed&) = delete;

  // Empty when the task was cancelled, or ring() was called. OUT_OF_RANGE when it fell behind a compaction.
  Task<Result<std::vector<store::Event>>> next();
  // From any thread: ends the wait of next().
  void ring() { wake_.set(); }

 private:
  Status read_history(std::int64_t from_revision, std::vector<store::Event>* events);

  Member& member_;
  AsyncEvent wake_;
  Outbox outbox_;
  const std::shared_ptr<Watcher> watcher_;
};

}  // namespace minigrpc::registry
