#include "fuzz/target.h"
#include "wire/timeout.h"

using namespace minigrpc;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::optional<std::chrono::nanoseconds> timeout = wire::parse_timeout(fuzz::text_of(data, size));
  if (!timeout) return 0;
  fuzz::expect(size >= 2 && size <= 9, "eight digits and a unit");
  fuzz::expect(timeout->count() >= 0, "a timeout is not negative");
  char storage[12];
  const std::string_view text = wire::format_timeout(*timeout, storage);
  const std::optional<std::chrono::nanoseconds> again = wire::parse_timeout(text);
  fuzz::expect(again.has_value(), "what is written can be read");
  // What was read came from eight digits, so they can hold it exactly; only the largest is a saturated one.
  fuzz::expect(*again == *timeout, "what was read is written exactly");
  return 0;
}
