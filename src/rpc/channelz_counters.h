// What channelz reports of calls and streams (gRPC A14), counted where they happen.
//
// Thread rule: written by one loop, read by any thread. So an increment is a load, an addition and a store:
// no locked instruction, and no cache line that another loop writes.
#pragma once

#include <minigrpc/context.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace minigrpc::rpc::channelz {

// A value of one writer and any readers.
template <class T>
class Shared {
 public:
  Shared() = default;
  Shared(const Shared& other) : value_(other.get()) {}
  Shared& operator=(const Shared& other) {
    set(other.get());
    return *this;
  }
  void set(T value) { value_.store(value, std::memory_order_relaxed); }
  T get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_{};
};

class Counter : public Shared<std::uint64_t> {
 public:
  void add(std::uint64_t count = 1) { set(get() + count); }
};

// When something happened last; TimePoint() for never.
using Moment = Shared<TimePoint>;

// Calls of a channel, a subchannel, or a server's connections of one loop.
struct CallCounters {
  Counter started;
  Counter succeeded;  // of the ended ones, those with OK
  Counter ended;
  Moment last_started;

  void end_with_ok() {
    succeeded.add();
    ended.add();
  }
};

struct SocketCounts {
  Counter streams_started;
  Counter streams_succeeded;
  Counter streams_failed;
  Counter messages_sent;
  Counter messages_received;
  Counter keepalives_sent;
  Moment last_stream_started;
  Moment last_message_sent;
  Moment last_message_received;
  Shared<std::int32_t> local_window;
  Shared<std::int32_t> peer_window;
};

// Of one connection. What happens in a turn happened at the turn's end: one look at the clock is enough.
class SocketCounters {
 public:
  void stream_started() { counts_.streams_started.add(), news_ |= kStream; }
  void stream_succeeded() { counts_.streams_succeeded.add(); }
  void stream_failed() { counts_.streams_failed.add(); }
  void message_sent() { counts_.messages_sent.add(), news_ |= kSent; }
  void message_received() { messages_received(1); }
  void messages_received(std::uint32_t count) {
    if (count == 0) return;
    counts_.messages_received.add(count), news_ |= kReceived;
  }
  void keepalive_sent() { counts_.keepalives_sent.add(); }

  // Whether something has happened since the last stamp().
  bool has_news() const { return news_ != 0; }
  void stamp(TimePoint now);
  // Of the connection (RFC 9113, 5.2): how much this side may send, and how much it lets the peer send.
  void set_windows(std::int32_t local, std::int32_t peer) {
    counts_.local_window.set(local);
    counts_.peer_window.set(peer);
  }
  std::uint64_t streams_open() const {
    return counts_.streams_started.get() - counts_.streams_succeeded.get() - counts_.streams_failed.get();
  }

  // Any thread.
  const SocketCounts& counts() const { return counts_; }

 private:
  enum News : std::uint8_t { kStream = 1, kSent = 2, kReceived = 4 };
  SocketCounts counts_;
  std::uint8_t news_ = 0;
};

inline void SocketCounters::stamp(TimePoint now) {
  const std::uint8_t news = std::exchange(news_, std::uint8_t{0});
  if ((news & kStream) != 0) counts_.last_stream_started.set(now);
  if ((news & kSent) != 0) counts_.last_message_sent.set(now);
  if ((news & kReceived) != 0) counts_.last_message_received.set(now);
}

}  // namespace minigrpc::rpc::channelz
