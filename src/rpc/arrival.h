// Arrival: an accepted connection until it is known who serves it.
//
//   first bytes ─▶ "PRI * HTTP/2.0…" ─▶ ServerConnection
//              └─▶ anything else ─▶ the server's OtherProtocol
//
// Thread rule: its loop. Kept alive by its pending wait; ends by handing the transport on, or by closing it.
#pragma once

#include <memory>
#include <string>

#include "net/transport.h"
#include "rpc/server_impl.h"

namespace minigrpc::rpc {

class Arrival final : public std::enable_shared_from_this<Arrival>, public AcceptedConnection, private net::Timer {
 public:
  Arrival(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport);

  void start();
  // It has asked for nothing yet: closes.
  void drain() override { close(); }
  void abort() override { close(); }

 private:
  void on_timer() noexcept override { close(); }
  void wait_readable();
  void on_readable();
  void leave();
  void close();

  std::shared_ptr<ServerImpl> server_;
  ServerImpl::LoopShare& share_;
  net::Transport transport_;
  std::string received_;
  bool over_ = false;
};

}  // namespace minigrpc::rpc
