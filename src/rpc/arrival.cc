#include "rpc/arrival.h"

#include <algorithm>

#include "base/limits.h"
#include "rpc/other_protocol.h"
#include "rpc/server_connection.h"

namespace minigrpc::rpc {

namespace {
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113, 3.4
}

Arrival::Arrival(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport)
    : server_(std::move(server)), share_(share), transport_(std::move(transport)) {}

void Arrival::start() {
  server_->joined(share_, *this);
  share_.loop.arm(*this, net::Loop::now() + limits::kHandshakeMax);
  wait_readable();
}

void Arrival::wait_readable() {
  transport_.wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->over_) return;
    self->on_readable();
  });
}

void Arrival::on_readable() {
  const std::span<std::byte> buffer = share_.loop.receive_buffer();
  const net::Transport::IoResult read = transport_.receive(buffer);
  if (read.state == net::Transport::IoState::kWouldBlock) return wait_readable();
  if (read.state == net::Transport::IoState::kClosed) return close();
  received_.append(reinterpret_cast<const char*>(buffer.data()), read.size);
  const std::size_t known = std::min(received_.size(), kHttp2Preface.size());
  if (!kHttp2Preface.starts_with(std::string_view(received_).substr(0, known))) {
    over_ = true;
    server_->other_protocol()->take_over(server_, share_, std::move(transport_), std::move(received_));
    return leave();
  }
  if (known < kHttp2Preface.size()) return wait_readable();
  over_ = true;
  std::make_shared<ServerConnection>(server_, share_, std::move(transport_))->start(received_);
  leave();
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
  transport_.close();
  leave();
}

}  // namespace minigrpc::rpc
