// Puts a server into a state that is known exactly, over connections that have no client library's memory or
// time.
//
//   raw_http2_client connections PORT COUNT
//       opens COUNT connections, makes one call of GetProdStock on each; says "ready", waits for a line on
//       standard input; makes one call more on each, and says how many were answered
//   raw_http2_client streams PORT CONNECTIONS STREAMS
//       opens STREAMS calls of bench.Bulk's Echo on each of CONNECTIONS connections, exchanges a message on
//       each; says "ready", waits for a line; exchanges one more on each, ends the calls, and says how many
//       ended
//   raw_http2_client bursts PORT CONNECTIONS HELD BURST SECONDS
//       on each connection HELD calls of GetProdStock are open, whose request does not come; the connections
//       take turns: BURST calls are sent in one write, and answered, before the next; says how many were
//       answered
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "raw_http2/raw_connection.h"

namespace {

using bench::RawConnection;
using Ends = bench::RawConnection::Ends;

constexpr std::string_view kUnaryPath = "/ProdService/GetProdStock";
constexpr std::string_view kRequest("\x08\x04", 2);   // ProdRequest{prod_id: 4}
constexpr std::string_view kResponse("\x18\x50", 2);  // ProdResponse{prod_stock: 80}
constexpr std::string_view kEchoPath = "/bench.Bulk/Echo";
constexpr std::string_view kPiece("\x08\x01\x12\x04\x01zz\x01", 8);  // Piece{number: 1, data: "\1zz\1"}
// Streams of one connection that are opened, or ended, in one go: neither side's socket buffer is filled by
// them.
constexpr std::size_t kStreamsAtOnce = 100;

std::vector<RawConnection> connect(std::uint16_t port, std::size_t count, std::string_view path) {
  std::vector<RawConnection> connections;
  connections.reserve(count);
  for (std::size_t i = 0; i < count; ++i) connections.emplace_back(port, path);
  return connections;
}

// Makes `count` calls in one write, and waits for the answers.
void call(RawConnection& connection, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    connection.add_message(connection.begin_call(), kRequest, Ends::kYes);
  connection.send();
  connection.receive(count, count, kResponse);
}

void wait_for_a_line() {
  std::printf("ready\n");
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
}

std::size_t hold_connections(std::uint16_t port, std::size_t count) {
  std::vector<RawConnection> connections;
  connections.reserve(count);
  for (std::size_t i = 0; i < count; ++i) call(connections.emplace_back(port, kUnaryPath), 1);
  wait_for_a_line();
  for (RawConnection& connection : connections) call(connection, 1);
  return connections.size();
}

std::size_t hold_streams(std::uint16_t port, std::size_t connection_count, std::size_t stream_count) {
  std::vector<RawConnection> connections = connect(port, connection_count, kEchoPath);
  std::vector<std::uint32_t> streams;  // the same on each connection
  for (RawConnection& connection : connections) {
    streams.clear();
    while (streams.size() < stream_count) {
      const std::size_t count = std::min(kStreamsAtOnce, stream_count - streams.size());
      for (std::size_t i = 0; i < count; ++i) {
        streams.push_back(connection.begin_call());
        connection.add_message(streams.back(), kPiece, Ends::kNo);
      }
      connection.send();
      connection.receive(count, 0, kPiece);
    }
  }
  wait_for_a_line();
  for (RawConnection& connection : connections) {
    for (std::size_t begin = 0; begin < streams.size(); begin += kStreamsAtOnce) {
      const std::size_t count = std::min(kStreamsAtOnce, streams.size() - begin);
      for (std::size_t i = begin; i < begin + count; ++i)
        connection.add_message(streams[i], kPiece, Ends::kYes);
      connection.send();
      connection.receive(count, count, kPiece);
    }
  }
  return connections.size() * streams.size();
}

std::size_t send_bursts(std::uint16_t port, std::size_t connection_count, std::size_t held, std::size_t burst,
                        double seconds) {
  std::vector<RawConnection> connections = connect(port, connection_count, kUnaryPath);
  for (RawConnection& connection : connections) {
    for (std::size_t i = 0; i < held; ++i) connection.begin_call();
    call(connection, burst);
  }
  wait_for_a_line();
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::size_t calls = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (RawConnection& connection : connections) call(connection, burst);
    calls += burst * connections.size();
  }
  return calls;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  const auto number = [argv](int i) { return static_cast<std::size_t>(std::atoll(argv[i])); };
  const auto port = static_cast<std::uint16_t>(argc > 2 ? std::atoi(argv[2]) : 0);
  std::size_t answered = 0;
  if (verb == "connections" && argc == 4)
    answered = hold_connections(port, number(3));
  else if (verb == "streams" && argc == 5)
    answered = hold_streams(port, number(3), number(4));
  else if (verb == "bursts" && argc == 7)
    answered = send_bursts(port, number(3), number(4), number(5), std::atof(argv[6]));
  else
    return 2;
  std::printf("{\"answered\": %zu}\n", answered);
  // The connections, which may hold open calls, are closed by the kernel.
  std::fflush(stdout);
  std::_Exit(0);
}
