#include "rpc/channelz_trace.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace minigrpc::rpc::channelz {

void Trace::add(TraceEvent event) {
  event.text.resize(std::min(event.text.size(), limits::kTraceTextSizeMax));
  std::lock_guard lock(mutex_);
  if (events_.size() < limits::kTraceEventsMax)
    events_.push_back(std::move(event));
  else
    events_[events_logged_ % limits::kTraceEventsMax] = std::move(event);
  ++events_logged_;
}

TraceView Trace::view() const {
  std::lock_guard lock(mutex_);
  TraceView view{.events_logged = events_logged_, .created_at = created_at_, .events = {}};
  view.events.reserve(events_.size());
  const std::size_t oldest = events_.size() < limits::kTraceEventsMax ? 0 : events_logged_ % events_.size();
  for (std::size_t i = 0; i < events_.size(); ++i)
    view.events.push_back(events_[(oldest + i) % events_.size()]);
  return view;
}

}  // namespace minigrpc::rpc::channelz
