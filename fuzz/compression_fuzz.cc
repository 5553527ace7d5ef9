#include <string>

#include "fuzz/target.h"
#include "wire/compression.h"

using namespace minigrpc;

// The first byte says which compression, the second how large the message may be; the rest is what a peer
// sent.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto compression = static_cast<Compression>(1 + data[0] % 3);
  const std::size_t size_max = data[1] * 256u;
  const std::string_view input = fuzz::text_of(data, size).substr(2);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(input));

  const Result<Buffer> message = wire::decompress(compression, bytes, size_max);
  if (message) {
    fuzz::expect(message->size() <= size_max, "nothing larger than allowed comes out");
    const Result<Buffer> exact = wire::decompress(compression, bytes, message->size());
    fuzz::expect(exact && exact->text() == message->text(), "a bound of the exact size lets it through");
    if (!message->empty())
      fuzz::expect(wire::decompress(compression, bytes, message->size() - 1).status().code() ==
                       StatusCode::kResourceExhausted,
                   "a smaller bound does not");
  }
  const std::optional<Buffer> smaller = wire::compress(compression, bytes);
  if (!smaller) return 0;
  fuzz::expect(smaller->size() < input.size(), "compressing makes smaller, or says no");
  const Result<Buffer> back = wire::decompress(compression, smaller->bytes(), input.size());
  fuzz::expect(back && back->text() == input, "what was compressed comes back");
  return 0;
}
