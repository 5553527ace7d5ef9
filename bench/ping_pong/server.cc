// Answers each message of one size with one of another: the floor of what a call's latency can be.
//
//   ping_pong [PORT | unix:PATH] REQUEST_SIZE RESPONSE_SIZE
//
// Serves 127.0.0.1:PORT (0: any), says "listening PORT", runs until killed.
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <list>
#include <optional>

#include "ping_pong/link.h"

namespace {

using bench::Link;
using bench::Protocol;

class Responder {
 public:
  Responder(boost::asio::io_context& io, std::string_view address, std::size_t request_size,
            std::size_t response_size)
      : acceptor_(io, bench::endpoint_of(address)),
        request_size_(request_size),
        response_size_(response_size) {
    accept();
  }
  std::uint16_t port() const {
    const Protocol::endpoint local = acceptor_.local_endpoint();
    if (local.protocol().family() != AF_INET) return 0;
    return ntohs(reinterpret_cast<const sockaddr_in*>(local.data())->sin_port);
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, Protocol::socket socket) {
      if (error) std::exit(1);
      const auto link = links_.emplace(links_.end());
      link->emplace(
          std::move(socket), request_size_, response_size_, [link](char first) { (*link)->send(first); },
          [this, link] { links_.erase(link); });
      accept();
    });
  }

  boost::asio::basic_socket_acceptor<Protocol> acceptor_;
  const std::size_t request_size_;
  const std::size_t response_size_;
  std::list<std::optional<Link>> links_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  boost::asio::io_context io(1);
  const Responder responder(io, argv[1], std::strtoul(argv[2], nullptr, 10),
                            std::strtoul(argv[3], nullptr, 10));
  std::printf("listening %u\n", responder.port());
  std::fflush(stdout);
  io.run();
}
