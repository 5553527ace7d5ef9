#include "registry/log.h"

#include <array>
#include <charconv>

namespace minigrpc::registry {

std::string to_hex(std::uint64_t number) {
  std::array<char, 16> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return {digits.data(), end};
}

void Log::write(LogLevel level, std::string_view message, Fields fields) const {
  if (!sink_) return;
  sink_({level, message, {fields.begin(), fields.size()}});
}

}  // namespace minigrpc::registry
