// The clockwork of leases: who lives until when. In memory only; that a lease exists is on disk, its deadline
// is not.
//
// Thread rule: any thread; one lock. Only expired() and what follows from it belong to one thread, the writer.
//
// Renewals are many and expiries few, so a renewal only moves the lease's deadline. The queue keeps the
// deadline that the lease had when it was queued, and queues it again when that comes too early: once a TTL,
// not once a renewal.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "store/types.h"

namespace minigrpc::store {

class Leases {
 public:
  // A new lease; one of that id must not exist.
  void grant(LeaseId id, std::int64_t ttl_s, std::int64_t now_ms);
  void revoke(LeaseId id);
  // nullopt: no such lease.
  std::optional<LeaseInfo> renew(LeaseId id, std::int64_t now_ms);
  // The same for a lease that nobody may be about to revoke: nullopt also if it is due.
  std::optional<LeaseInfo> renew_in_time(LeaseId id, std::int64_t now_ms);
  std::optional<LeaseInfo> info(LeaseId id, std::int64_t now_ms) const;
  // In order of id.
  std::vector<LeaseId> ids() const;
  // Up to `leases_max` leases whose deadline is not after now_ms, the earliest first. They stay due.
  std::vector<LeaseId> expired(std::int64_t now_ms, std::size_t leases_max);
  std::optional<std::int64_t> next_expiry_ms();
  // Every deadline starts again.
  void restart(std::int64_t now_ms);

 private:
  struct Lease {
    std::int64_t ttl_s = 0;
    std::int64_t deadline_ms = 0;
    std::uint64_t ticket = 0;  // of its one valid entry in the queue
    bool handed_out = false;   // by expired(): it is being revoked, unless it is renewed
  };
  struct Entry {
    std::int64_t deadline_ms;
    LeaseId id;
    std::uint64_t ticket;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  // All with the lock held.
  std::optional<LeaseInfo> renew_found(LeaseId id, Lease& lease, std::int64_t now_ms);
  void enqueue(LeaseId id, Lease& lease);
  // Makes the queue's first entry a valid one with the lease's true deadline. False: no leases.
  bool settle();

  mutable std::mutex mutex_;
  std::unordered_map<LeaseId, Lease> leases_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace minigrpc::store
