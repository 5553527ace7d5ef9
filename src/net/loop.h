// Loop: one event loop and the thread that runs it. Connections and the tasks they serve live on one loop each.
//
// Thread rule: post() from any thread, stop() and drain() by the owner, the rest on the loop.
#pragma once

#include <minigrpc/context.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "net/timer.h"

namespace minigrpc::net {

// Something with output to write at the end of the turn.
class Flushable {
 public:
  virtual void flush() = 0;

 protected:
  virtual ~Flushable() = default;

 private:
  friend class Loop;
  bool scheduled_ = false;
};

class Loop final : public Executor {
 public:
  // Starts the thread.
  Loop();
  // Stops it first.
  ~Loop();

  void post(std::coroutine_handle<> coroutine) override {
    boost::asio::post(io_, [coroutine] { coroutine.resume(); });
  }
  template <class F>
  void post(F function) {
    boost::asio::post(io_, std::move(function));
  }
  bool is_current() const override { return current() == this; }
  // The loop of the calling thread, or null.
  static Loop* current();
  // Ends the thread, at the end of the handler that runs; not from the loop itself. Again does nothing.
  void stop();
  // Once stopped: runs what was posted meanwhile on the calling thread, until nothing is left. False: nothing was.
  bool drain();

  boost::asio::io_context& io() { return io_; }
  // The steady clock's, or where a test has stopped it (net/manual_time.h).
  static TimePoint now() {
    const TimePoint::rep manual = manual_time_.load(std::memory_order_relaxed);
    if (manual == kNoManualTime) [[likely]]
      return std::chrono::steady_clock::now();
    return TimePoint(TimePoint::duration(manual));
  }
  // now(), some milliseconds late, for a quarter of its price.
  static TimePoint coarse_now();
  void arm(Timer& timer, TimePoint when);
  void disarm(Timer& timer) { timers_.disarm(timer); }

  // Calls flush() once, after the handlers that are ready now: the turn's output leaves in one write.
  void flush_later(Flushable& flushable);
  void cancel_flush(Flushable& flushable);

  // ---- for manual time ----
  // Every loop whose thread runs; none begins or ends while this is held.
  struct Living {
    std::unique_lock<std::mutex> lock;
    const std::vector<Loop*>& loops;
  };
  static Living living();
  static bool time_is_manual() { return manual_time_.load(std::memory_order_relaxed) != kNoManualTime; }
  // none: time goes by itself.
  static void set_manual_time(std::optional<TimePoint> time);
  // Runs the timers that are due; when the next one is.
  TimePoint run_due_timers();

  // Where every connection of this loop reads to; borrowed until the turn ends.
  std::span<std::byte> receive_buffer() { return receive_buffer_; }
  // What its connections share besides: one T for the loop, made when it is first asked for.
  template <class T>
  T& shared() {
    T* const made = shared_.get<T>();
    return made != nullptr ? *made : shared_.set(T());
  }

 private:
  void run();
  void run_timers();
  void wait_for_timers();
  void flush_all();

  static constexpr TimePoint::rep kNoManualTime = TimePoint::duration::min().count();
  static std::atomic<TimePoint::rep> manual_time_;

  TimePoint wakeup_at_ = TimePoint::max();
  TimerHeap timers_;
  std::vector<Flushable*> to_flush_;
  std::vector<Flushable*> flushing_;
  bool flush_posted_ = false;
  std::vector<std::byte> receive_buffer_;
  ContextValues shared_;
  // After those: what still waits for a socket when this goes is destroyed with it, and disarms its timers.
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer wakeup_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace minigrpc::net
