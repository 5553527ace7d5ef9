// completion bash, zsh, fish.
#include "completion.h"
#include "invocation.h"
#include "verbs.h"

namespace minigrpc::cli {

std::vector<Verb> completion_verbs(const std::vector<Verb>& all, const FlagSet& globals) {
  struct Shell {
    std::string name;
    std::string (*script)(const std::vector<Verb>&, const FlagSet&);
    std::string example;
  };
  std::vector<Verb> verbs;
  for (const Shell& shell : {Shell{"bash", bash_completion, "source <(minigrpc completion bash)"},
                             Shell{"zsh", zsh_completion, "source <(minigrpc completion zsh)"},
                             Shell{"fish", fish_completion, "minigrpc completion fish | source"}}) {
    Verb verb{.path = "completion " + shell.name,
              .arguments = "",
              .summary = "Print what makes " + shell.name + " complete commands and flags"};
    verb.examples = shell.example;
    verb.run = [&all, &globals, script = shell.script](Invocation& invocation, const Arguments&) {
      invocation.out() << script(all, globals);
      return 0;
    };
    verbs.push_back(std::move(verb));
  }
  return verbs;
}

}  // namespace minigrpc::cli
