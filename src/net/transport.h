// Transport: the byte stream of one connection, whatever carries it: TCP or a Unix socket, in cleartext or under TLS.
//
// Thread rule: the loop's.
#pragma once

#include <minigrpc/credentials.h>

#include <memory>
#include <optional>
#include <string>

#include "net/socket.h"
#include "net/tls_session.h"

namespace minigrpc::net {

class Transport {
 public:
  using IoState = Socket::IoState;
  using IoResult = Socket::IoResult;

  explicit Transport(Socket socket) : socket_(std::move(socket)) {}
  // `tls` is a session on that socket. handshake() of net/tls_handshake.h makes such a transport.
  Transport(Socket socket, std::unique_ptr<TlsSession> tls) : socket_(std::move(socket)), tls_(std::move(tls)) {}

  IoResult receive(std::span<std::byte> buffer) { return tls_ ? tls_->receive(buffer) : socket_.receive(buffer); }
  IoResult send(std::span<const std::byte> bytes) { return tls_ ? tls_->send(bytes) : socket_.send(bytes); }
  // Takes bytes off the socket that nobody will look at any more.
  IoResult discard(std::span<std::byte> buffer) { return socket_.receive(buffer); }
  // Of a result that is kClosed: "connection closed", "Connection reset by peer" …
  std::string why_closed(const IoResult& result) const;

  // Calls `handler(error_code)` once receive() or send() may go on; operation_aborted after close().
  template <class F>
  void wait_readable(F handler) {
    if (tls_) {
      tls_->expect_bytes();
      if (tls_->has_buffered()) return socket_.post(std::move(handler));
      if (tls_->receive_wants_write()) return socket_.wait_writable(std::move(handler));
    }
    socket_.wait_readable(std::move(handler));
  }
  template <class F>
  void wait_writable(F handler) {
    if (tls_ && tls_->send_wants_read()) return socket_.wait_readable(std::move(handler));
    socket_.wait_writable(std::move(handler));
  }

  // Says that no more is sent; the peer's bytes still arrive.
  void shutdown_send() {
    if (tls_) tls_->send_close_notify();
    socket_.shutdown_send();
  }
  void close() {
    if (tls_) tls_->send_close_notify();
    socket_.close();
  }

  std::string peer() const { return socket_.peer(); }
  const Socket& socket() const { return socket_; }
  // Null in cleartext.
  TlsSession* tls() { return tls_.get(); }
  const TlsSession* tls() const { return tls_.get(); }
  std::optional<PeerIdentity> peer_identity() const { return tls_ ? tls_->peer_identity() : std::nullopt; }

 private:
  Socket socket_;
  std::unique_ptr<TlsSession> tls_;
};

inline std::string Transport::why_closed(const IoResult& result) const {
  if (tls_ && !tls_->failure().empty()) return "TLS: " + tls_->failure();
  return result.error == 0 ? "connection closed" : error_text(result.error);
}

}  // namespace minigrpc::net
