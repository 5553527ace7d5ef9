// OpenCalls: the calls that last as long as their clients like, watches, keepalives, waits for locks, so that the registry
// can end them when it stops.
//
//   OpenCalls::Entry entry(member.open_calls(), [&] { over.set(); });
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/status.h>

#include <functional>
#include <list>
#include <mutex>
#include <utility>

namespace minigrpc::registry {

// What the clients of calls hear that were ended so; etcd's words.
inline Status server_stopped() { return {StatusCode::kUnavailable, "etcdserver: server stopped"}; }

class OpenCalls {
 public:
  // One call, while this lives. `end` is called once at most, from any thread, under a lock: it must only wake.
  class Entry {
   public:
    Entry(OpenCalls& calls, std::function<void()> end) : calls_(calls) {
      std::lock_guard lock(calls_.mutex_);
      if (calls_.ended_) end();
      place_ = calls_.ends_.insert(calls_.ends_.end(), std::move(end));
    }
    ~Entry() {
      std::lock_guard lock(calls_.mutex_);
      calls_.ends_.erase(place_);
    }
    Entry(const Entry&) = delete;

   private:
    OpenCalls& calls_;
    std::list<std::function<void()>>::iterator place_;
  };

  // Ends all, those that come later too.
  void end_all() {
    std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    for (const std::function<void()>& end : ends_) end();
  }
  bool ended() const {
    std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  mutable std::mutex mutex_;
  std::list<std::function<void()>> ends_;
  bool ended_ = false;
};

}  // namespace minigrpc::registry
