// Waiting for an event within what the awaiting task may take.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/runtime.h>

namespace minigrpc::etcd {

// OK once `event` is set; CANCELLED or DEADLINE_EXCEEDED when the awaiting task may not wait longer. `event`
// is borrowed until the awaited result.
inline Task<Status> wait_for(Runtime& runtime, AsyncEvent& event) {
  TaskContext& context = co_await current_context();
  const bool bounded = context.deadline() != TimePoint::max();
  auto waiting = bounded ? event.wait_until(runtime, context.deadline()) : event.wait();
  if (co_await waiting) co_return Status();
  if (context.cancelled() && context.cancel_reason() == StatusCode::kCancelled)
    co_return Status(StatusCode::kCancelled, "the wait was cancelled");
  co_return Status(StatusCode::kDeadlineExceeded, "the deadline passed while waiting");
}

}  // namespace minigrpc::etcd
