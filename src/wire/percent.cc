#include "wire/percent.h"

#include <algorithm>
#include <cstdint>

namespace minigrpc::wire {

namespace {

constexpr bool is_plain(char c) { return c >= 0x20 && c <= 0x7e && c != '%'; }

// The value of a hexadecimal digit of either case; -1 for anything else.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool is_percent_plain(std::string_view text) {
  // Without a way out of the loop and in bytes, so that the compiler takes many at once.
  std::uint8_t foreign = 0;
  for (char c : text) {
    const auto above_space = static_cast<std::uint8_t>(c - 0x20);
    foreign |= static_cast<std::uint8_t>((above_space > 0x7e - 0x20) | (above_space == '%' - 0x20));
  }
  return foreign == 0 && !text.starts_with(' ') && !text.ends_with(' ');
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size() + 16);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_space_at_end = c == ' ' && (i == 0 || i + 1 == text.size());
    if (is_plain(c) && !is_space_at_end) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.push_back('%');
      encoded.push_back(kDigits[byte >> 4]);
      encoded.push_back(kDigits[byte & 0xf]);
    }
  }
  return encoded;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('%'), text.size());
    decoded.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const int high = text.size() > 2 ? hex_value(text[1]) : -1;
    const int low = text.size() > 2 ? hex_value(text[2]) : -1;
    if (high >= 0 && low >= 0) {
      decoded.push_back(static_cast<char>(high * 16 + low));
      text.remove_prefix(3);
    } else {
      decoded.push_back('%');
      text.remove_prefix(1);
    }
  }
  return decoded;
}

}  // namespace minigrpc::wire
