#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "wire/message.h"

using namespace minigrpc;

namespace {

struct Outcome {
  std::vector<std::string> messages;
  StatusCode code = StatusCode::kOk;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The grammar read straight from the whole stream: what every way of reading must agree with.
Outcome model(std::string_view stream, std::size_t size_max) {
  Outcome outcome;
  while (!stream.empty()) {
    if (stream.size() < 5) return outcome.code = StatusCode::kInternal, outcome;
    if (stream[0] != 0 && stream[0] != 1) return outcome.code = StatusCode::kInternal, outcome;
    std::size_t length = 0;
    for (int i = 1; i < 5; ++i) length = length * 256 + static_cast<unsigned char>(stream[i]);
    if (length > size_max) return outcome.code = StatusCode::kResourceExhausted, outcome;
    if (length > stream.size() - 5) return outcome.code = StatusCode::kInternal, outcome;
    outcome.messages.emplace_back(stream.substr(5, length));
    stream.remove_prefix(5 + length);
  }
  return outcome;
}

Outcome read(std::string_view stream, std::size_t size_max, std::size_t step, bool whole_first) {
  wire::MessageReader reader({.message_size_max = size_max});
  Outcome outcome;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    std::span<const std::byte> input = std::as_bytes(std::span(stream.substr(at, step)));
    for (;;) {
      while (whole_first) {
        const std::optional<wire::MessageView> view = reader.take_whole(input);
        if (!view) break;
        outcome.messages.push_back(text_of(view->bytes));
      }
      Result<std::optional<wire::Message>> message = reader.next(input);
      if (!message) return outcome.code = message.error().code(), outcome;
      if (!*message) break;
      outcome.messages.emplace_back((*message)->bytes.text());
    }
    fuzz::expect(input.empty(), "next() uses all input before it gives nothing");
  }
  outcome.code = reader.finish().code();
  return outcome;
}

}  // namespace

// The first byte says how the stream is cut, the second how large a message may be; the stream is the rest.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = data[0] + 1u;
  const std::size_t size_max = data[1] * 1024u + 16;
  const std::string_view stream = fuzz::text_of(data, size).substr(2);
  const Outcome expected = model(stream, size_max);
  fuzz::expect(read(stream, size_max, stream.size() + 1, true) == expected, "whole, without copies");
  fuzz::expect(read(stream, size_max, stream.size() + 1, false) == expected, "whole");
  fuzz::expect(read(stream, size_max, step, true) == expected, "in pieces, without copies where possible");
  fuzz::expect(read(stream, size_max, step, false) == expected, "in pieces");
  return 0;
}
