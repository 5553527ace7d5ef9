// Alarms: those that an operator has set. NOSPACE of a store that is really full is not kept here: it comes and goes
// with the space.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/status.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace minigrpc::registry {

// The record that keeps them.
inline constexpr std::string_view kAlarmsRecord = "alarms";

// What a request needs.
enum class Demand : std::uint8_t { kChange, kSpace };

class Alarms {
 public:
  // Bits by the number of etcd's AlarmType.
  static constexpr std::uint32_t kNoSpace = 1u << 1;
  static constexpr std::uint32_t kCorrupt = 1u << 2;

  std::uint32_t active() const { return active_.load(std::memory_order_acquire); }
  void publish(std::uint32_t active) { active_.store(active, std::memory_order_release); }

  // etcd's errors: with CORRUPT nothing is changed, with NOSPACE nothing added.
  Status check(Demand demand) const {
    const std::uint32_t now = active();
    if (now == 0) return Status();
    if ((now & kCorrupt) != 0) return {StatusCode::kDataLoss, "etcdserver: corrupt cluster"};
    if (demand == Demand::kSpace) return {StatusCode::kResourceExhausted, "etcdserver: mvcc: database space exceeded"};
    return Status();
  }

  static std::string to_bytes(std::uint32_t active) { return std::string(1, static_cast<char>(active)); }
  static std::uint32_t from_bytes(std::string_view bytes) {
    return bytes.size() == 1 ? static_cast<unsigned char>(bytes[0]) & (kNoSpace | kCorrupt) : 0;
  }

 private:
  std::atomic<std::uint32_t> active_{0};
};

}  // namespace minigrpc::registry
