#include "net/timer.h"

namespace minigrpc::net {

void TimerHeap::place(std::size_t index, Node node) {
  heap_[index] = node;
  node.timer->index_ = index;
}

void TimerHeap::sift_up(std::size_t index, Node node) {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent].when <= node.when) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, node);
}

void TimerHeap::sift_down(std::size_t index, Node node) {
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
    if (node.when <= heap_[child].when) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, node);
}

void TimerHeap::arm(Timer& timer, TimePoint when) {
  disarm(timer);
  timer.when_ = when;
  heap_.push_back({});
  sift_up(heap_.size() - 1, {when, &timer});
}

void TimerHeap::disarm(Timer& timer) {
  if (!timer.armed()) return;
  const std::size_t index = timer.index_;
  timer.index_ = Timer::kNowhere;
  const Node last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  if (index > 0 && last.when < heap_[(index - 1) / 2].when)
    sift_up(index, last);
  else
    sift_down(index, last);
}

TimePoint TimerHeap::earliest() const { return heap_.empty() ? TimePoint::max() : heap_.front().when; }

void TimerHeap::run_due(TimePoint now) {
  while (!heap_.empty() && heap_.front().when <= now) {
    Timer& timer = *heap_.front().timer;
    disarm(timer);
    timer.on_timer();
  }
}

}  // namespace minigrpc::net
