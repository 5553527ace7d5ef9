#include "rpc/arrival.h"

#include <algorithm>

#include "rpc/keepalive.h"
#include "rpc/other_protocol.h"
#include "rpc/server_connection.h"

namespace minigrpc::rpc {

namespace {
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113, 3.4
}

Arrival::Arrival(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share)
    : server_(std::move(server)), share_(share) {}

void Arrival::start(net::Socket socket) {
  server_->joined(share_, *this);
  transport_.emplace(std::move(socket));
  share_.loop.arm(*this, later(net::Loop::now(), server_->options().handshake_timeout));
  wait_readable();
}

void Arrival::start_tls(net::Socket socket, std::shared_ptr<net::TlsContext> context) {
  server_->joined(share_, *this);
  cancel_handshake_ = net::handshake(
      share_.loop, std::move(socket), std::move(context), {.http11 = server_->other_protocol() != nullptr},
      later(net::Loop::now(), server_->options().handshake_timeout),
      [self = shared_from_this()](Result<net::Transport> transport) { self->secured(std::move(transport)); });
}

void Arrival::secured(Result<net::Transport> transport) {
  cancel_handshake_ = nullptr;
  if (!transport) return give_up();
  const bool http2 = transport->tls()->protocol() == net::TlsSession::Protocol::kHttp2;
  transport_ = *std::move(transport);
  http2 ? serve_http2() : serve_other();
}

void Arrival::wait_readable() {
  transport_->wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->over_) return;
    self->on_readable();
  });
}

void Arrival::on_readable() {
  const std::span<std::byte> buffer = share_.loop.receive_buffer();
  const net::Transport::IoResult read = transport_->receive(buffer);
  if (read.state == net::Transport::IoState::kWouldBlock) return wait_readable();
  if (read.state == net::Transport::IoState::kClosed) return close();
  received_.append(reinterpret_cast<const char*>(buffer.data()), read.size);
  const std::size_t known = std::min(received_.size(), kHttp2Preface.size());
  if (!kHttp2Preface.starts_with(std::string_view(received_).substr(0, known))) return serve_other();
  known < kHttp2Preface.size() ? wait_readable() : serve_http2();
}

void Arrival::serve_http2() {
  over_ = true;
  std::make_shared<ServerConnection>(server_, share_, *std::move(transport_))->start(received_);
  leave();
}

void Arrival::serve_other() {
  over_ = true;
  server_->other_protocol()->take_over(server_, share_, *std::move(transport_), std::move(received_));
  leave();
}

void Arrival::give_up() {
  server_->count(&ServerCounters::handshakes_failed);
  close();
}

// After who takes over has joined: the server must not look idle in between.
void Arrival::leave() {
  share_.loop.disarm(*this);
  server_->left(share_, *this);
}

void Arrival::close() {
  if (over_) return;
  const auto keep = shared_from_this();
  over_ = true;
  if (cancel_handshake_) cancel_handshake_();
  if (transport_) transport_->close();
  leave();
}

}  // namespace minigrpc::rpc
