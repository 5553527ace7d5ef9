// minigrpcd: the registry as a daemon.
#include <minigrpc/registry.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "flags.h"
#include "log_lines.h"
#include "registry/log.h"
#include "registry/member.h"
#include "snapshot/restore.h"
#include "systemd.h"

namespace minigrpcd {
namespace {

using minigrpc::Registry;
using minigrpc::Result;
using minigrpc::Runtime;
using minigrpc::Status;
using minigrpc::Task;
using minigrpc::TaskScope;
using minigrpc::registry::Log;
using minigrpc::registry::to_hex;

// How long calls in flight may take at the end.
constexpr std::chrono::seconds kGrace{5};

enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2 };

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

bool is_wildcard(const std::string& address) {
  return address.starts_with("0.0.0.0:") || address.starts_with("[::]:");
}

void log_banner(const Log& log, const Flags& flags, const Registry& registry) {
  log.info("minigrpcd " MINIGRPC_VERSION ", the etcd v3 API on a single member",
           {{"api", std::string(minigrpc::registry::kApiVersion)}});
  log.info("name = " + flags.registry.name);
  log.info("data dir = " + (flags.registry.data_dir.empty() ? "none: in memory" : flags.registry.data_dir));
  log.info("listening for clients on " + joined(registry.addresses()));
  log.info("advertise client URLs = " + (flags.registry.advertise_client_urls.empty()
                                             ? "the same"
                                             : joined(flags.registry.advertise_client_urls)));
  log.info("cluster id = " + to_hex(registry.cluster_id()) + ", member id = " + to_hex(registry.member_id()));
  log.info("revision = " + std::to_string(registry.revision()));
  if (!flags.without_effect.empty())
    log.info("without effect on a single member: " + joined(flags.without_effect));
  if (flags.registry.advertise_client_urls.empty() &&
      std::ranges::any_of(registry.addresses(), [](const std::string& address) { return is_wildcard(address); }))
    log.warn("clients on other machines need --advertise-client-urls with an address that they can reach");
}

// Tells the service manager that the writer works and the disk takes writes; silence has it restart the process.
Task<void> feed_watchdog(Runtime& runtime, Registry& registry, Systemd manager) {
  const auto period = *manager.watchdog() / 2;
  for (;;) {
    Task<Status> checking = registry.check();
    const Status status = co_await checking;
    if (status.ok()) manager.alive();
    Task<bool> sleeping = runtime.sleep_for(period);
    const bool elapsed = co_await sleeping;
    if (!elapsed) co_return;
  }
}

// A second Ctrl-C does not wait for anybody. What was acknowledged is on disk.
Task<void> leave_at_second_signal(Runtime& runtime) {
  Task<int> waiting = runtime.wait_for_signal({SIGINT, SIGTERM});
  const int signal = co_await waiting;
  if (signal != 0) std::_Exit(128 + signal);
}

// Fills the data directory from the snapshot that was asked for.
Status restore(const Flags& flags, const Log& log) {
  minigrpc::snapshot::RestoreOptions options{.snapshot = flags.restore, .data_dir = flags.registry.data_dir};
  if (flags.skip_hash_check) options.hash_check = minigrpc::snapshot::HashCheck::kSkip;
  options.identity = {.cluster_id = minigrpc::registry::random_id(), .member_id = minigrpc::registry::random_id()};
  options.bump_revision = flags.bump_revision;
  const Result<minigrpc::snapshot::Restored> restored = minigrpc::snapshot::restore(options);
  if (!restored) return restored.error();
  log.info("restored a snapshot", {{"file", flags.restore},
                                   {"revision", std::to_string(restored->revision)},
                                   {"compacted", std::to_string(restored->compact_revision)},
                                   {"changes", std::to_string(restored->changes)},
                                   {"leases", std::to_string(restored->leases)}});
  return Status();
}

int serve(Flags flags) {
  const Log log(log_lines(flags.log_level));
  flags.registry.log = log_lines(flags.log_level);
  if (!flags.restore.empty()) {
    if (const Status status = restore(flags, log); !status.ok()) {
      log.error(status.message());
      return kFailed;
    }
  }
  for (const std::string& warning : flags.warnings) log.warn(warning);
  if (flags.serves_tls) {
    flags.tls.on_reload = [&log](const Status& status) {
      if (status.ok())
        log.info("read the renewed certificates");
      else
        log.error("the changed certificates cannot be used, the ones before stay", {{"why", status.message()}});
    };
    flags.registry.credentials = minigrpc::ServerCredentials::tls(flags.tls);
  }
  const Systemd manager = Systemd::from_environment();
  Runtime runtime;
  Result<std::unique_ptr<Registry>> registry = Registry::start(runtime, flags.registry);
  if (!registry) {
    log.error(registry.error().message());
    return kFailed;
  }
  log_banner(log, flags, **registry);

  TaskScope background(runtime);
  if (manager.watchdog()) background.spawn(feed_watchdog(runtime, **registry, manager));
  log.info("ready to serve client requests");
  manager.ready();

  const int signal = sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
  log.info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  manager.stopping();
  TaskScope impatience(runtime);
  impatience.spawn(leave_at_second_signal(runtime));
  sync_wait(background.stop());
  sync_wait((*registry)->shutdown(kGrace));
  const std::int64_t revision = (*registry)->revision();
  registry->reset();
  log.info("stopped", {{"revision", std::to_string(revision)}});
  return kOk;
}

// What a damaged file or disk does to a program that maps it: there is nothing to go on with, but something
// to say.
void say_that_the_database_cannot_be_read(int) {
  constexpr std::string_view text =
      "minigrpcd: the database cannot be read: the disk failed, or the file was cut or is damaged (or this "
      "is a bug). Check "
      "the disk, then start again; if that does not help, start from a snapshot in another directory "
      "(--restore)\n";
  // The process ends of the same signal once this returns.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

void prepare_for_bad_disks() {
  // A file that may not grow is an error of the write, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  struct sigaction action {};
  action.sa_handler = say_that_the_database_cannot_be_read;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  // A page that the disk does not give; a size in a damaged page that leads out of the map.
  for (const int signal : {SIGBUS, SIGSEGV}) {
    struct sigaction before {};
    const bool is_free = ::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL;
    if (is_free) ::sigaction(signal, &action, nullptr);
  }
}

std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

int run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  Result<Flags> flags = parse_flags(arguments, from_environment);
  if (!flags) {
    std::cerr << "minigrpcd: " << flags.error().message() << '\n';
    return kUsage;
  }
  if (flags->help) {
    std::cout << help_text();
    return kOk;
  }
  if (flags->version) {
    std::cout << "minigrpcd Version: " MINIGRPC_VERSION "\netcd API: " << minigrpc::registry::kApiVersion << '\n';
    return kOk;
  }
  prepare_for_bad_disks();
  return serve(*std::move(flags));
}

}  // namespace
}  // namespace minigrpcd

int main(int argc, char** argv) { return minigrpcd::run(argc, argv); }
