// Where a watch stands, across its streams: from a stream's answers to what its user is told and what to do
// next. Pure.
//
//             create_request()                     kReopen, kRetry
//      ┌───────────────────────────┐        ┌───────────────────────────┐
//      ▼                           │        │                           ▼
//   [opened] ── created ──▶ [confirmed] ── canceled, stream ended ──▶ [closed]
//                               │ ▲
//                               └─┘ events, progress
#pragma once

#include <minigrpc/etcd.h>

#include <optional>

#include "etcd/api/watch.pb.h"

namespace minigrpc::etcd {

class WatchCursor {
 public:
  enum class Next : std::uint8_t {
    kRead,    // on
    kReopen,  // a new stream, at once
    kRetry,   // a new stream elsewhere, after a pause; `failure` says why
    kFail,    // for good: `failure`
  };
  struct Step {
    Next next = Next::kRead;
    std::optional<WatchUpdate> update{};
    Status failure{};
  };

  explicit WatchCursor(WatchOptions options);

  // The first message of a new stream.
  etcdserverpb::WatchRequest create_request();
  Step on_response(etcdserverpb::WatchResponse response);
  // What to do when a stream has ended with `status`.
  static Step on_stream_ended(Status status);
  // The server has confirmed the watch on this stream.
  bool confirmed() const { return confirmed_; }

 private:
  Step on_created(const ResponseHeader& header);
  Step on_canceled(const ResponseHeader& header, const etcdserverpb::WatchResponse& response);
  Step on_events(const ResponseHeader& header, etcdserverpb::WatchResponse response);
  Step resynchronise(ResponseHeader header, Status reason, std::int64_t compact_revision);
  void remember(const ResponseHeader& header);

  WatchOptions options_;
  std::int64_t start_revision_;          // the next one wanted; 0 while nothing is known
  std::optional<ResponseHeader> known_;  // the newest that a server has said
  bool confirmed_ = false;
};

}  // namespace minigrpc::etcd
