#include "data_template.h"

#include <sstream>

#include "flags.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

constexpr std::int64_t kStringSizeMax = 16 << 20;

Status no_place(std::string_view place) {
  return Status(StatusCode::kInvalidArgument, "{{" + std::string(place) +
                                                  "}} is no place of a template; there are {{n}}, "
                                                  "{{worker}}, {{random A B}}, {{string N}}, {{uuid}} and "
                                                  "{{time}}");
}

std::string random_letters(std::int64_t count, std::mt19937_64& random) {
  std::string text(static_cast<std::size_t>(count), 'a');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

// Of version 4 (RFC 9562).
std::string uuid(std::mt19937_64& random) {
  const std::uint64_t high = (random() & 0xffffffffffff0fffULL) | 0x4000;
  const std::uint64_t low = (random() & 0x3fffffffffffffffULL) | 0x8000000000000000ULL;
  std::string digits = hexadecimal(high, 16) + hexadecimal(low, 16);
  for (const std::size_t at : {20, 16, 12, 8}) digits.insert(at, "-");
  return digits;
}

}  // namespace

Result<DataTemplate::Part> DataTemplate::parse_place(std::string_view place) {
  std::istringstream in{std::string(place)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  const auto number = [&](std::size_t i) {
    return i < words.size() ? parse_integer(words[i]) : std::nullopt;
  };
  if (words.size() == 1) {
    if (words[0] == "n") return Part{.kind = Kind::kNumber};
    if (words[0] == "worker") return Part{.kind = Kind::kWorker};
    if (words[0] == "uuid") return Part{.kind = Kind::kUuid};
    if (words[0] == "time") return Part{.kind = Kind::kTime};
  }
  if (words.size() == 2 && words[0] == "string" && number(1) && *number(1) >= 0 &&
      *number(1) <= kStringSizeMax)
    return Part{.kind = Kind::kString, .low = *number(1)};
  if (words.size() == 3 && words[0] == "random" && number(1) && number(2) && *number(1) <= *number(2))
    return Part{.kind = Kind::kRandom, .low = *number(1), .high = *number(2)};
  return no_place(place);
}

Result<DataTemplate> DataTemplate::parse(std::string_view text) {
  DataTemplate parsed;
  while (!text.empty()) {
    const std::size_t open = text.find("{{");
    // JSON of its own may have "{{"-free braces only: an object never begins with another brace.
    if (open != 0) parsed.parts_.push_back({.text = std::string(text.substr(0, open))});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos)
      return Status(StatusCode::kInvalidArgument, "a {{ in the data is not closed");
    Result<Part> part = parse_place(text.substr(open + 2, close - open - 2));
    if (!part) return part.error();
    parsed.parts_.push_back(*std::move(part));
    text.remove_prefix(close + 2);
  }
  return parsed;
}

std::string DataTemplate::fill(const Values& values, std::mt19937_64& random) const {
  std::string text;
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Kind::kText:
        text += part.text;
        break;
      case Kind::kNumber:
        text += std::to_string(values.number);
        break;
      case Kind::kWorker:
        text += std::to_string(values.worker);
        break;
      case Kind::kRandom:
        text += std::to_string(std::uniform_int_distribution<std::int64_t>(part.low, part.high)(random));
        break;
      case Kind::kString:
        text += random_letters(part.low, random);
        break;
      case Kind::kUuid:
        text += uuid(random);
        break;
      case Kind::kTime:
        text += std::to_string(values.time_ms);
        break;
    }
  }
  return text;
}

}  // namespace minigrpc::cli
