#include "wire/timeout.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace minigrpc::wire {

namespace {

constexpr std::size_t kDigitsMax = 8;
constexpr std::int64_t kValueEnd = 100'000'000;  // the first value of nine digits

struct Unit {
  char letter;
  std::int64_t length_ns;
};

// From the finest to the coarsest.
constexpr std::array<Unit, 6> kUnits = {{{'n', 1},
                                         {'u', 1'000},
                                         {'m', 1'000'000},
                                         {'S', 1'000'000'000},
                                         {'M', 60'000'000'000},
                                         {'H', 3'600'000'000'000}}};

}  // namespace

std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kDigitsMax + 1) return std::nullopt;
  std::int64_t value = 0;
  for (char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  for (const Unit& unit : kUnits) {
    if (unit.letter != text.back()) continue;
    if (value > std::chrono::nanoseconds::max().count() / unit.length_ns)
      return std::chrono::nanoseconds::max();
    return std::chrono::nanoseconds(value * unit.length_ns);
  }
  return std::nullopt;
}

std::string_view format_timeout(std::chrono::nanoseconds timeout, char (&storage)[12]) {
  const std::int64_t length_ns = timeout.count() > 0 ? timeout.count() : 0;
  // nanoseconds::max() is 2562048 hours: the coarsest unit holds everything, so the loop always ends by
  // break.
  const Unit* unit = kUnits.data();
  std::int64_t value = 0;
  for (;; ++unit) {
    value = length_ns / unit->length_ns + (length_ns % unit->length_ns != 0 ? 1 : 0);
    if (value < kValueEnd) break;
  }
  char* end = std::to_chars(storage, storage + kDigitsMax, value).ptr;
  *end++ = unit->letter;
  return {storage, static_cast<std::size_t>(end - storage)};
}

}  // namespace minigrpc::wire
