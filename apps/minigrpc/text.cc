#include "text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>

namespace minigrpc::cli {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string two_digits(unsigned char byte) { return {kHexDigits[byte >> 4], kHexDigits[byte & 15]}; }

// One code point at the front of a text; size 0 where the bytes there are no UTF-8.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;
};

CodePoint code_point_at_front(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return {};
  std::uint32_t value = first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, size};
}

// Close to Go's unicode.IsPrint: the controls, separators, private and unassigned ranges that keys meet in
// practice.
bool prints(std::uint32_t code_point) {
  if (code_point < 0x20 || (code_point >= 0x7f && code_point <= 0xa0) || code_point == 0xad) return false;
  if (code_point >= 0x2000 && code_point <= 0x200f) return false;
  if (code_point >= 0x2028 && code_point <= 0x202f) return false;
  if (code_point >= 0x205f && code_point <= 0x206f) return false;
  if (code_point == 0x3000 || code_point == 0xfeff || code_point == 0xfffe || code_point == 0xffff)
    return false;
  if (code_point >= 0xe000 && code_point <= 0xf8ff) return false;
  return code_point < 0xe0000;
}

std::string unicode_escape(std::uint32_t code_point) {
  std::array<char, 16> text{};
  const char* format = code_point > 0xffff ? "\\U%08x" : "\\u%04x";
  std::snprintf(text.data(), text.size(), format, code_point);
  return text.data();
}

// How many columns a terminal needs for it: one for each code point.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::vector<std::size_t> column_widths(const std::vector<std::string>& headings,
                                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& heading : headings) widths.push_back(width_of(heading));
  for (const std::vector<std::string>& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  return widths;
}

}  // namespace

std::string hexadecimal(std::uint64_t number, unsigned digits_min) {
  std::string digits;
  do {
    digits.insert(digits.begin(), kHexDigits[number & 15]);
    number >>= 4;
  } while (number != 0);
  if (digits.size() < digits_min) digits.insert(0, digits_min - digits.size(), '0');
  return digits;
}

std::string hex_bytes(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += "\\x" + two_digits(static_cast<unsigned char>(c));
  return text;
}

std::string go_quoted(std::string_view bytes) {
  constexpr std::string_view kEscaped = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view kLetters = "abfnrtv\\\"";
  std::string text = "\"";
  while (!bytes.empty()) {
    const CodePoint point = code_point_at_front(bytes);
    if (const std::size_t escape = kEscaped.find(bytes[0]); escape != std::string_view::npos) {
      text += {'\\', kLetters[escape]};
    } else if (point.size == 0 || point.value < 0x20 || point.value == 0x7f) {
      text += "\\x" + two_digits(static_cast<unsigned char>(bytes[0]));
    } else if (!prints(point.value)) {
      text += unicode_escape(point.value);
    } else {
      text += bytes.substr(0, point.size);
    }
    bytes.remove_prefix(std::max<std::size_t>(point.size, 1));
  }
  return text + "\"";
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const CodePoint point = code_point_at_front(text);
    if (point.size == 0) {
      out += "\\ufffd";
    } else if (text[0] == '"' || text[0] == '\\') {
      out += {'\\', text[0]};
    } else if (text[0] == '\n' || text[0] == '\r' || text[0] == '\t') {
      out += {'\\', text[0] == '\n' ? 'n' : text[0] == '\r' ? 'r' : 't'};
    } else if (point.value < 0x20 || text[0] == '<' || text[0] == '>' || text[0] == '&' ||
               point.value == 0x2028 || point.value == 0x2029) {
      out += unicode_escape(point.value);
    } else {
      out += text.substr(0, point.size);
    }
    text.remove_prefix(std::max<std::size_t>(point.size, 1));
  }
  return out + "\"";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 10) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000; value /= 1000) ++unit;
  value = std::floor(value * 10 + 0.5) / 10;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value < 10 ? "%.1f" : "%.0f", value);
  return std::string(text.data()) + " " + std::string(kUnits[unit]);
}

std::string joined(const std::vector<std::string>& items, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "" : std::string(separator)) + items[i];
  return text;
}

std::string drawn_table(const std::vector<std::string>& headings,
                        const std::vector<std::vector<std::string>>& rows) {
  const std::vector<std::size_t> widths = column_widths(headings, rows);
  std::string rule = "+";
  for (const std::size_t width : widths) rule += std::string(width + 2, '-') + "+";
  rule += "\n";
  std::string text = rule + "|";
  for (std::size_t i = 0; i < headings.size(); ++i) {
    std::string heading = headings[i];
    for (char& c : heading) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const std::size_t gap = widths[i] - heading.size();
    text += " " + std::string(gap / 2, ' ') + heading + std::string(gap - gap / 2, ' ') + " |";
  }
  text += "\n" + rule;
  for (const std::vector<std::string>& row : rows) {
    text += "|";
    for (std::size_t i = 0; i < row.size(); ++i)
      text += " " + std::string(widths[i] - width_of(row[i]), ' ') + row[i] + " |";
    text += "\n";
  }
  return text + rule;
}

std::string aligned_columns(const std::vector<std::string>& headings,
                            const std::vector<std::vector<std::string>>& rows) {
  const std::vector<std::size_t> widths = column_widths(headings, rows);
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text += std::string(widths[i] - width_of(row[i]) + 2, ' ');
    }
    text += "\n";
  };
  add(headings);
  for (const std::vector<std::string>& row : rows) add(row);
  return text;
}

}  // namespace minigrpc::cli
