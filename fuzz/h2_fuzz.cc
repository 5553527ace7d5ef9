#include <string>
#include <vector>

#include "base/limits.h"
#include "fuzz/target.h"
#include "h2/connection.h"

using namespace minigrpc;

namespace {

constexpr h2::Settings kSettings{.concurrent_streams_max = 8,
                                 .stream_window_size = limits::kStreamWindowSize,
                                 .connection_window_size = limits::kConnectionWindowSize,
                                 .header_list_size_max = 4096};
constexpr std::size_t kEventsMax = 100'000;

// Does with each event what a server or a client does with it; what it says of them.
std::string answer(h2::Connection& connection, h2::Role role) {
  std::string said;
  std::size_t count = 0;
  for (std::span<const h2::Event> events = connection.take_events(); !events.empty(); events = connection.take_events()) {
    count += events.size();
    fuzz::expect(count < kEventsMax, "events end");
    for (const h2::Event& event : events) {
      said += std::to_string(static_cast<int>(event.kind));
      switch (event.kind) {
        case h2::EventKind::kHeaders: {
          for (const HeaderView& field : connection.headers(event)) {
            fuzz::expect(!field.name.empty(), "a field has a name");
            said += std::string(field.name) + "=" + std::string(field.value) + ";";
          }
          const HeaderView status{":status", "200"};
          const HeaderView trailer{"grpc-status", "0"};
          if (role == h2::Role::kServer && event.end_stream) {
            connection.submit_response(*event.stream, std::span(&status, 1), false);
            connection.send(*event.stream, Buffer::copy_of("answer"));
            connection.end_with_trailers(*event.stream, std::span(&trailer, 1));
          }
          break;
        }
        case h2::EventKind::kData:
          said += std::to_string(event.data.size());
          connection.consume(*event.stream, event.data.size());
          break;
        default: break;
      }
    }
  }
  return said;
}

// What was said while `input` came in pieces of `step` bytes.
std::string converse(h2::Role role, std::string_view input, std::size_t step) {
  h2::Connection connection(role, kSettings);
  if (role == h2::Role::kClient) {
    const HeaderView request[] = {{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {":authority", "c"}};
    for (int i = 0; i < 2; ++i)
      if (h2::Stream* stream = connection.submit_request(request, false, nullptr)) connection.end(*stream);
  }
  std::string said;
  for (std::size_t at = 0; at < input.size(); at += step) {
    const std::optional<h2::Error> error = connection.receive(std::as_bytes(std::span(input.substr(at, step))));
    said += answer(connection, role);
    // A peer that takes everything.
    for (std::span<const std::byte> output = connection.output(); !output.empty(); output = connection.output()) {
      fuzz::expect(output.size() <= limits::kOutputSizeMax + 16384 + 9, "output is bounded");
      connection.consume_output(output.size());
      said += answer(connection, role);
    }
    if (error) return said + "error";
    if (!connection.alive()) return said + "over";
  }
  return said;
}

}  // namespace

// The first byte: the role, and whether the client's preface is put in front. The rest comes whole, and in pieces.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const h2::Role role = (data[0] & 1) != 0 ? h2::Role::kClient : h2::Role::kServer;
  std::string input;
  if (role == h2::Role::kServer && (data[0] & 2) != 0) input = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  input += fuzz::text_of(data, size).substr(1);
  converse(role, input, input.size() + 1);
  converse(role, input, (data[0] >> 2) + 1u);
  return 0;
}
