// Trace: the latest events of a channel, a subchannel or a server (gRPC A3): few, since they are kept for
// each.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/context.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace minigrpc::rpc::channelz {

enum class Severity : std::uint8_t { kInfo, kWarning, kError };

struct TraceEvent {
  Severity severity = Severity::kInfo;
  TimePoint at{};
  std::string text;
  std::int64_t subchannel_id = 0;  // that it is about; 0: none
  std::string subchannel_name{};
};

struct TraceView {
  std::uint64_t events_logged = 0;  // also those that are no longer kept
  TimePoint created_at{};
  std::vector<TraceEvent> events;  // the oldest first
};

class Trace {
 public:
  explicit Trace(TimePoint now) : created_at_(now) {}

  void add(TraceEvent event);
  TraceView view() const;

 private:
  const TimePoint created_at_;
  mutable std::mutex mutex_;
  std::uint64_t events_logged_ = 0;
  std::vector<TraceEvent> events_;  // a ring once it is full: the oldest at events_logged_ % its size
};

}  // namespace minigrpc::rpc::channelz
