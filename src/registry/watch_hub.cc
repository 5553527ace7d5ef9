#include "registry/watch_hub.h"

#include <algorithm>
#include <utility>

namespace minigrpc::registry {

namespace {

// The prefix that [key, range_end) stands for, if it does: etcd's clients write "a" to "b" for the prefix "a".
bool is_prefix(const WatchFilter& filter) {
  if (filter.key.empty() || filter.range_end.size() != filter.key.size()) return false;
  const auto last = static_cast<unsigned char>(filter.key.back());
  return last != 0xff && static_cast<unsigned char>(filter.range_end.back()) == last + 1 &&
         std::string_view(filter.key).substr(0, filter.key.size() - 1) ==
             std::string_view(filter.range_end).substr(0, filter.key.size() - 1);
}

std::size_t size_of(const store::Event& event) {
  std::size_t size = sizeof(store::Event) + event.kv.key.size() + event.kv.value.size();
  if (event.prev_kv) size += event.prev_kv->key.size() + event.prev_kv->value.size();
  return size;
}

std::size_t size_of(const store::Committed& committed) {
  std::size_t size = sizeof(Published);
  for (const store::Event& event : committed.events) size += size_of(event);
  return size;
}

}  // namespace

Published::Published(store::Committed committed, std::atomic<std::size_t>& kept)
    : committed_(std::move(committed)), bytes_(size_of(committed_)), kept_(kept) {
  kept_ += bytes_;
}

void WatchHub::publish(store::Committed committed) {
  std::lock_guard lock(mutex_);
  revision_ = committed.revision;
  statistics_.events += committed.events.size();
  ++sequence_;
  if (by_key_.empty() && by_prefix_.empty() && by_range_.empty()) return;
  const auto shared = std::make_shared<const Published>(std::move(committed), kept_bytes_);
  limit_kept();
  // Detached only after the loop, which walks the lists of followers.
  std::vector<std::shared_ptr<Watcher>> overflowed;
  for (std::size_t index = 0; index < shared->events().size(); ++index) {
    const store::Event& event = shared->events()[index];
    for_each_follower(event.kv.key, [&](const std::shared_ptr<Watcher>& watcher) {
      if (watcher->state_ != Watcher::State::kFollowing || event.revision.main < watcher->next_revision_) return;
      if (watcher->filter_.wants(event.type) && !deliver(watcher, shared, index)) overflowed.push_back(watcher);
    });
  }
  for (const std::shared_ptr<Watcher>& watcher : overflowed) detach(*watcher);
}

bool WatchHub::deliver(const std::shared_ptr<Watcher>& watcher, const PublishedPtr& commit, std::size_t index) {
  Outbox& outbox = *watcher->outbox_;
  if (watcher->open_sequence_ == sequence_) {
    outbox.deliveries_[watcher->open_delivery_].end = index + 1;
    return true;
  }
  if (outbox.deliveries_.size() >= kOutboxDeliveriesMax || outbox.bytes_ >= kOutboxBytesMax) {
    send_back(watcher, commit->events()[index].revision.main);
    return false;
  }
  if (outbox.deliveries_.empty()) {
    waiting_.splice(waiting_.end(), outbox.self_);
    outbox.wake_();
  }
  if (outbox.deliveries_.empty() || outbox.deliveries_.back().commit != commit) outbox.bytes_ += commit->bytes();
  watcher->open_sequence_ = sequence_;
  watcher->open_delivery_ = outbox.deliveries_.size();
  outbox.deliveries_.push_back({watcher, commit, index, index + 1});
  return true;
}

void WatchHub::send_back(const std::shared_ptr<Watcher>& watcher, std::int64_t next_revision) {
  set_state(*watcher, Watcher::State::kBehind);
  watcher->next_revision_ = next_revision;
  watcher->outbox_->behind_[watcher.get()] = {watcher, next_revision};
  watcher->outbox_->wake_();
}

void WatchHub::limit_kept() {
  while (kept_bytes_ > kept_bytes_max_ && !waiting_.empty()) {
    Outbox& outbox = *waiting_.front();
    // The latest first, so that each watcher ends with its first event.
    for (auto delivery = outbox.deliveries_.rbegin(); delivery != outbox.deliveries_.rend(); ++delivery) {
      if (delivery->watcher->state_ == Watcher::State::kFollowing) detach(*delivery->watcher);
      send_back(delivery->watcher, delivery->commit->events()[delivery->begin].revision.main);
    }
    clear(outbox);
  }
}

void WatchHub::clear(Outbox& outbox) {
  outbox.deliveries_ = {};
  outbox.bytes_ = 0;
  if (outbox.self_.empty()) outbox.self_.splice(outbox.self_.end(), waiting_, outbox.place_);
}

std::int64_t WatchHub::revision() const {
  std::lock_guard lock(mutex_);
  return revision_;
}

WatchHub::Statistics WatchHub::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

void WatchHub::set_state(Watcher& watcher, Watcher::State state) {
  const auto count = [this](Watcher::State of, std::size_t more) {
    if (of != Watcher::State::kIdle) statistics_.watchers += more;
    if (of == Watcher::State::kBehind) statistics_.behind += more;
  };
  count(watcher.state_, static_cast<std::size_t>(-1));
  count(state, 1);
  watcher.state_ = state;
}

std::int64_t WatchHub::start(const std::shared_ptr<Watcher>& watcher, Outbox& outbox, std::int64_t start_revision) {
  std::lock_guard lock(mutex_);
  watcher->outbox_ = &outbox;
  watcher->next_revision_ = start_revision > 0 ? start_revision : revision_ + 1;
  if (watcher->next_revision_ > revision_) {
    attach(watcher);
  } else {
    send_back(watcher, watcher->next_revision_);
  }
  return revision_;
}

bool WatchHub::follow(const std::shared_ptr<Watcher>& watcher, std::int64_t seen_revision) {
  std::lock_guard lock(mutex_);
  watcher->next_revision_ = seen_revision + 1;
  if (revision_ > seen_revision) {
    watcher->outbox_->behind_[watcher.get()].next_revision = watcher->next_revision_;
    return false;
  }
  watcher->outbox_->behind_.erase(watcher.get());
  attach(watcher);
  return true;
}

void WatchHub::stop(Watcher& watcher) {
  std::lock_guard lock(mutex_);
  if (watcher.outbox_ == nullptr) return;
  if (watcher.state_ == Watcher::State::kFollowing) detach(watcher);
  set_state(watcher, Watcher::State::kIdle);
  Outbox& outbox = *std::exchange(watcher.outbox_, nullptr);
  outbox.behind_.erase(&watcher);
  std::erase_if(outbox.deliveries_, [&](const Delivery& delivery) { return delivery.watcher.get() == &watcher; });
  if (outbox.deliveries_.empty()) clear(outbox);
}

Turn WatchHub::take(Outbox& outbox) {
  std::lock_guard lock(mutex_);
  Turn turn;
  turn.revision = revision_;
  std::size_t bytes = 0;
  const Published* last = nullptr;
  const auto over = std::ranges::find_if(outbox.deliveries_, [&](const Delivery& delivery) {
    const Published& commit = *delivery.commit;
    if (std::exchange(last, &commit) == &commit) return false;
    if (bytes >= kTurnBytesMax) return true;
    bytes += commit.bytes();
    turn.revision = commit.revision();
    return false;
  });
  if (over == outbox.deliveries_.end()) {
    turn.deliveries = std::move(outbox.deliveries_);
    clear(outbox);
    for (const auto& [watcher, behind] : outbox.behind_) turn.behind.push_back(behind);
    turn.revision = revision_;
    return turn;
  }
  turn.deliveries.assign(std::move_iterator(outbox.deliveries_.begin()), std::move_iterator(over));
  outbox.deliveries_.erase(outbox.deliveries_.begin(), over);
  outbox.bytes_ -= std::min(bytes, outbox.bytes_);
  waiting_.splice(waiting_.end(), waiting_, outbox.place_);
  turn.more = true;
  return turn;
}

WatchHub::Followers& WatchHub::followers_of(const WatchFilter& filter) {
  if (filter.range_end.empty()) return by_key_[filter.key];
  if (is_prefix(filter)) return by_prefix_[filter.key];
  return by_range_;
}

void WatchHub::attach(const std::shared_ptr<Watcher>& watcher) {
  set_state(*watcher, Watcher::State::kFollowing);
  followers_of(watcher->filter_).push_back(watcher);
  if (is_prefix(watcher->filter_)) ++prefix_lengths_[watcher->filter_.key.size()];
}

void WatchHub::detach(Watcher& watcher) {
  const WatchFilter& filter = watcher.filter_;
  Followers& followers = followers_of(filter);
  const auto place =
      std::ranges::find_if(followers, [&](const std::shared_ptr<Watcher>& one) { return one.get() == &watcher; });
  // The order among the followers does not matter.
  *place = std::move(followers.back());
  followers.pop_back();
  if (is_prefix(filter)) {
    const auto length = prefix_lengths_.find(filter.key.size());
    if (--length->second == 0) prefix_lengths_.erase(length);
  }
  if (!followers.empty()) return;
  if (filter.range_end.empty())
    by_key_.erase(filter.key);
  else if (is_prefix(filter))
    by_prefix_.erase(filter.key);
}

template <class Visit>
void WatchHub::for_each_follower(std::string_view key, Visit visit) {
  if (const auto found = by_key_.find(key); found != by_key_.end())
    for (const std::shared_ptr<Watcher>& watcher : found->second) visit(watcher);
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > key.size()) break;
    const auto found = by_prefix_.find(key.substr(0, length));
    if (found == by_prefix_.end()) continue;
    for (const std::shared_ptr<Watcher>& watcher : found->second) visit(watcher);
  }
  for (const std::shared_ptr<Watcher>& watcher : by_range_)
    if (watcher->filter_.keys().contains(key)) visit(watcher);
}

}  // namespace minigrpc::registry
