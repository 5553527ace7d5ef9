// minigrpc: the command line of minigrpc's registry and of the services in it.
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "command_line.h"
#include "invocation.h"
#include "verbs.h"

namespace {

using namespace minigrpc::cli;

std::vector<Verb> all_verbs() {
  std::vector<Verb> verbs;
  for (Verb (*make)() : {put_verb, get_verb, del_verb, watch_verb, txn_verb, lock_verb, elect_verb, lease_grant_verb,
                         lease_revoke_verb, lease_time_to_live_verb, lease_list_verb, lease_keep_alive_verb,
                         services_verb, call_verb, bench_verb, list_verb, describe_verb, channelz_verb, member_list_verb, member_add_verb, member_remove_verb, member_update_verb, member_promote_verb,
                         endpoint_status_verb,
                         endpoint_health_verb, endpoint_hashkv_verb, compaction_verb, snapshot_save_verb,
                         snapshot_status_verb, snapshot_restore_verb, alarm_list_verb, alarm_disarm_verb,
                         defrag_verb, move_leader_verb, make_mirror_verb, migrate_verb, check_perf_verb,
                         check_datascale_verb, version_verb})
    verbs.push_back(make());
  for (Verb& verb : auth_verbs()) verbs.push_back(std::move(verb));
  return verbs;
}

bool wants_colour() { return isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

int refuse(Exit exit, const std::string& message) {
  std::cerr << "Error: " << message << "\n";
  return static_cast<int>(exit);
}

// Before anything is done: a bad format must not leave half of a command behind.
int run(const Verb& verb, const Globals& globals, const Arguments& arguments) {
  const std::optional<OutputFormat> format = parse_output_format(globals.write_out);
  if (!format)
    return refuse(Exit::kBadFeature, "unsupported output format " + globals.write_out +
                                         "; there are simple, json, fields, table and protobuf");
  if (format == OutputFormat::kTable && !verb.has_table)
    return refuse(Exit::kBadFeature, "table not supported as output format");
  if (format == OutputFormat::kProtobuf && !verb.has_protobuf)
    return refuse(Exit::kBadFeature, "protobuf not supported as output format");
  if (const minigrpc::Status status = check(globals); !status.ok()) return refuse(Exit::kBadArguments, status.message());
  Invocation invocation(globals, {std::cin, std::cout, std::cerr});
  const int exit = verb.run(invocation, arguments);
  std::cout.flush();
  return exit;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  Globals globals;
  FlagSet global_flags;
  add_global_flags(global_flags, globals);
  std::vector<Verb> verbs = all_verbs();
  for (Verb& verb : completion_verbs(verbs, global_flags)) verbs.push_back(std::move(verb));
  const std::vector<std::string> words(argv + 1, argv + argc);

  const minigrpc::Result<CommandLine> line = parse_command_line(verbs, global_flags, words);
  if (!line) return refuse(Exit::kError, line.error().message());
  const HelpStyle style{.bold_headings = wants_colour()};
  if (line->verb == nullptr) {
    std::cout << (line->group.empty() ? help_for_all(verbs, global_flags, style)
                                      : help_for_group(verbs, line->group, style));
    return 0;
  }
  if (line->help) {
    std::cout << help_for(*line->verb, global_flags, style);
    return 0;
  }
  if (const minigrpc::Status status = set_from_environment(global_flags, std::getenv); !status.ok())
    return refuse(Exit::kBadArguments, status.message());
  if (globals.debug) std::cerr << describe(global_flags);
  return run(*line->verb, globals, line->arguments);
}
