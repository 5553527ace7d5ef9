#include <algorithm>

#include "fuzz/target.h"
#include "wire/percent.h"

using namespace minigrpc;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const std::string encoded = wire::percent_encode(text);
  fuzz::expect(std::all_of(encoded.begin(), encoded.end(), [](char c) { return c >= 0x20 && c <= 0x7e; }),
               "the encoding is printable ASCII");
  fuzz::expect(!encoded.starts_with(' ') && !encoded.ends_with(' '), "no blank stands at an end");
  fuzz::expect(wire::percent_decode(encoded) == text, "what is encoded is decoded");
  fuzz::expect(wire::is_percent_plain(text) == (encoded == text), "plain text is its own encoding");
  fuzz::expect(wire::percent_decode(text).size() <= text.size(), "decoding does not grow");
  return 0;
}
