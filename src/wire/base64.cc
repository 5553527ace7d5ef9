#include "wire/base64.h"

#include <array>
#include <cstdint>

namespace minigrpc::wire {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kForeign = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kForeign);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

std::uint32_t value_of(char c) { return kValues[static_cast<unsigned char>(c)]; }
std::uint32_t byte_of(char c) { return static_cast<unsigned char>(c); }

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text((bytes.size() * 4 + 2) / 3, '\0');
  char* out = text.data();
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = byte_of(bytes[i]) << 16 | byte_of(bytes[i + 1]) << 8 | byte_of(bytes[i + 2]);
    *out++ = kAlphabet[group >> 18];
    *out++ = kAlphabet[group >> 12 & 63];
    *out++ = kAlphabet[group >> 6 & 63];
    *out++ = kAlphabet[group & 63];
  }
  if (i + 1 == bytes.size()) {
    const std::uint32_t group = byte_of(bytes[i]) << 4;
    *out++ = kAlphabet[group >> 6];
    *out++ = kAlphabet[group & 63];
  } else if (i + 2 == bytes.size()) {
    const std::uint32_t group = byte_of(bytes[i]) << 10 | byte_of(bytes[i + 1]) << 2;
    *out++ = kAlphabet[group >> 12];
    *out++ = kAlphabet[group >> 6 & 63];
    *out++ = kAlphabet[group & 63];
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  // Padding fills the last group of four, so it can stand only in a text of whole groups.
  if (text.size() % 4 == 0 && text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
  const std::size_t rest = text.size() % 4;
  if (rest == 1) return std::nullopt;

  std::string bytes(text.size() * 3 / 4, '\0');
  char* out = bytes.data();
  // A foreign character sets the top bits of its value; they are looked at once, at the end.
  std::uint32_t seen = 0;
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    const std::uint32_t a = value_of(text[i]), b = value_of(text[i + 1]);
    const std::uint32_t c = value_of(text[i + 2]), d = value_of(text[i + 3]);
    seen |= a | b | c | d;
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    *out++ = static_cast<char>(group >> 16);
    *out++ = static_cast<char>(group >> 8);
    *out++ = static_cast<char>(group);
  }
  std::uint32_t last = 0;
  for (; i < text.size(); ++i) {
    seen |= value_of(text[i]);
    last = last << 6 | (value_of(text[i]) & 63);
  }
  if (seen > 63) return std::nullopt;
  if (rest == 2) {
    if ((last & 0xf) != 0) return std::nullopt;
    *out++ = static_cast<char>(last >> 4);
  } else if (rest == 3) {
    if ((last & 0x3) != 0) return std::nullopt;
    *out++ = static_cast<char>(last >> 10);
    *out++ = static_cast<char>(last >> 2);
  }
  return bytes;
}

std::optional<std::vector<std::string>> base64_decode_list(std::string_view text) {
  std::vector<std::string> values;
  for (;;) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (item.starts_with(' ') || item.starts_with('\t')) item.remove_prefix(1);
    while (item.ends_with(' ') || item.ends_with('\t')) item.remove_suffix(1);
    std::optional<std::string> value = base64_decode(item);
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace minigrpc::wire
