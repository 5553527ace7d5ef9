// Sends messages of one size and waits for answers of another, one at a time.
//
//   ping_pong_client TARGET REQUEST_SIZE RESPONSE_SIZE SECONDS     says how long they took (tally.h calls
//   them calls)
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <optional>

#include "ping_pong/link.h"
#include "tally.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  boost::asio::io_context io(1);
  bench::Protocol::socket socket(io);
  socket.connect(bench::endpoint_of(argv[1]));

  bench::Tally tally(1);
  std::atomic<bool> stopping{false};
  char number = 0;
  bench::Clock::time_point begin;
  std::optional<bench::Link> link;
  const auto ping = [&] {
    begin = tally.begin();
    link->send(++number);
  };
  const auto on_pong = [&](char first) {
    tally.end(begin, first == number);
    stopping ? io.stop() : ping();
  };
  const auto on_end = [] {
    std::fprintf(stderr, "ping_pong: the server is gone\n");
    std::exit(1);
  };
  link.emplace(std::move(socket), std::strtoul(argv[3], nullptr, 10), std::strtoul(argv[2], nullptr, 10),
               on_pong, on_end);
  boost::asio::post(io, ping);
  std::thread loop([&io] { io.run(); });
  tally.measure(std::atof(argv[4]));
  stopping = true;
  loop.join();
  return tally.report();
}
