// make-mirror and migrate: the keys of one registry at another.
#include <minigrpc/task.h>

#include <memory>

#include "interruption.h"
#include "invocation.h"
#include "mirror.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

constexpr std::chrono::seconds kReportPeriod{30};

// How the destination is reached: flags of the same meaning as the global ones, with a prefix.
struct DestinationFlags {
  std::string endpoints;
  std::string cacert;
  std::string cert;
  std::string key;
  std::string user;
  std::string password;
  bool insecure_transport = true;

  void add_to(FlagSet& flags, const std::string& prefix) {
    flags.add(prefix + "cacert", &cacert, "TLS to the destination: who signs its certificate");
    flags.add(prefix + "cert", &cert, "TLS to the destination: our own certificate");
    flags.add(prefix + "insecure-transport", &insecure_transport,
              "=false: TLS to a destination without a scheme");
    flags.add(prefix + "key", &key, "TLS to the destination: the key of our certificate");
    flags.add(prefix + "password", &password, "the password there");
    flags.add(prefix + "user", &user, "who you are there, NAME or NAME:PASSWORD");
  }

  Result<Globals> globals(const Globals& ours, const std::string& destination) const {
    Globals there = ours;
    FlagSet flags;
    flags.add("endpoints", CommaList{&there.endpoints}, "");
    if (Status status = set_flag(flags.all().front(), destination); !status.ok()) return status;
    there.cacert = cacert;
    there.cert = cert;
    there.key = key;
    there.user = user;
    there.password = password;
    there.insecure_transport = insecure_transport;
    there.insecure_skip_tls_verify = false;
    if (Status status = check(there); !status.ok())
      return Status(StatusCode::kInvalidArgument, "the destination: " + status.message());
    return there;
  }
};

struct MirrorFlags {
  DestinationFlags destination;
  std::string prefix;
  std::string dest_prefix;
  bool no_dest_prefix = false;
  std::int64_t rev = 0;
  std::int64_t txn_operation_count_max = 128;
};

// Says every while how far it is, as etcdctl does.
Task<void> report(Invocation& invocation, const Mirror& mirror) {
  while (true) {
    Task<bool> pausing = invocation.runtime().sleep_for(kReportPeriod);
    if (!co_await pausing) co_return;
    invocation.out() << mirror.change_count() << std::endl;
  }
}

Task<Status> copy_and_follow(Mirror& mirror, std::int64_t revision) {
  if (revision == 0) {
    Task<Status> copying = mirror.copy();
    if (Status status = co_await copying; !status.ok()) co_return status;
  }
  Task<Status> following = mirror.follow(revision == 0 ? 0 : revision - 1);
  co_return co_await following;
}

Task<int> run_mirror(Invocation& invocation, Mirror& mirror, std::int64_t revision) {
  Interruption interruption(invocation.runtime());
  TaskScope reporting(invocation.runtime());
  reporting.spawn(report(invocation, mirror));
  Task<Status> mirroring = interruption.run(copy_and_follow(mirror, revision));
  const Status ended = co_await mirroring;
  Task<void> stopping = reporting.stop();
  co_await stopping;
  if (interruption.signal() == 0) co_return invocation.fail(ended);
  invocation.out() << mirror.change_count() << "\n";
  co_return 0;
}

int make_mirror(Invocation& invocation, const MirrorFlags& flags, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "make-mirror takes one destination argument");
  if (flags.no_dest_prefix && !flags.dest_prefix.empty())
    return invocation.fail(
        Exit::kBadArguments,
        "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one");
  if (flags.txn_operation_count_max < 1)
    return invocation.fail(Exit::kBadArguments, "--max-txn-ops is at least 1");
  const Result<Globals> there = flags.destination.globals(invocation.globals(), arguments[0]);
  if (!there) return invocation.fail(Exit::kBadArguments, there.error().message());
  const std::unique_ptr<etcd::Client> to = invocation.client_of(*there);
  MirrorOptions options{.prefix = flags.prefix, .dest_prefix = flags.dest_prefix};
  if (options.dest_prefix.empty() && !flags.no_dest_prefix) options.dest_prefix = flags.prefix;
  options.txn_operation_count_max = flags.txn_operation_count_max;
  Mirror mirror(invocation.client(), *to, std::move(options));
  return sync_wait(run_mirror(invocation, mirror, flags.rev));
}

// ---- migrate ----

struct MigrateFlags {
  DestinationFlags destination;
  std::string from;
  std::string to;
  std::string prefix;
  bool follow = false;
  bool force = false;
};

Task<Status> require_empty(etcd::Client& to, std::string prefix) {
  etcd::RangeRequest request;
  request.keys = etcd::KeyRange::prefix(prefix);
  request.count_only = true;
  Task<Result<etcd::RangeResponse>> counting = to.Range(std::move(request));
  const Result<etcd::RangeResponse> there = co_await counting;
  if (!there) co_return there.error();
  if (there->count == 0) co_return Status();
  co_return Status(StatusCode::kFailedPrecondition,
                   "the destination has " + std::to_string(there->count) +
                       " keys there already, which would be mixed with those; --force does so all the same");
}

Task<Status> copy_to_empty(Mirror& mirror, etcd::Client& to, const MigrateFlags& flags) {
  if (!flags.force) {
    Task<Status> asking = require_empty(to, flags.prefix);
    if (Status status = co_await asking; !status.ok()) co_return status;
  }
  Task<Status> copying = mirror.copy();
  co_return co_await copying;
}

Task<int> run_migration(Invocation& invocation, Mirror& mirror, etcd::Client& to, const MigrateFlags& flags) {
  Interruption interruption(invocation.runtime());
  Task<Status> copying = interruption.run(copy_to_empty(mirror, to, flags));
  const Status copied = co_await copying;
  if (!copied.ok() && interruption.signal() != 0)
    co_return invocation.fail(Exit::kInterrupted, "interrupted; a part of the keys is at the destination");
  if (!copied.ok()) co_return invocation.fail(copied);
  invocation.out() << "copied " << mirror.change_count() << " keys as of revision " << mirror.revision()
                   << std::endl;
  if (!flags.follow) co_return 0;
  invocation.err() << "following what changes; move the clients, then Ctrl-C" << std::endl;
  Task<Status> following = interruption.run(mirror.follow());
  const Status ended = co_await following;
  if (interruption.signal() == 0) co_return invocation.fail(ended);
  invocation.out() << "followed up to revision " << mirror.revision() << ": " << mirror.change_count()
                   << " changes in all\n";
  co_return 0;
}

int migrate(Invocation& invocation, const MigrateFlags& flags, const Arguments& arguments) {
  if (arguments.size() != 0 || flags.to.empty())
    return invocation.fail(Exit::kBadArguments,
                           "migrate takes no arguments; write --to HOST:PORT, and --from or --endpoints");
  Globals source = invocation.globals();
  if (!flags.from.empty()) source.endpoints = {flags.from};
  if (const Status status = check(source); !status.ok())
    return invocation.fail(Exit::kBadArguments, "the source: " + status.message());
  const Result<Globals> there = flags.destination.globals(invocation.globals(), flags.to);
  if (!there) return invocation.fail(Exit::kBadArguments, there.error().message());
  const std::unique_ptr<etcd::Client> from = invocation.client_of(source);
  const std::unique_ptr<etcd::Client> to = invocation.client_of(*there);
  Mirror mirror(*from, *to, {.prefix = flags.prefix, .dest_prefix = flags.prefix, .with_leases = true});
  return sync_wait(run_migration(invocation, mirror, *to, flags));
}

}  // namespace

Verb make_mirror_verb() {
  auto flags = std::make_shared<MirrorFlags>();
  Verb verb{.path = "make-mirror",
            .arguments = "<destination>",
            .summary = "Copy keys to another registry, and go on with their changes"};
  verb.description =
      "Goes on until Ctrl-C, and prints every 30 s how many keys it put and deleted. Leases are not copied: "
      "migrate does.";
  verb.examples =
      "minigrpc make-mirror 10.0.0.2:2379\n"
      "minigrpc make-mirror --prefix shop/ --dest-prefix backup/shop/ 10.0.0.2:2379";
  flags->destination.add_to(verb.flags, "dest-");
  verb.flags.add("dest-prefix", &flags->dest_prefix, "what stands there in the place of --prefix");
  verb.flags.add("max-txn-ops", &flags->txn_operation_count_max,
                 "how many operations a transaction may have there");
  verb.flags.add("no-dest-prefix", &flags->no_dest_prefix, "drop --prefix there");
  verb.flags.add("prefix", &flags->prefix, "copy the keys that begin with this");
  verb.flags.add("rev", &flags->rev, "copy nothing, but begin with the changes of that revision");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return make_mirror(invocation, *flags, arguments);
  };
  return verb;
}

Verb migrate_verb() {
  auto flags = std::make_shared<MigrateFlags>();
  Verb verb{
      .path = "migrate", .arguments = "", .summary = "Copy a live registry, with its leases, to another one"};
  verb.description =
      "Copies every key as of one revision, with the leases under their numbers. With --follow it goes on "
      "with what\n"
      "changes, and keeps the leases alive there that are alive here, until Ctrl-C. Revisions begin anew at "
      "the destination;\n"
      "to keep them, and users and roles: snapshot save, snapshot restore.";
  verb.examples =
      "minigrpc migrate --from 10.0.0.1:2379 --to 10.0.0.2:2379\n"
      "minigrpc migrate --to 10.0.0.2:2379 --follow";
  verb.flags.add("follow", &flags->follow, "go on with what changes until Ctrl-C");
  verb.flags.add("force", &flags->force, "also where the destination has keys");
  verb.flags.add("from", &flags->from, "the registry to copy; --endpoints without it");
  verb.flags.add("prefix", &flags->prefix, "only the keys that begin with this");
  verb.flags.add("to", &flags->to, "where to copy to");
  flags->destination.add_to(verb.flags, "to-");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return migrate(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
