#include <atomic>
#include <cstdlib>
#include <memory>

#include "child_process.h"
#include "command_line.h"
#include "invocation.h"
#include "text.h"
#include "txn_text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

struct WatchFlags {
  std::int64_t rev = 0;
  bool prefix = false;
  bool prev_kv = false;
  bool progress_notify = false;

  void add_to(FlagSet& flags) {
    flags.add("prefix", &prefix, "every key that begins with the given one");
    flags.add("prev-kv", &prev_kv, "print also what was there before each change");
    flags.add("progress-notify", &progress_notify, "print the server's own notes of how far it is");
    flags.add("rev", &rev, "begin at that revision; 0: now");
  }
};

struct WatchRequest {
  etcd::WatchOptions options;
  std::vector<std::string> command;  // to run for each event; empty: none
  bool progress_notify = false;
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
  request.progress_notify = flags.progress_notify;
  return request;
}

// Runs the command for one event; 0, or what to exit with.
Task<int> run_command(Invocation& invocation, const std::vector<std::string>& command,
                      const etcd::ResponseHeader& header, const etcd::WatchEvent& event) {
  const bool is_put = event.type == etcd::EventType::kPut;
  const Variables variables{{"ETCD_WATCH_REVISION", std::to_string(header.revision)},
                            {"ETCD_WATCH_EVENT_TYPE", is_put ? "\"PUT\"" : "\"DELETE\""},
                            {"ETCD_WATCH_KEY", go_quoted(event.kv.key)},
                            {"ETCD_WATCH_VALUE", go_quoted(event.kv.value)}};
  Result<ChildProcess> child = ChildProcess::start(command, variables);
  if (!child) co_return invocation.fail(Exit::kError, child.error().message());
  ChildProcess process = *child;
  Task<int> waiting = invocation.runtime().blocking([process]() mutable { return process.wait(); });
  const int status = co_await waiting;
  if (status == 0) co_return 0;
  invocation.err() << "command " << joined(command, " ") << " ended with exit status " << status << "\n";
  co_return static_cast<int>(Exit::kError);
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

void print_progress(Invocation& invocation, const etcd::WatchUpdate& update) {
  invocation.out() << "progress notify: " << update.header.revision << "\n";
  invocation.printer().watch({.header = update.header, .events = {}});
  invocation.out().flush();
}

// Prints what happens until the watch fails or is closed; what to exit with. `progress_count` is how many answers to
// request_progress() are still to be printed.
Task<int> follow(Invocation& invocation, etcd::Watcher& watcher, const WatchRequest& request,
                 std::atomic<int>& progress_count) {
  while (true) {
    Task<Result<etcd::WatchUpdate>> waiting = watcher.next();
    const Result<etcd::WatchUpdate> update = co_await waiting;
    if (!update && update.error().code() == StatusCode::kCancelled && update.error().origin() == StatusOrigin::kLocal)
      co_return 0;  // closed
    if (!update) co_return invocation.fail(update.error(), Exit::kInterrupted);
    switch (update->kind) {
      case etcd::WatchUpdate::Kind::kProgress:
        if (request.progress_notify || progress_count > 0) print_progress(invocation, *update);
        if (progress_count > 0) --progress_count;
        break;
      case etcd::WatchUpdate::Kind::kResynchronise:
        co_return watch_lost(invocation, *update);
      case etcd::WatchUpdate::Kind::kEvents:
        invocation.printer().watch({.header = update->header, .events = update->events});
        invocation.out().flush();
        if (request.command.empty()) break;
        for (const etcd::WatchEvent& event : update->events) {
          Task<int> running = run_command(invocation, request.command, update->header, event);
          if (const int exit = co_await running; exit != 0) co_return exit;
        }
    }
  }
}

int watch(Invocation& invocation, const WatchFlags& flags, const Arguments& arguments) {
  Result<WatchRequest> request = parse(flags, arguments);
  if (!request) return invocation.fail(Exit::kBadArguments, request.error().message());
  warn_if_unreachable(invocation, request->options.keys);
  etcd::Watcher watcher(invocation.client(), request->options);
  std::atomic<int> none = 0;
  return sync_wait(follow(invocation, watcher, *request, none));
}

// ---- watch -i: each line of the standard input begins a watch, or asks the watches how far they are ----

// One of several watches. Its task runs on the scope's loop, one at a time with the others'.
struct InteractiveWatch {
  InteractiveWatch(const etcd::Client& client, WatchRequest wanted)
      : request(std::move(wanted)), watcher(client, request.options) {}
  const WatchRequest request;
  etcd::Watcher watcher;
  std::atomic<int> progress_count = 0;
};

// A watch that fails ends the command, as in etcdctl.
Task<void> follow_or_exit(Invocation& invocation, std::shared_ptr<InteractiveWatch> watch) {
  Task<int> following = follow(invocation, watch->watcher, watch->request, watch->progress_count);
  const int exit = co_await following;
  if (exit == 0) co_return;
  invocation.out().flush();
  std::_Exit(exit);
}

Result<WatchRequest> parse_line(const std::vector<std::string>& words) {
  WatchFlags flags;
  std::vector<Verb> verbs(1);
  verbs[0].path = "watch";
  flags.add_to(verbs[0].flags);
  FlagSet globals;
  Result<CommandLine> line = parse_command_line(verbs, globals, words);
  if (!line) return line.error();
  return parse(flags, line->arguments);
}

int watch_interactively(Invocation& invocation) {
  std::vector<std::shared_ptr<InteractiveWatch>> watches;
  TaskScope scope(invocation.runtime());
  // Reading and complaining would flush the output, which the watches write on another thread.
  invocation.in().tie(nullptr);
  invocation.err().tie(nullptr);
  std::string line;
  while (std::getline(invocation.in(), line)) {
    const Result<std::vector<std::string>> words = split_words(line);
    const std::string verb = words && !words->empty() ? words->front() : "";
    if (verb == "progress") {
      for (const auto& watch : watches) {
        ++watch->progress_count;
        watch->watcher.request_progress();
      }
      continue;
    }
    if (verb != "watch") {
      invocation.err() << "Invalid command: " << line << " (watch and progress supported)" << std::endl;
      continue;
    }
    Result<WatchRequest> request = parse_line(*words);
    if (!request) {
      invocation.err() << "Invalid command " << line << " (" << request.error().message() << ")" << std::endl;
      continue;
    }
    watches.push_back(std::make_shared<InteractiveWatch>(invocation.client(), *request));
    scope.spawn(follow_or_exit(invocation, watches.back()));
  }
  for (const auto& watch : watches) watch->watcher.close();
  return invocation.fail(Exit::kInvalidInput, "error reading watch request line: EOF");
}

}  // namespace

Verb watch_verb() {
  struct Flags {
    WatchFlags watch;
    bool interactive = false;
  };
  auto flags = std::make_shared<Flags>();
  Verb verb{.path = "watch",
            .arguments = "<key> [range_end] [-- command arg1 arg2 ...]",
            .summary = "Print the changes of a key, or of a range of keys, as they happen"};
  verb.description =
      "Goes on until Ctrl-C, over restarts of the registry. With a command it runs that for each change; the "
      "command sees\n"
      "ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and ETCD_WATCH_VALUE, the last three "
      "quoted. With -i\n"
      "each line of the standard input begins a watch, \"watch KEY --prefix\", or asks how far they are, \"progress\".";
  verb.examples =
      "minigrpc watch greeting\n"
      "minigrpc watch --prefix ProdService/           instances that come and go\n"
      "minigrpc watch greeting --rev 1                from the beginning of its history\n"
      "minigrpc watch greeting -- sh -c 'echo $ETCD_WATCH_VALUE'";
  flags->watch.add_to(verb.flags);
  verb.flags.add("interactive", &flags->interactive, "read what to watch from the standard input", 'i');
  verb.has_protobuf = true;
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return flags->interactive ? watch_interactively(invocation) : watch(invocation, flags->watch, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
