#include <algorithm>

#include "fuzz/target.h"
#include "wire/base64.h"

using namespace minigrpc;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);

  const std::string encoded = wire::base64_encode(text);
  fuzz::expect(wire::base64_decode(encoded) == text, "what is encoded is decoded");

  if (const std::optional<std::string> bytes = wire::base64_decode(text)) {
    const std::string_view unpadded = text.substr(0, std::min(text.find('='), text.size()));
    fuzz::expect(wire::base64_encode(*bytes) == unpadded, "a value has one unpadded text");
  }
  if (const auto values = wire::base64_decode_list(text)) {
    fuzz::expect(values->size() == 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')),
                 "there is a value around every comma");
  }
  return 0;
}
