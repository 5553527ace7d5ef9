#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace minigrpc::net {

namespace {
thread_local Loop* t_current = nullptr;
std::mutex g_living_mutex;
std::vector<Loop*> g_living;
}  // namespace

std::atomic<TimePoint::rep> Loop::manual_time_{kNoManualTime};

Loop::Living Loop::living() { return {std::unique_lock(g_living_mutex), g_living}; }

void Loop::set_manual_time(std::optional<TimePoint> time) {
  manual_time_.store(time ? time->time_since_epoch().count() : kNoManualTime, std::memory_order_relaxed);
}

TimePoint Loop::coarse_now() {
  if (time_is_manual()) return now();
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);  // beside CLOCK_MONOTONIC, which is the steady clock's
  return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

Loop* Loop::current() { return t_current; }

Loop::Loop() : receive_buffer_(limits::kReceiveBufferSize), io_(1), work_(io_.get_executor()), wakeup_(io_) {
  // The program's signals belong to its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // What a thread does to itself cannot wait: blocked, it ends the process past every handler.
  for (const int own : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, own);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::lock_guard lock(g_living_mutex);
  g_living.push_back(this);
}

Loop::~Loop() { stop(); }

void Loop::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(g_living_mutex);
    std::erase(g_living, this);
  }
  io_.stop();
  thread_.join();
}

bool Loop::drain() {
  Loop* const before = std::exchange(t_current, this);
  io_.restart();
  const bool ran = io_.poll() != 0;
  t_current = before;
  return ran;
}

void Loop::run() {
  t_current = this;
  pthread_setname_np(pthread_self(), "minigrpc-loop");
  io_.run();
}

void Loop::arm(Timer& timer, TimePoint when) {
  timers_.arm(timer, when);
  if (when < wakeup_at_) wait_for_timers();
}

// One Asio timer serves the heap. It is set for the earliest and not moved back when that one is disarmed: most
// deadlines are disarmed long before they are due, and an early wakeup is cheaper than a system call for each.
void Loop::wait_for_timers() {
  wakeup_at_ = timers_.earliest();
  if (wakeup_at_ == TimePoint::max()) return;
  if (time_is_manual()) {  // move_time() runs what comes later
    if (wakeup_at_ <= now()) post([this] { run_timers(); });
    return;
  }
  wakeup_.expires_at(wakeup_at_);
  wakeup_.async_wait([this](const boost::system::error_code& error) {
    if (!error) run_timers();
  });
}

void Loop::run_timers() {
  wakeup_at_ = TimePoint::max();
  timers_.run_due(now());
  if (timers_.earliest() < wakeup_at_) wait_for_timers();
}

TimePoint Loop::run_due_timers() {
  run_timers();
  return timers_.earliest();
}

void Loop::flush_later(Flushable& flushable) {
  if (flushable.scheduled_) return;
  flushable.scheduled_ = true;
  to_flush_.push_back(&flushable);
  if (flush_posted_) return;
  flush_posted_ = true;
  post([this] { flush_all(); });
}

void Loop::cancel_flush(Flushable& flushable) {
  if (!flushable.scheduled_) return;
  flushable.scheduled_ = false;
  std::erase(to_flush_, &flushable);
  std::replace(flushing_.begin(), flushing_.end(), &flushable, static_cast<Flushable*>(nullptr));
}

void Loop::flush_all() {
  flush_posted_ = false;
  flushing_.swap(to_flush_);
  for (std::size_t i = 0; i < flushing_.size(); ++i) {
    Flushable* flushable = flushing_[i];
    if (flushable == nullptr) continue;
    flushable->scheduled_ = false;
    flushable->flush();
  }
  flushing_.clear();
}

}  // namespace minigrpc::net
