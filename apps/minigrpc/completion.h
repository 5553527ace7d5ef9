// The scripts by which a shell completes our commands and flags.
//
// Pure functions. Thread rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "command_line.h"

namespace minigrpc::cli {

std::string bash_completion(const std::vector<Verb>& verbs, const FlagSet& globals);
std::string zsh_completion(const std::vector<Verb>& verbs, const FlagSet& globals);
std::string fish_completion(const std::vector<Verb>& verbs, const FlagSet& globals);

}  // namespace minigrpc::cli
