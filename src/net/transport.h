// Transport: the byte stream of one connection, whatever carries it: TCP or a Unix socket.
//
// Thread rule: the loop's.
#pragma once

#include <string>

#include "net/socket.h"

namespace minigrpc::net {

class Transport {
 public:
  using IoState = Socket::IoState;
  using IoResult = Socket::IoResult;

  explicit Transport(Socket socket) : socket_(std::move(socket)) {}

  IoResult receive(std::span<std::byte> buffer) { return socket_.receive(buffer); }
  IoResult send(std::span<const std::byte> bytes) { return socket_.send(bytes); }

  // Calls `handler(error_code)` once receive() or send() may go on; operation_aborted after close().
  template <class F>
  void wait_readable(F handler) {
    socket_.wait_readable(std::move(handler));
  }
  template <class F>
  void wait_writable(F handler) {
    socket_.wait_writable(std::move(handler));
  }

  // Says that no more is sent; the peer's bytes still arrive.
  void shutdown_send() { socket_.shutdown_send(); }
  void close() { socket_.close(); }
  std::string peer() const { return socket_.peer(); }

 private:
  Socket socket_;
};

}  // namespace minigrpc::net
