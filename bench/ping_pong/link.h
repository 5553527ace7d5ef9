// Link: one end of a bare exchange of messages of fixed sizes, on the kind of loop that minigrpc has: Asio
// tells that the socket is readable; one read, one write a turn. What a call takes longer than this is what
// gRPC costs.
//
// Thread rule: that of its io_context, which one thread runs.
#pragma once

#include <sys/socket.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using Protocol = boost::asio::generic::stream_protocol;

// "127.0.0.1:PORT", "PORT" or "unix:PATH".
inline Protocol::endpoint endpoint_of(std::string_view address) {
  if (address.starts_with("unix:"))
    return boost::asio::local::stream_protocol::endpoint(std::string(address.substr(5)));
  const std::string_view digits = address.substr(address.find(':') + 1);
  std::uint16_t port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), port);
}

class Link {
 public:
  // `on_message` is called with the first byte of each message of `received_size` bytes, `on_end` when the
  // other end is gone; there the link may be destroyed.
  Link(Protocol::socket socket, std::size_t received_size, std::size_t sent_size,
       std::function<void(char)> on_message, std::function<void()> on_end)
      : socket_(std::move(socket)),
        received_(received_size),
        sent_(sent_size),
        on_message_(std::move(on_message)),
        on_end_(std::move(on_end)) {
    socket_.non_blocking(true);
    boost::system::error_code ignored;  // Unix sockets have no Nagle
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    wait();
  }

  // A message that begins with `first`. It fits into the socket's buffer, since only one is on its way.
  void send(char first) {
    sent_.front() = first;
    const ssize_t size = ::send(socket_.native_handle(), sent_.data(), sent_.size(), MSG_NOSIGNAL);
    if (size == static_cast<ssize_t>(sent_.size())) return;
    if (size < 0 && (errno == EPIPE || errno == ECONNRESET)) return;  // turn() will find out
    std::perror("ping_pong: send");
    std::exit(1);
  }

 private:
  void wait() {
    socket_.async_wait(Protocol::socket::wait_read, [this](const boost::system::error_code& error) {
      if (!error) turn();
    });
  }
  void turn() {
    const ssize_t size =
        ::recv(socket_.native_handle(), received_.data() + filled_, received_.size() - filled_, 0);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
      const std::function<void()> end = std::move(on_end_);
      return end();
    }
    if (size > 0) filled_ += static_cast<std::size_t>(size);
    if (filled_ == received_.size()) {
      filled_ = 0;
      on_message_(received_.front());
    }
    wait();
  }

  Protocol::socket socket_;
  std::vector<char> received_;
  std::size_t filled_ = 0;
  std::vector<char> sent_;
  std::function<void(char)> on_message_;
  std::function<void()> on_end_;
};

}  // namespace bench
