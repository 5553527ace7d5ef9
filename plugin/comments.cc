#include "comments.h"

#include <vector>

namespace minigrpc::plugin {

namespace {

constexpr std::string_view kBlank = " \t";

std::string_view without_trailing_blanks(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

// U+202A…U+202E and U+2066…U+2069 in UTF-8.
bool turns_direction(std::string_view bytes) {
  if (bytes.size() < 3 || bytes[0] != '\xe2') return false;
  if (bytes[1] == '\x80') return bytes[2] >= '\xaa' && bytes[2] <= '\xae';
  return bytes[1] == '\x81' && bytes[2] >= '\xa6' && bytes[2] <= '\xa9';
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

}  // namespace

std::string comment_line(std::string_view text) {
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (turns_direction(text.substr(i))) {
      line += '?';
      i += 2;
    } else {
      const auto byte = static_cast<unsigned char>(text[i]);
      line += (byte < 0x20 && byte != '\t') || byte == 0x7f ? ' ' : text[i];
    }
  }
  line.resize(without_trailing_blanks(line).size());
  if (line.ends_with('\\') || line.ends_with("?\?/")) line += " //";
  return line;
}

std::string comment_block(std::string_view text) {
  std::string block;
  std::string empty_lines;  // kept only between lines with words
  for (std::string_view raw : lines_of(text)) {
    if (raw.starts_with(' ')) raw.remove_prefix(1);  // the one that follows `//` in most files
    const std::string line = comment_line(raw);
    if (line.empty()) {
      if (!block.empty()) empty_lines += "//\n";
      continue;
    }
    block += empty_lines + "// " + line + "\n";
    empty_lines.clear();
  }
  return block;
}

}  // namespace minigrpc::plugin
