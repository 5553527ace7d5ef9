// Flags: options of a command line, each declared beside the variable that it sets.
//
//   FlagSet flags;
//   flags.add("limit", &options.limit, "maximum number of results");
//   flags.add("write-out", &format, "output format", 'w');
//
// Written as etcdctl's users write them: --limit=3, --limit 3, --prefix, --prefix=false, -w json, -wjson,
// -w=json. Thread rule: one thread.
#pragma once

#include <minigrpc/result.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace minigrpc::cli {

// A list whose items are separated by commas, over any number of flags; a plain vector takes each flag as one
// item.
struct CommaList {
  std::vector<std::string>* items;
};

class FlagSet {
 public:
  // Where the value goes, borrowed for the life of the set. What stands there when it is added is the
  // default.
  using Target = std::variant<bool*, std::int64_t*, std::string*, std::chrono::nanoseconds*,
                              std::vector<std::string>*, CommaList>;
  struct Flag {
    std::string name;
    char letter;  // 0: none
    Target target;
    std::string help;
    std::string default_text;  // as help shows it; empty for a list
    bool given = false;
  };

  void add(std::string_view name, Target target, std::string_view help, char letter = 0);

  // Borrowed until the next add(); null where there is none.
  Flag* find(std::string_view name);
  Flag* find_letter(char letter);
  const std::vector<Flag>& all() const { return flags_; }
  std::vector<Flag>& all() { return flags_; }

 private:
  std::vector<Flag> flags_;
};

// Whether the flag stands alone ("--prefix") and takes a value only behind "=".
bool stands_alone(const FlagSet::Flag& flag);

// Reads `text` into the flag's target and marks it as given; INVALID_ARGUMENT that quotes `text` where it
// does not fit.
Status set_flag(FlagSet::Flag& flag, std::string_view text);

// "1m30s", "250ms", "0"; a bare number counts as seconds. nullopt for anything else, and for what overflows.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "1m30s", "2.07213ms", "5s", "0s".
std::string format_duration(std::chrono::nanoseconds duration);

// The whole of `text` as a decimal integer, with a sign.
std::optional<std::int64_t> parse_integer(std::string_view text);

// The one of `known` that `typed` most likely stood for: at most two typing errors away; empty if there is
// none.
std::string_view closest(std::string_view typed, const std::vector<std::string_view>& known);

}  // namespace minigrpc::cli
