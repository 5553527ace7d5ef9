// Listener: a bound socket that accepts on one loop and hands each connection to the loop whose turn it is.
//
// One acceptor, not SO_REUSEPORT on every loop: the kernel's hash spreads few connections badly, and a port that
// another process holds must be refused, not shared. Thread rule: the loop that it accepts on.
#pragma once

#include <minigrpc/result.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "net/address.h"
#include "net/loop.h"
#include "net/socket.h"

namespace minigrpc::net {

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  // Called on `target`, the loop that the socket belongs to.
  using Accepted = std::function<void(Loop& target, Socket socket)>;

  // Binds and listens; any thread. UNAVAILABLE for an address in use, INVALID_ARGUMENT for one that is not ours. A
  // Unix socket's file that no process listens on any more is replaced.
  static Result<std::shared_ptr<Listener>> open(Loop& loop, const Address& address);

  void start(std::vector<Loop*> targets, Accepted accepted);
  void close();
  // 0 for a Unix socket.
  std::uint16_t port() const;
  // What is bound.
  const SocketAddress& address() const { return bound_; }

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

  explicit Listener(Loop& loop);
  Status bind(const SocketAddress& address);
  void accept_next();
  void on_accept(const boost::system::error_code& error, Socket::Handle handle, Loop& target);

  Acceptor acceptor_;
  boost::asio::steady_timer retry_;
  std::vector<Loop*> targets_;
  std::size_t next_target_ = 0;
  Accepted accepted_;
  SocketAddress bound_;
  std::string unix_path_;
  bool in_process_ = false;
};

}  // namespace minigrpc::net
