#include "rpc/server_watch.h"

#include "rpc/client_call.h"
#include "rpc/client_connection.h"
#include "rpc/header_list.h"
#include "rpc/retry.h"
#include "wire/message.h"
#include "wire/status_trailers.h"

namespace minigrpc::rpc {

ServerWatch::ServerWatch(net::Loop& loop, ClientConnection& connection, Request request,
                         const BackoffOptions& backoff, Listener listener)
    : loop_(loop),
      connection_(connection),
      request_(std::move(request)),
      backoff_(backoff),
      listener_(std::move(listener)),
      inbox_(request_.answer_size_max) {
  ask();
}

ServerWatch::~ServerWatch() {
  loop_.disarm(*this);
  leave_stream();
}

void ServerWatch::ask() {
  inbox_ = Inbox(request_.answer_size_max);
  answered_ = false;
  HeaderList fields;
  fields.add({":method", "POST"});
  fields.add({":scheme", request_.caller.scheme});
  fields.add({":path", request_.path});
  fields.add({":authority", request_.caller.authority});
  fields.add({"te", "trailers"});
  fields.add({"content-type", "application/grpc"});
  fields.add({"user-agent", request_.caller.user_agent});
  stream_ = connection_.open_stream(fields.views(), *this);
  if (stream_ == nullptr) return;  // the connection is about to go
  Buffer message = Buffer::copy_of(request_.message);
  wire::encode_message(message, Compression::kIdentity);
  connection_.h2().send(*stream_, std::move(message));
  connection_.counters().message_sent();
  connection_.h2().end(*stream_);
  connection_.touch();
}

void ServerWatch::on_headers(std::span<const HeaderView> fields, bool end_stream) {
  if (!end_stream) return;
  const Status status = wire::status_from_trailers(fields, http_status_of(fields));
  if (status.ok()) connection_.tally().calls.succeeded.add();
  ended(status);
}

void ServerWatch::on_data(std::span<const std::byte> bytes, bool end_stream) {
  std::optional<std::string> newest;
  const Status fed = inbox_.feed(bytes, [&newest](wire::MessageView message) {
    newest.emplace(reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size());
    return true;
  });
  connection_.counters().messages_received(inbox_.take_arrived());
  if (!fed.ok()) return ended(fed);
  connection_.h2().consume(*stream_, inbox_.release_window());
  connection_.touch();
  if (end_stream) return ended(Status(StatusCode::kUnknown, "the stream ended without a status"));
  if (!newest) return;
  if (!std::exchange(answered_, true)) backoff_.reset();
  const auto heard = listener_.heard;  // outlives *this
  heard(*newest);
}

void ServerWatch::on_closed(std::uint32_t error_code, Reach) {
  stream_ = nullptr;
  ended(Status(StatusCode::kUnavailable, "the stream was reset: " + std::to_string(error_code)));
}

void ServerWatch::on_connection_lost(const Status&, Reach) { stream_ = nullptr; }

void ServerWatch::on_timer() noexcept { ask(); }

void ServerWatch::leave_stream() {
  if (stream_ == nullptr) return;
  stream_->user = nullptr;
  connection_.h2().reset(*stream_, h2::ErrorCode::kCancel);
  connection_.touch();
  stream_ = nullptr;
}

void ServerWatch::ended(const Status& why) {
  leave_stream();
  if (why.code() != StatusCode::kUnimplemented) {
    const auto pause = std::chrono::duration_cast<TimePoint::duration>(backoff_.next(uniform_random()));
    loop_.arm(*this, net::Loop::now() + pause);
  }
  const auto tell = listener_.ended;  // outlives *this
  tell(why);
}

}  // namespace minigrpc::rpc
