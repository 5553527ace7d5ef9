// The verbs of the command line: how they are found, what their flags are, and their help.
//
//   minigrpc --endpoints 10.0.0.1:2379 lease grant 60 -w json
//            └ global flags, anywhere   └ verb     └ arguments and flags, in any order
//
// Thread rule: one thread.
#pragma once

#include <minigrpc/status.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flags.h"

namespace minigrpc::cli {

// What a verb says of arguments that make no sense.
inline Status bad_arguments(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

class Invocation;

// What a verb was given besides flags.
struct Arguments {
  std::vector<std::string> words;
  // How many of the words stood before "--"; none where there was no "--".
  std::optional<std::size_t> words_before_dashes;

  std::size_t size() const { return words.size(); }
  const std::string& operator[](std::size_t index) const { return words[index]; }
};

struct Verb {
  std::string path;       // "get", "lease grant"
  std::string arguments;  // "<key> [range_end]"
  std::string summary;    // one line
  std::string description{};
  std::string examples{};  // lines of commands
  FlagSet flags{};
  bool has_table = false;  // whether `-w table` means something here
  bool has_protobuf = false;
  // Runs it; returns the exit status of the process.
  std::function<int(Invocation&, const Arguments&)> run{};
};

// What was asked for. `verb` is null where help for everything, or for a group of verbs, is wanted.
struct CommandLine {
  Verb* verb = nullptr;
  std::string group;  // "lease", where help for a group is wanted
  Arguments arguments;
  bool help = false;
};

// Finds the verb and sets the flags. `words` without the program's name. INVALID_ARGUMENT with a message for
// people, which names what was meant where that can be guessed.
Result<CommandLine> parse_command_line(std::vector<Verb>& verbs, FlagSet& globals,
                                       std::span<const std::string> words);

// Sets each of `globals` that was not given on the command line from MINIGRPC_NAME, or else ETCDCTL_NAME.
// `variable` returns null for one that is not set: std::getenv, in the program.
Status set_from_environment(FlagSet& globals, const std::function<const char*(const char*)>& variable);

struct HelpStyle {
  bool bold_headings = false;  // with ANSI escapes
};
std::string help_for_all(const std::vector<Verb>& verbs, const FlagSet& globals, HelpStyle style);
std::string help_for_group(const std::vector<Verb>& verbs, std::string_view group, HelpStyle style);
std::string help_for(const Verb& verb, const FlagSet& globals, HelpStyle style);

}  // namespace minigrpc::cli
