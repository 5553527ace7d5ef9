#include <cstdlib>
#include <memory>

#include "child_process.h"
#include "command_line.h"
#include "invocation.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

struct WatchFlags {
  std::int64_t rev = 0;
  bool prefix = false;
  bool prev_kv = false;
};

struct WatchRequest {
  etcd::WatchOptions options;
  std::vector<std::string> command;  // to run for each event; empty: none
};

// The key from the arguments before "--", or from ETCDCTL_WATCH_KEY, which leaves all of them to the command.
Result<WatchRequest> parse(const WatchFlags& flags, const Arguments& arguments) {
  std::size_t before = arguments.words_before_dashes.value_or(arguments.size());
  std::vector<std::string> keys(arguments.words.begin(),
                                arguments.words.begin() + static_cast<std::ptrdiff_t>(before));
  if (const char* key = std::getenv("ETCDCTL_WATCH_KEY"); key != nullptr && keys.empty()) {
    keys.emplace_back(key);
    if (const char* end = std::getenv("ETCDCTL_WATCH_RANGE_END"); end != nullptr) keys.emplace_back(end);
  }
  if (keys.empty() || keys.size() > 2)
    return bad_arguments(
        "bad number of arguments: watch takes a key and perhaps a range_end; a command stands behind --");
  if (keys.size() == 2 && flags.prefix)
    return bad_arguments("`range_end` and `--prefix` are mutually exclusive");

  WatchRequest request;
  request.command.assign(arguments.words.begin() + static_cast<std::ptrdiff_t>(before),
                         arguments.words.end());
  etcd::WatchOptions& options = request.options;
  if (flags.prefix)
    options.keys = etcd::KeyRange::prefix(keys[0]);
  else if (keys.size() == 2)
    options.keys = {keys[0], keys[1]};
  else
    options.keys = etcd::KeyRange::single(keys[0]);
  options.start_revision = flags.rev;
  options.prev_kv = flags.prev_kv;
  return request;
}

// Runs the command for one event; 0, or what to exit with.
int run_command(Invocation& invocation, const std::vector<std::string>& command,
                const etcd::ResponseHeader& header, const etcd::WatchEvent& event) {
  const bool is_put = event.type == etcd::EventType::kPut;
  const Variables variables{{"ETCD_WATCH_REVISION", std::to_string(header.revision)},
                            {"ETCD_WATCH_EVENT_TYPE", is_put ? "\"PUT\"" : "\"DELETE\""},
                            {"ETCD_WATCH_KEY", go_quoted(event.kv.key)},
                            {"ETCD_WATCH_VALUE", go_quoted(event.kv.value)}};
  Result<ChildProcess> child = ChildProcess::start(command, variables);
  if (!child) return invocation.fail(Exit::kError, child.error().message());
  const int status = child->wait();
  if (status == 0) return 0;
  invocation.err() << "command " << joined(command, " ") << " ended with exit status " << status << "\n";
  return static_cast<int>(Exit::kError);
}

int watch_lost(Invocation& invocation, const etcd::WatchUpdate& update) {
  invocation.err() << "watch was canceled (" << update.reason.message() << ")\n";
  invocation.printer().watch(
      {.header = update.header, .events = {}, .canceled = true, .compact_revision = update.compact_revision});
  return invocation.fail(Exit::kInterrupted, "watch is canceled by the server");
}

// Says early when nobody is there; the watch waits for them all the same.
void warn_if_unreachable(Invocation& invocation, const etcd::KeyRange& keys) {
  etcd::RangeRequest probe;
  probe.keys = keys;
  probe.count_only = true;
  probe.serializable = true;
  const Result<etcd::RangeResponse> response = sync_wait(invocation.client().Range(std::move(probe)));
  if (response || response.error().origin() == StatusOrigin::kPeer) return;
  invocation.err() << "Waiting for the registry: " << invocation.explain(response.error()) << std::endl;
}

int watch(Invocation& invocation, const WatchFlags& flags, const Arguments& arguments) {
  Result<WatchRequest> request = parse(flags, arguments);
  if (!request) return invocation.fail(Exit::kBadArguments, request.error().message());
  warn_if_unreachable(invocation, request->options.keys);
  etcd::Watcher watcher(invocation.client(), request->options);
  while (true) {
    Result<etcd::WatchUpdate> update = sync_wait(watcher.next());
    if (!update) return invocation.fail(update.error(), Exit::kInterrupted);
    switch (update->kind) {
      case etcd::WatchUpdate::Kind::kProgress:
        break;
      case etcd::WatchUpdate::Kind::kResynchronise:
        return watch_lost(invocation, *update);
      case etcd::WatchUpdate::Kind::kEvents:
        invocation.printer().watch({.header = update->header, .events = update->events});
        invocation.out().flush();
        if (request->command.empty()) break;
        for (const etcd::WatchEvent& event : update->events)
          if (const int exit = run_command(invocation, request->command, update->header, event); exit != 0)
            return exit;
    }
  }
}

}  // namespace

Verb watch_verb() {
  auto flags = std::make_shared<WatchFlags>();
  Verb verb{.path = "watch",
            .arguments = "<key> [range_end] [-- command arg1 arg2 ...]",
            .summary = "Print the changes of a key, or of a range of keys, as they happen"};
  verb.description =
      "Goes on until Ctrl-C, over restarts of the registry. With a command it runs that for each change; the "
      "command sees\n"
      "ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and ETCD_WATCH_VALUE, the last three "
      "quoted.";
  verb.examples =
      "minigrpc watch greeting\n"
      "minigrpc watch --prefix ProdService/           instances that come and go\n"
      "minigrpc watch greeting --rev 1                from the beginning of its history\n"
      "minigrpc watch greeting -- sh -c 'echo $ETCD_WATCH_VALUE'";
  verb.flags.add("prefix", &flags->prefix, "every key that begins with the given one");
  verb.flags.add("prev-kv", &flags->prev_kv, "print also what was there before each change");
  verb.flags.add("rev", &flags->rev, "begin at that revision; 0: now");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return watch(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
