#include "etcd/watch_cursor.h"

#include <algorithm>
#include <utility>

#include "etcd/convert.h"

namespace minigrpc::etcd {

namespace {

constexpr const char* kCompacted = "etcdserver: mvcc: required revision has been compacted";

// etcd answers a progress request with this id: it belongs to no watch.
constexpr std::int64_t kNoWatchId = -1;

// Whether the server is not the one we know, or has lost what we have seen of it: its data directory was
// wiped or restored. A member that lags behind looks the same; the price is one read too many.
bool was_set_back(const ResponseHeader& known, const ResponseHeader& now) {
  const bool other_cluster =
      known.cluster_id != 0 && now.cluster_id != 0 && known.cluster_id != now.cluster_id;
  return other_cluster || now.revision < known.revision || now.raft_term < known.raft_term;
}

// What asking again cannot change.
bool is_final(StatusCode code) {
  return code == StatusCode::kInvalidArgument || code == StatusCode::kPermissionDenied ||
         code == StatusCode::kUnauthenticated || code == StatusCode::kUnimplemented;
}

bool is_about_leader(std::string_view text) { return text.find("leader") != std::string_view::npos; }

}  // namespace

WatchCursor::WatchCursor(WatchOptions options)
    : options_(std::move(options)),
      start_revision_(options_.after ? options_.after->revision + 1 : options_.start_revision),
      known_(options_.after) {}

etcdserverpb::WatchRequest WatchCursor::create_request() {
  confirmed_ = false;
  etcdserverpb::WatchRequest request;
  etcdserverpb::WatchCreateRequest& create = *request.mutable_create_request();
  create.set_key(options_.keys.key);
  create.set_range_end(options_.keys.range_end);
  create.set_start_revision(start_revision_);
  create.set_progress_notify(true);
  create.set_prev_kv(options_.prev_kv);
  if (options_.no_put) create.add_filters(etcdserverpb::WatchCreateRequest::NOPUT);
  if (options_.no_delete) create.add_filters(etcdserverpb::WatchCreateRequest::NODELETE);
  return request;
}

WatchCursor::Step WatchCursor::on_response(etcdserverpb::WatchResponse response) {
  const ResponseHeader header = from_proto(response.header());
  if (response.canceled()) return on_canceled(header, response);
  if (response.created()) return on_created(header);
  return on_events(header, std::move(response));
}

WatchCursor::Step WatchCursor::on_created(const ResponseHeader& header) {
  if (known_ && was_set_back(*known_, header))
    return resynchronise(header, Status(StatusCode::kAborted, "the registry was set back or is another one"),
                         0);
  confirmed_ = true;
  if (start_revision_ == 0) start_revision_ = header.revision + 1;
  remember(header);
  return {};
}

WatchCursor::Step WatchCursor::on_canceled(const ResponseHeader& header,
                                           const etcdserverpb::WatchResponse& response) {
  const std::string& reason = response.cancel_reason();
  if (response.compact_revision() > 0) {
    // etcd names no revision here; the confirmation of this stream did.
    const bool told = confirmed_ && known_ && known_->revision > header.revision;
    return resynchronise(
        told ? *known_ : header,
        Status(StatusCode::kOutOfRange, reason.empty() ? kCompacted : reason, {}, StatusOrigin::kPeer),
        response.compact_revision());
  }
  if (reason.find("future revision") != std::string::npos)
    return resynchronise(header, Status(StatusCode::kOutOfRange, reason, {}, StatusOrigin::kPeer), 0);
  if (is_about_leader(reason))
    return {.next = Next::kRetry,
            .failure = Status(StatusCode::kUnavailable, reason, {}, StatusOrigin::kPeer)};
  const bool denied = reason.find("permission denied") != std::string::npos;
  return {.next = Next::kFail,
          .failure = Status(denied ? StatusCode::kPermissionDenied : StatusCode::kFailedPrecondition,
                            reason.empty() ? "the server has cancelled the watch" : reason, {},
                            StatusOrigin::kPeer)};
}

WatchCursor::Step WatchCursor::on_events(const ResponseHeader& header, etcdserverpb::WatchResponse response) {
  remember(header);
  // The answer to a progress request is a sign of life only. Its revision may be ahead of events that this
  // watch has still to get (etcd before 3.4.25 and 3.5.8), so resuming there would lose them.
  if (response.watch_id() == kNoWatchId) return {};

  WatchUpdate update;
  update.header = header;
  if (response.events().empty()) {
    update.kind = WatchUpdate::Kind::kProgress;
    start_revision_ = std::max(start_revision_, header.revision + 1);
    return {.update = std::move(update)};
  }
  update.kind = WatchUpdate::Kind::kEvents;
  for (mvccpb::Event& event : *response.mutable_events())
    if (event.kv().mod_revision() >= start_revision_) update.events.push_back(from_proto(std::move(event)));
  if (update.events.empty()) return {};
  start_revision_ = update.events.back().kv.mod_revision + 1;
  return {.update = std::move(update)};
}

WatchCursor::Step WatchCursor::resynchronise(ResponseHeader header, Status reason,
                                             std::int64_t compact_revision) {
  start_revision_ = std::max(header.revision + 1, compact_revision);
  known_ = header;
  WatchUpdate update;
  update.kind = WatchUpdate::Kind::kResynchronise;
  update.header = header;
  update.reason = std::move(reason);
  update.compact_revision = compact_revision;
  return {.next = Next::kReopen, .update = std::move(update)};
}

void WatchCursor::remember(const ResponseHeader& header) {
  if (!known_ || header.revision >= known_->revision) known_ = header;
}

WatchCursor::Step WatchCursor::on_stream_ended(Status status) {
  if (status.ok()) status = Status(StatusCode::kUnavailable, "the server has closed the watch stream");
  const bool final = status.origin() == StatusOrigin::kPeer && is_final(status.code());
  return {.next = final ? Next::kFail : Next::kRetry, .failure = std::move(status)};
}

}  // namespace minigrpc::etcd
