#include "store/leases.h"

#include <algorithm>

namespace minigrpc::store {

namespace {
LeaseInfo to_info(LeaseId id, std::int64_t ttl_s, std::int64_t deadline_ms, std::int64_t now_ms) {
  return {id, ttl_s, deadline_ms - now_ms};
}
}  // namespace

void Leases::grant(LeaseId id, std::int64_t ttl_s, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  Lease& lease = leases_[id];
  lease = {.ttl_s = ttl_s, .deadline_ms = now_ms + ttl_s * 1000};
  enqueue(id, lease);
}

void Leases::enqueue(LeaseId id, Lease& lease) {
  lease.ticket = ++last_ticket_;
  queue_.push({lease.deadline_ms, id, lease.ticket});
}

void Leases::revoke(LeaseId id) {
  const std::lock_guard lock(mutex_);
  leases_.erase(id);
}

std::optional<LeaseInfo> Leases::renew(LeaseId id, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end()) return std::nullopt;
  return renew_found(id, found->second, now_ms);
}

std::optional<LeaseInfo> Leases::renew_in_time(LeaseId id, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end() || found->second.handed_out || found->second.deadline_ms <= now_ms)
    return std::nullopt;
  return renew_found(id, found->second, now_ms);
}

std::optional<LeaseInfo> Leases::renew_found(LeaseId id, Lease& lease, std::int64_t now_ms) {
  lease.deadline_ms = std::max(lease.deadline_ms, now_ms + lease.ttl_s * 1000);
  lease.handed_out = false;
  return to_info(id, lease.ttl_s, lease.deadline_ms, now_ms);
}

std::optional<LeaseInfo> Leases::info(LeaseId id, std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (found == leases_.end()) return std::nullopt;
  return to_info(id, found->second.ttl_s, found->second.deadline_ms, now_ms);
}

std::vector<LeaseId> Leases::ids() const {
  std::vector<LeaseId> ids;
  {
    const std::lock_guard lock(mutex_);
    ids.reserve(leases_.size());
    for (const auto& [id, lease] : leases_) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<LeaseId> Leases::expired(std::int64_t now_ms, std::size_t leases_max) {
  const std::lock_guard lock(mutex_);
  std::vector<LeaseId> ids;
  std::vector<Entry> due;
  while (ids.size() < leases_max && settle() && queue_.top().deadline_ms <= now_ms) {
    due.push_back(queue_.top());
    ids.push_back(queue_.top().id);
    leases_.at(queue_.top().id).handed_out = true;
    queue_.pop();
  }
  for (const Entry& entry : due) queue_.push(entry);
  return ids;
}

std::optional<std::int64_t> Leases::next_expiry_ms() {
  const std::lock_guard lock(mutex_);
  if (!settle()) return std::nullopt;
  return queue_.top().deadline_ms;
}

void Leases::restart(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, lease] : leases_) renew_found(id, lease, now_ms);
}

bool Leases::settle() {
  while (!queue_.empty()) {
    const Entry entry = queue_.top();
    const auto found = leases_.find(entry.id);
    const bool current = found != leases_.end() && found->second.ticket == entry.ticket;
    if (current && found->second.deadline_ms == entry.deadline_ms) return true;
    queue_.pop();
    if (current) enqueue(entry.id, found->second);
  }
  return false;
}

}  // namespace minigrpc::store
