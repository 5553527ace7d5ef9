#include "rpc/health_watch.h"

#include "rpc/client_call.h"
#include "rpc/client_connection.h"
#include "rpc/header_list.h"
#include "rpc/retry.h"
#include "wire/message.h"
#include "wire/status_trailers.h"

namespace minigrpc::rpc {

namespace {

constexpr std::size_t kAnswerSizeMax = 1024;

// HealthCheckRequest: the service's name is field 1.
Buffer serialize_request(const std::string& service) {
  std::string bytes;
  if (!service.empty()) {
    bytes += '\x0a';
    for (std::size_t size = service.size(); ; size >>= 7) {
      bytes += static_cast<char>(size < 0x80 ? size : (size & 0x7f) | 0x80);
      if (size < 0x80) break;
    }
    bytes += service;
  }
  return Buffer::copy_of(bytes);
}

// HealthCheckResponse: the status is field 1, an enumeration; 1 stands for SERVING.
bool is_serving(std::string_view bytes) { return bytes == std::string_view("\x08\x01", 2); }

}  // namespace

HealthWatch::HealthWatch(net::Loop& loop, ClientConnection& connection, Request request, const BackoffOptions& backoff,
                         Changed changed)
    : loop_(loop),
      connection_(connection),
      request_(std::move(request)),
      backoff_(backoff),
      changed_(std::move(changed)),
      inbox_(kAnswerSizeMax) {
  ask();
}

HealthWatch::~HealthWatch() {
  loop_.disarm(*this);
  leave_stream();
}

void HealthWatch::ask() {
  inbox_ = Inbox(kAnswerSizeMax);
  answered_ = false;
  HeaderList fields;
  fields.add({":method", "POST"});
  fields.add({":scheme", request_.scheme});
  fields.add({":path", "/grpc.health.v1.Health/Watch"});
  fields.add({":authority", request_.authority});
  fields.add({"te", "trailers"});
  fields.add({"content-type", "application/grpc"});
  fields.add({"user-agent", request_.user_agent});
  stream_ = connection_.h2().submit_request(fields.views(), false, static_cast<StreamUser*>(this));
  if (stream_ == nullptr) return;  // the connection is about to go
  Buffer message = serialize_request(request_.service);
  wire::encode_message(message, Compression::kIdentity);
  connection_.h2().send(*stream_, std::move(message));
  connection_.h2().end(*stream_);
  connection_.touch();
}

void HealthWatch::on_headers(std::span<const HeaderView> fields, bool end_stream) {
  if (end_stream) ended(wire::status_from_trailers(fields, http_status_of(fields)));
}

void HealthWatch::on_data(std::span<const std::byte> bytes, bool end_stream) {
  std::optional<bool> serving;
  const Status fed = inbox_.feed(bytes, [&](wire::MessageView message) {
    serving = is_serving({reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()});
    return true;
  });
  if (!fed.ok()) return ended(fed);
  connection_.h2().consume(*stream_, inbox_.release_window());
  connection_.touch();
  if (end_stream) return ended(Status(StatusCode::kUnknown, "the health check ended without a status"));
  if (!serving) return;
  if (!std::exchange(answered_, true)) backoff_.reset();
  if (*serving) return tell(ServerHealth::kServing, Status());
  tell(ServerHealth::kNotServing,
       Status(StatusCode::kUnavailable, connection_.address() + ": '" + request_.service + "' is not serving"));
}

void HealthWatch::on_closed(std::uint32_t error_code, bool) {
  stream_ = nullptr;
  ended(Status(StatusCode::kUnavailable, "the stream was reset: " + std::to_string(error_code)));
}

void HealthWatch::on_connection_lost(const Status&, bool) { stream_ = nullptr; }

void HealthWatch::on_timer() noexcept { ask(); }

void HealthWatch::leave_stream() {
  if (stream_ == nullptr) return;
  stream_->user = nullptr;
  connection_.h2().reset(*stream_, h2::ErrorCode::kCancel);
  connection_.touch();
  stream_ = nullptr;
}

void HealthWatch::ended(const Status& why) {
  leave_stream();
  // A server without the service is taken for healthy, and not asked again (gRPC A17).
  if (why.code() == StatusCode::kUnimplemented) return tell(ServerHealth::kServing, Status());
  const auto pause = std::chrono::duration_cast<TimePoint::duration>(backoff_.next(uniform_random()));
  loop_.arm(*this, net::Loop::now() + pause);
  tell(ServerHealth::kNotServing,
       Status(StatusCode::kUnavailable, connection_.address() + ": the health check failed: " + why.to_string()));
}

void HealthWatch::tell(ServerHealth health, const Status& why) {
  const Changed changed = changed_;  // outlives *this
  changed(health, why);
}

}  // namespace minigrpc::rpc
