#include <string>

#include "fuzz/target.h"
#include "net/http1.h"

using namespace minigrpc;
using net::http1::Request;
using net::http1::RequestParser;

namespace {

constexpr net::http1::ParserLimits kLimits{.header_size_max = 2048, .body_size_max = 4096};

// Every request of the stream; the same however the stream is cut. What is wrong may be seen sooner in one piece than in
// several.
std::string read(std::string_view stream, std::size_t step) {
  RequestParser parser(kLimits);
  std::string received;
  std::string said;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    received += stream.substr(at, step);
    for (;;) {
      const RequestParser::State state = parser.feed(received);
      if (state == RequestParser::State::kNeedsMore) break;
      if (state == RequestParser::State::kFailed) {
        fuzz::expect(parser.failure_status() >= 400 && parser.failure_status() < 600, "a failure has an error's status");
        return said;
      }
      const Request request = parser.take();
      fuzz::expect(request.body.size() <= kLimits.body_size_max, "bodies are bounded");
      fuzz::expect(!request.method.empty(), "a request has a method");
      said += request.method + " " + request.target + " " + std::to_string(request.headers.size()) + " " + request.body + "\n";
      if (!request.keep_alive) return said;
    }
  }
  return said;
}

}  // namespace

// The first byte says how the stream is cut; the stream is the rest.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view stream = fuzz::text_of(data, size).substr(1);
  const std::string whole = read(stream, stream.size() + 1);
  const std::string pieces = read(stream, data[0] + 1u);
  fuzz::expect(whole == pieces, "requests are the same however they are cut");
  return 0;
}
