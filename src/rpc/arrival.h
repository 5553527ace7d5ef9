// Arrival: an accepted connection until it is known who serves it.
//
//   TLS handshake ─▶ ALPN h2 ────────────────▶ ServerConnection
//                └─▶ ALPN http/1.1, or none ──▶ the server's OtherProtocol
//   cleartext ─▶ first bytes "PRI * HTTP/2.0…" ─▶ ServerConnection
//            └─▶ anything else ────────────────▶ the server's OtherProtocol
//
// Thread rule: its loop. Kept alive by its pending wait or handshake; ends by handing the transport on, or by closing it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/tls_handshake.h"
#include "rpc/server_impl.h"

namespace minigrpc::rpc {

class Arrival final : public std::enable_shared_from_this<Arrival>, public AcceptedConnection, private net::Timer {
 public:
  Arrival(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share);

  void start(net::Socket socket);
  void start_tls(net::Socket socket, std::shared_ptr<net::TlsContext> context);
  // It has asked for nothing yet: closes.
  void drain() override { close(); }
  void abort() override { close(); }

 private:
  void on_timer() noexcept override { give_up(); }
  void give_up();
  void secured(Result<net::Transport> transport);
  void wait_readable();
  void on_readable();
  void serve_http2();
  void serve_other();
  void leave();
  void close();

  std::shared_ptr<ServerImpl> server_;
  ServerImpl::LoopShare& share_;
  std::optional<net::Transport> transport_;  // once it is known, and until it is handed on
  std::function<void()> cancel_handshake_;
  std::string received_;
  bool over_ = false;
};

}  // namespace minigrpc::rpc
