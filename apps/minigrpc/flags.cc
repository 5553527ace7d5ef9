#include "flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace minigrpc::cli {

namespace {

using std::chrono::nanoseconds;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first where one begins with the other.
constexpr std::array<Unit, 7> kUnits{
    {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

std::string default_text_of(const FlagSet::Target& target) {
  return std::visit(Overloaded{
                        [](const bool* value) { return std::string(*value ? "true" : "false"); },
                        [](const std::int64_t* value) { return std::to_string(*value); },
                        [](const std::string* value) { return *value; },
                        [](const nanoseconds* value) { return format_duration(*value); },
                        [](const std::vector<std::string>*) { return std::string(); },
                        [](const CommaList& list) {
                          std::string text;
                          for (const std::string& item : *list.items)
                            text += (text.empty() ? "" : ",") + item;
                          return text;
                        },
                    },
                    target);
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "1" || text == "t" || text == "T" || text == "TRUE" || text == "True")
    return true;
  if (text == "false" || text == "0" || text == "f" || text == "F" || text == "FALSE" || text == "False")
    return false;
  return std::nullopt;
}

void append_items(std::vector<std::string>& items, std::string_view text) {
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    if (!item.empty()) items.emplace_back(item);
    if (comma == std::string_view::npos) return;
    text.remove_prefix(comma + 1);
  }
}

// Levenshtein's distance.
std::size_t typing_errors(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

void FlagSet::add(std::string_view name, Target target, std::string_view help, char letter) {
  flags_.push_back({std::string(name), letter, target, std::string(help), default_text_of(target)});
}

FlagSet::Flag* FlagSet::find(std::string_view name) {
  const auto found = std::ranges::find(flags_, name, &Flag::name);
  return found == flags_.end() ? nullptr : &*found;
}

FlagSet::Flag* FlagSet::find_letter(char letter) {
  const auto found = std::ranges::find(flags_, letter, &Flag::letter);
  return letter == 0 || found == flags_.end() ? nullptr : &*found;
}

bool stands_alone(const FlagSet::Flag& flag) { return std::holds_alternative<bool*>(flag.target); }

Status set_flag(FlagSet::Flag& flag, std::string_view text) {
  const auto store = [](auto* target, const auto& value) {
    if (!value) return false;
    *target = *value;
    return true;
  };
  const bool first = !flag.given;
  const bool fits = std::visit(Overloaded{
                                   [&](bool* target) { return store(target, parse_bool(text)); },
                                   [&](std::int64_t* target) { return store(target, parse_integer(text)); },
                                   [&](std::string* target) { return target->assign(text), true; },
                                   [&](nanoseconds* target) { return store(target, parse_duration(text)); },
                                   [&](std::vector<std::string>* target) {
                                     if (first) target->clear();
                                     return target->emplace_back(text), true;
                                   },
                                   [&](const CommaList& list) {
                                     if (first) list.items->clear();
                                     return append_items(*list.items, text), true;
                                   },
                               },
                               flag.target);
  if (!fits)
    return Status(StatusCode::kInvalidArgument,
                  "invalid argument \"" + std::string(text) + "\" for \"--" + flag.name + "\" flag");
  flag.given = true;
  return Status();
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
  if (const std::optional<std::int64_t> seconds = parse_integer(text); seconds) {
    if (std::abs(static_cast<double>(*seconds)) > 9e9) return std::nullopt;
    return std::chrono::seconds(*seconds);
  }
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || text[0] == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto unit = std::ranges::find_if(kUnits, [&](const Unit& known) {
      if (!text.starts_with(known.name)) return false;
      // "m" followed by a letter is another unit, or none.
      return text.size() == known.name.size() ||
             std::string_view("0123456789.").find(text[known.name.size()]) != std::string_view::npos;
    });
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += number * unit->nanoseconds;
  }
  if (!(total < 9e18)) return std::nullopt;
  return nanoseconds(std::llround(negative ? -total : total));
}

std::string format_duration(nanoseconds duration) {
  if (duration.count() == 0) return "0s";
  if (duration.count() < 0) return "-" + format_duration(-duration);
  // At least as many digits as the value has, without trailing zeros.
  const auto decimal = [](std::int64_t count, std::int64_t unit) {
    std::string text = std::to_string(count / unit);
    std::string fraction = std::to_string(unit + count % unit).substr(1);
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    return fraction.empty() ? text : text + "." + fraction;
  };
  std::int64_t rest = duration.count();
  if (rest < 1'000) return std::to_string(rest) + "ns";
  if (rest < 1'000'000) return decimal(rest, 1'000) + "µs";
  if (rest < 1'000'000'000) return decimal(rest, 1'000'000) + "ms";
  constexpr std::int64_t kMinute = 60'000'000'000;
  constexpr std::int64_t kHour = 60 * kMinute;
  std::string text;
  if (rest >= kHour) text += std::to_string(rest / kHour) + "h";
  if (rest >= kMinute) text += std::to_string(rest % kHour / kMinute) + "m";
  return text + decimal(rest % kMinute, 1'000'000'000) + "s";
}

std::string_view closest(std::string_view typed, const std::vector<std::string_view>& known) {
  constexpr std::size_t kTypingErrorsMax = 2;
  std::string_view best;
  std::size_t best_errors = kTypingErrorsMax + 1;
  for (const std::string_view candidate : known) {
    const std::size_t errors = typing_errors(typed, candidate);
    if (errors < best_errors && errors < candidate.size()) {
      best = candidate;
      best_errors = errors;
    }
  }
  return best;
}

}  // namespace minigrpc::cli
