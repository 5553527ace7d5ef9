#include "completion.h"

#include <algorithm>
#include <map>

namespace minigrpc::cli {

namespace {

// "" → the first words of all commands; "lease" → the words that may follow it.
using Continuations = std::map<std::string, std::vector<std::string>>;

Continuations continuations(const std::vector<Verb>& verbs) {
  Continuations next;
  for (const Verb& verb : verbs) {
    const std::size_t space = verb.path.find(' ');
    std::vector<std::string>& first = next[""];
    const std::string word = verb.path.substr(0, space);
    if (std::ranges::find(first, word) == first.end()) first.push_back(word);
    if (space != std::string::npos) next[word].push_back(verb.path.substr(space + 1));
  }
  return next;
}

std::string flag_words(const FlagSet& flags) {
  std::string words;
  for (const FlagSet::Flag& flag : flags.all()) words += " --" + flag.name;
  return words;
}

std::string words_of(const std::vector<std::string>& list) {
  std::string words;
  for (const std::string& word : list) words += " " + word;
  return words;
}

// `case` arms that set `next` to what may stand behind the words in `path`. sh, bash and zsh read it alike.
std::string cases(const std::vector<Verb>& verbs, const FlagSet& globals) {
  std::string text;
  for (const auto& [path, words] : continuations(verbs))
    text += "    '" + path + "') next='" + words_of(words).substr(1) + "'; flags='" +
            flag_words(globals).substr(1) + " --help' ;;\n";
  for (const Verb& verb : verbs)
    text += "    '" + verb.path + "') next=''; flags='" +
            (flag_words(verb.flags) + flag_words(globals)).substr(1) + " --help' ;;\n";
  return text;
}

// A word lengthens the path where the path goes on with it.
std::string walk(std::string_view words) {
  return "  for word in " + std::string(words) +
         "; do\n"
         "    case $word in -*) continue ;; esac\n"
         "    _minigrpc_at \"$where\"\n"
         "    case \" $next \" in *\" $word \"*) where=\"${where:+$where }$word\" ;; esac\n"
         "  done\n"
         "  _minigrpc_at \"$where\"\n";
}

std::string table(const std::vector<Verb>& verbs, const FlagSet& globals) {
  return "_minigrpc_at() {\n  next=''\n  flags=''\n  case $1 in\n" + cases(verbs, globals) + "  esac\n}\n";
}

}  // namespace

std::string bash_completion(const std::vector<Verb>& verbs, const FlagSet& globals) {
  return "# bash completion of minigrpc: source <(minigrpc completion bash)\n" + table(verbs, globals) +
         "_minigrpc() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} where='' word next flags\n" +
         walk("\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"") +
         "  case $current in\n"
         "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$current\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$next\" -- \"$current\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o default -F _minigrpc minigrpc\n";
}

std::string zsh_completion(const std::vector<Verb>& verbs, const FlagSet& globals) {
  return "#compdef minigrpc\n# zsh completion of minigrpc: source <(minigrpc completion zsh)\n" +
         table(verbs, globals) +
         "_minigrpc() {\n"
         "  local current=\"${words[CURRENT]}\" where='' word next flags\n" +
         walk("\"${(@)words[2,CURRENT-1]}\"") +
         "  case $current in\n"
         "    -*) compadd -- ${=flags} ;;\n"
         "    *) if [ -n \"$next\" ]; then compadd -- ${=next}; else _files; fi ;;\n"
         "  esac\n"
         "}\n"
         "compdef _minigrpc minigrpc\n";
}

std::string fish_completion(const std::vector<Verb>& verbs, const FlagSet& globals) {
  std::string text = "# fish completion of minigrpc: minigrpc completion fish | source\n";
  const auto add_flags = [&text](const FlagSet& flags, const std::string& condition) {
    for (const FlagSet::Flag& flag : flags.all())
      text += "complete -c minigrpc" + condition + " -l " + flag.name + "\n";
  };
  add_flags(globals, "");
  for (const auto& [path, words] : continuations(verbs)) {
    const std::string condition =
        path.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + path;
    text += "complete -c minigrpc -n '" + condition + "' -a '" + words_of(words).substr(1) + "'\n";
  }
  for (const Verb& verb : verbs)
    add_flags(verb.flags,
              " -n '__fish_seen_subcommand_from " + verb.path.substr(verb.path.rfind(' ') + 1) + "'");
  return text;
}

}  // namespace minigrpc::cli
