#include "command_line.h"

#include <algorithm>
#include <cctype>

namespace minigrpc::cli {

namespace {

Status usage_error(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

class Parser {
 public:
  Parser(std::vector<Verb>& verbs, FlagSet& globals, std::span<const std::string> words)
      : verbs_(verbs), globals_(globals), words_(words) {}

  Result<CommandLine> parse() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      Status status = line_.arguments.words_before_dashes ? take_argument(word) : take(word);
      if (!status.ok()) return status;
    }
    if (line_.verb == nullptr) line_.group = path_;
    return std::move(line_);
  }

 private:
  Status take(const std::string& word) {
    if (word == "--") return line_.arguments.words_before_dashes = line_.arguments.words.size(), Status();
    if (word.starts_with("--")) return take_long(std::string_view(word).substr(2));
    if (word.size() > 1 && word[0] == '-') return take_letters(std::string_view(word).substr(1));
    return take_argument(word);
  }

  Status take_argument(const std::string& word) {
    if (line_.verb != nullptr) return line_.arguments.words.push_back(word), Status();
    if (path_.empty() && word == "help") return line_.help = true, Status();
    const std::string path = path_.empty() ? word : path_ + " " + word;
    const auto verb = std::ranges::find(verbs_, path, &Verb::path);
    if (verb != verbs_.end()) return line_.verb = &*verb, Status();
    const bool is_group =
        std::ranges::any_of(verbs_, [&](const Verb& known) { return known.path.starts_with(path + " "); });
    if (is_group) return path_ = path, Status();
    return unknown_verb(word);
  }

  Status unknown_verb(const std::string& word) {
    const std::size_t skip = path_.empty() ? 0 : path_.size() + 1;
    std::vector<std::string_view> known;
    for (const Verb& verb : verbs_) {
      if (!path_.empty() && !verb.path.starts_with(path_ + " ")) continue;
      const std::string_view rest = std::string_view(verb.path).substr(skip);
      known.push_back(rest.substr(0, rest.find(' ')));
    }
    const std::string program = path_.empty() ? "minigrpc" : "minigrpc " + path_;
    std::string message = "unknown command \"" + word + "\" for \"" + program + "\"";
    if (const std::string_view meant = closest(word, known); !meant.empty())
      message += "\n\nDid you mean this?\n\t" + std::string(meant) + "\n";
    return usage_error(message + "\nRun '" + program + " --help' for usage.");
  }

  Status unknown_flag(const std::string& spelled, std::string_view name) {
    std::vector<std::string_view> known{"help"};
    for (const FlagSet::Flag& flag : globals_.all()) known.push_back(flag.name);
    if (line_.verb != nullptr)
      for (const FlagSet::Flag& flag : line_.verb->flags.all()) known.push_back(flag.name);
    std::string message = "unknown flag: " + spelled;
    if (const std::string_view meant = closest(name, known); !meant.empty())
      message += "\n\nDid you mean this?\n\t--" + std::string(meant) + "\n";
    const std::string program = line_.verb == nullptr ? "minigrpc" : "minigrpc " + line_.verb->path;
    return usage_error(message + "\nRun '" + program + " --help' for usage.");
  }

  Status take_long(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    FlagSet::Flag* flag = line_.verb != nullptr ? line_.verb->flags.find(name) : nullptr;
    if (flag == nullptr) flag = globals_.find(name);
    if (flag == nullptr && name == "help") return line_.help = true, Status();
    if (flag == nullptr) return unknown_flag("--" + std::string(name), name);
    if (equals != std::string_view::npos) return set_flag(*flag, text.substr(equals + 1));
    return set_without_equals(*flag, "--" + std::string(name));
  }

  // "-iw json": letters that stand alone, and at most one at the end that takes a value.
  Status take_letters(std::string_view letters) {
    for (; !letters.empty(); letters.remove_prefix(1)) {
      FlagSet::Flag* flag = line_.verb != nullptr ? line_.verb->flags.find_letter(letters[0]) : nullptr;
      if (flag == nullptr) flag = globals_.find_letter(letters[0]);
      if (flag == nullptr && letters[0] == 'h') {
        line_.help = true;
        continue;
      }
      const std::string spelled = std::string("-") + letters[0];
      if (flag == nullptr) return unknown_flag(spelled, letters);
      std::string_view rest = letters.substr(1);
      if (rest.starts_with('=')) return set_flag(*flag, rest.substr(1));
      if (!stands_alone(*flag))
        return rest.empty() ? set_without_equals(*flag, spelled) : set_flag(*flag, rest);
      if (Status status = set_flag(*flag, "true"); !status.ok()) return status;
    }
    return Status();
  }

  Status set_without_equals(FlagSet::Flag& flag, const std::string& spelled) {
    if (stands_alone(flag)) return set_flag(flag, "true");
    if (next_ == words_.size()) return usage_error("flag needs an argument: " + spelled);
    return set_flag(flag, words_[next_++]);
  }

  std::vector<Verb>& verbs_;
  FlagSet& globals_;
  std::span<const std::string> words_;
  std::size_t next_ = 0;
  std::string path_;  // the group so far
  CommandLine line_;
};

std::string heading(std::string_view text, HelpStyle style) {
  return style.bold_headings ? "\033[1m" + std::string(text) + "\033[0m\n" : std::string(text) + "\n";
}

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += "  " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

struct Row {
  std::string left;
  std::string right;
};

std::string aligned(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.left.size());
  std::string out;
  for (const Row& row : rows)
    out += "  " + row.left + std::string(width - row.left.size() + 3, ' ') + row.right + "\n";
  return out;
}

std::string placeholder(const FlagSet::Flag& flag) {
  struct Name {
    std::string_view operator()(bool*) const { return ""; }
    std::string_view operator()(std::int64_t*) const { return " N"; }
    std::string_view operator()(std::string*) const { return " TEXT"; }
    std::string_view operator()(std::chrono::nanoseconds*) const { return " TIME"; }
    std::string_view operator()(std::vector<std::string>*) const { return " TEXT"; }
    std::string_view operator()(const CommaList&) const { return " LIST"; }
  };
  return std::string(std::visit(Name{}, flag.target));
}

std::string flag_table(const FlagSet& flags) {
  std::vector<Row> rows;
  for (const FlagSet::Flag& flag : flags.all()) {
    const std::string letter = flag.letter != 0 ? std::string("-") + flag.letter + ", " : "    ";
    const bool tells = !flag.default_text.empty() && flag.default_text != "false" && flag.default_text != "0";
    rows.push_back({letter + "--" + flag.name + placeholder(flag),
                    flag.help + (tells ? " (default " + flag.default_text + ")" : "")});
  }
  return aligned(rows);
}

}  // namespace

Result<CommandLine> parse_command_line(std::vector<Verb>& verbs, FlagSet& globals,
                                       std::span<const std::string> words) {
  return Parser(verbs, globals, words).parse();
}

Status set_from_environment(FlagSet& globals, const std::function<const char*(const char*)>& variable) {
  for (FlagSet::Flag& flag : globals.all()) {
    if (flag.given) continue;
    std::string name = flag.name;
    for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (const char* prefix : {"MINIGRPC_", "ETCDCTL_"}) {
      const char* value = variable((prefix + name).c_str());
      if (value == nullptr) continue;
      const Status status = set_flag(flag, value);
      if (!status.ok()) return usage_error(prefix + name + " in the environment: " + status.message());
      break;
    }
  }
  return Status();
}

std::string help_for_all(const std::vector<Verb>& verbs, const FlagSet& globals, HelpStyle style) {
  std::vector<Row> rows;
  for (const Verb& verb : verbs) rows.push_back({verb.path, verb.summary});
  return "minigrpc: keys, leases and locks of a registry (minigrpcd or etcd), and calls to the services in "
         "it.\n\n" +
         heading("Usage", style) + "  minigrpc [flags] COMMAND [arguments]\n\n" + heading("Commands", style) +
         aligned(rows) + "\n" + heading("Flags", style) + flag_table(globals) +
         "\nFlags may stand anywhere, and in the environment: MINIGRPC_ENDPOINTS or ETCDCTL_ENDPOINTS for "
         "--endpoints.\n"
         "'minigrpc COMMAND --help' tells more about a command.\n";
}

std::string help_for_group(const std::vector<Verb>& verbs, std::string_view group, HelpStyle style) {
  std::vector<Row> rows;
  for (const Verb& verb : verbs)
    if (verb.path.starts_with(std::string(group) + " ")) rows.push_back({verb.path, verb.summary});
  return heading("Commands", style) + aligned(rows) + "\n'minigrpc " + std::string(group) +
         " COMMAND --help' tells more about one.\n";
}

std::string help_for(const Verb& verb, const FlagSet& globals, HelpStyle style) {
  std::string text = verb.summary + "\n\n" + heading("Usage", style) + "  minigrpc " + verb.path +
                     " [flags]" + (verb.arguments.empty() ? "" : " " + verb.arguments) + "\n\n";
  if (!verb.description.empty()) text += verb.description + "\n\n";
  if (!verb.examples.empty()) text += heading("Examples", style) + indented(verb.examples) + "\n";
  if (!verb.flags.all().empty()) text += heading("Flags", style) + flag_table(verb.flags) + "\n";
  return text + heading("Global flags", style) + flag_table(globals);
}

}  // namespace minigrpc::cli
