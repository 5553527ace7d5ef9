// Timers of one event loop: a heap of intrusive nodes, so that the deadline of every call costs no allocation.
//
// Thread rule: the loop's.
#pragma once

#include <minigrpc/context.h>

#include <cstddef>
#include <vector>

namespace minigrpc::net {

class TimerHeap;

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  virtual void on_timer() noexcept = 0;
  bool armed() const { return index_ != kNowhere; }

 protected:
  // The owner disarms first.
  virtual ~Timer() = default;

 private:
  friend class TimerHeap;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  TimePoint when_;
  std::size_t index_ = kNowhere;
};

// A timer that calls a member function of its owner, for an owner of several.
template <class Owner, void (Owner::*Due)()>
class TimerOf final : public Timer {
 public:
  explicit TimerOf(Owner& owner) : owner_(owner) {}
  void on_timer() noexcept override { (owner_.*Due)(); }

 private:
  Owner& owner_;
};

class TimerHeap {
 public:
  // Moves it where it is armed already.
  void arm(Timer& timer, TimePoint when);
  void disarm(Timer& timer);
  // TimePoint::max() when nothing is armed.
  TimePoint earliest() const;
  // Disarms and runs what is due; timers may arm and disarm each other meanwhile.
  void run_due(TimePoint now);

 private:
  struct Node {
    TimePoint when;
    Timer* timer;
  };
  void place(std::size_t index, Node node);
  void sift_up(std::size_t index, Node node);
  void sift_down(std::size_t index, Node node);

  std::vector<Node> heap_;
};

}  // namespace minigrpc::net
