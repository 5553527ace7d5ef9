// Socket: a connected, non-blocking stream socket on a loop. Reads and writes are plain system calls; only waiting is
// asynchronous, so that an idle connection holds no buffer.
//
// Thread rule: the loop's.
#pragma once

#include <minigrpc/result.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/address.h"
#include "net/loop.h"

namespace minigrpc::net {

// What the kernel says of a socket.
struct SocketOptions {
  std::chrono::nanoseconds receive_timeout{0};
  std::chrono::nanoseconds send_timeout{0};
  std::optional<std::chrono::seconds> linger{};
  std::optional<std::chrono::milliseconds> user_timeout{};  // of TCP
  std::optional<tcp_info> tcp{};
};

class Socket {
 public:
  using Handle = boost::asio::generic::stream_protocol::socket;

  // Sets TCP_NODELAY.
  explicit Socket(Handle handle);

  enum class IoState : std::uint8_t { kDone, kWouldBlock, kClosed };
  struct IoResult {
    IoState state;
    std::size_t size = 0;  // with kDone
    int error = 0;         // with kClosed: errno, 0 for an orderly end
  };
  IoResult receive(std::span<std::byte> buffer);
  IoResult send(std::span<const std::byte> bytes);

  // Calls `handler(error_code)` once it can be read from or written to; operation_aborted after close().
  template <class F>
  void wait_readable(F handler) {
    handle_.async_wait(Handle::wait_read, std::move(handler));
  }
  template <class F>
  void wait_writable(F handler) {
    handle_.async_wait(Handle::wait_write, std::move(handler));
  }

  // Calls `handler(error_code)` in a later turn of the loop.
  template <class F>
  void post(F handler) {
    boost::asio::post(handle_.get_executor(),
                      [handler = std::move(handler)]() mutable { handler(boost::system::error_code()); });
  }

  // How long sent bytes may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT); nothing for
  // a Unix socket. Zero leaves it to the kernel: a quarter of an hour.
  void set_user_timeout(std::chrono::milliseconds timeout);
  // Borrowed until close().
  int descriptor() { return handle_.native_handle(); }
  // Says that no more is sent; the peer's bytes still arrive.
  void shutdown_send();
  void close();
  // The address at the other end; "in-process:name" of a server of this process at both ends.
  std::string peer() const;
  // As peer(), but of either end; none once the peer is gone. These two and options(): any thread, before close().
  std::optional<SocketAddress> local_address() const;
  std::optional<SocketAddress> peer_address() const;
  SocketOptions options() const;
  // Whether the other end of a Unix socket was opened by this process.
  bool peer_is_this_process() const;

 private:
  // native_handle() is const in all but its type.
  int own_descriptor() const { return const_cast<Handle&>(handle_).native_handle(); }

  Handle handle_;
};

// "Connection refused" for ECONNREFUSED.
std::string error_text(int error);

// Connects to the first of `addresses` that answers, and calls `done` once on the loop. The next is tried as soon as one
// has failed, or has not answered for a moment, families in turn (RFC 8305, "happy eyeballs"). UNAVAILABLE with the last reason when none does, DEADLINE_EXCEEDED at `deadline`. The returned function cancels:
// `done` is then not called (unless it has been).
using ConnectDone = std::function<void(Result<Socket>)>;
std::function<void()> connect(Loop& loop, std::vector<SocketAddress> addresses, TimePoint deadline, ConnectDone done);

}  // namespace minigrpc::net
