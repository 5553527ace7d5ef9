// lease grant, revoke, timetolive, list, keep-alive.
#include <memory>

#include "invocation.h"
#include "kv_requests.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

std::string lease_name(etcd::LeaseId id) { return hexadecimal(static_cast<std::uint64_t>(id), 16); }

// The lease that the only argument names; an empty optional when that failed, and `exit` is what to end with.
std::optional<etcd::LeaseId> lease_argument(Invocation& invocation, const Arguments& arguments,
                                            std::string_view complaint, int& exit) {
  if (arguments.size() != 1) {
    exit = invocation.fail(Exit::kBadArguments, complaint);
    return std::nullopt;
  }
  const std::optional<etcd::LeaseId> id = parse_lease_id(arguments[0]);
  if (!id)
    exit = invocation.fail(Exit::kBadArguments,
                           "bad lease ID arg \"" + arguments[0] + "\", expecting ID in Hex");
  return id;
}

int grant(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "lease grant command needs TTL argument");
  const std::optional<std::int64_t> ttl_s = parse_integer(arguments[0]);
  if (!ttl_s)
    return invocation.fail(Exit::kBadArguments, "bad TTL \"" + arguments[0] + "\", expecting seconds");
  etcd::LeaseGrantRequest request{.ttl_s = *ttl_s};
  Result<etcd::LeaseGrantResponse> response = sync_wait(invocation.client().LeaseGrant(std::move(request)));
  if (!response)
    return invocation.fail(Exit::kError,
                           "failed to grant lease (" + invocation.explain(response.error()) + ")");
  invocation.printer().lease_granted(*response);
  return 0;
}

int revoke(Invocation& invocation, const Arguments& arguments) {
  int exit = 0;
  const auto id = lease_argument(invocation, arguments, "lease revoke command needs 1 argument", exit);
  if (!id) return exit;
  Result<etcd::LeaseRevokeResponse> response = sync_wait(invocation.client().LeaseRevoke(*id));
  if (!response)
    return invocation.fail(Exit::kError,
                           "failed to revoke lease (" + invocation.explain(response.error()) + ")");
  invocation.printer().lease_revoked(*id, *response);
  return 0;
}

int time_to_live(Invocation& invocation, bool keys, const Arguments& arguments) {
  int exit = 0;
  const auto id =
      lease_argument(invocation, arguments, "lease timetolive command needs lease ID as argument", exit);
  if (!id) return exit;
  etcd::LeaseTimeToLiveRequest request{.id = *id, .keys = keys};
  Result<etcd::LeaseTimeToLiveResponse> response =
      sync_wait(invocation.client().LeaseTimeToLive(std::move(request)));
  if (!response) return invocation.fail(response.error(), Exit::kBadConnection);
  invocation.printer().lease_time_to_live(*response, keys);
  return 0;
}

int list_leases(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 0) return invocation.fail(Exit::kBadArguments, "lease list takes no argument");
  Result<etcd::LeaseLeasesResponse> response = sync_wait(invocation.client().LeaseLeases());
  if (!response)
    return invocation.fail(Exit::kError,
                           "failed to list leases (" + invocation.explain(response.error()) + ")");
  invocation.printer().leases(*response);
  return 0;
}

// Renews until the lease is lost.
Task<Status> keep(Invocation& invocation, const etcd::LeaseKeepAliveResponse first) {
  const auto print = [&invocation](const etcd::LeaseKeepAliveResponse& answer) {
    if (answer.ttl_s <= 0) return;  // lost() tells
    invocation.printer().lease_kept_alive(answer);
    invocation.out().flush();
  };
  etcd::LeaseGrantResponse lease{.header = first.header, .id = first.id, .ttl_s = first.ttl_s};
  etcd::LeaseKeeper keeper(invocation.client(), std::move(lease), {.on_answer = print});
  co_return co_await keeper.lost();
}

int keep_alive(Invocation& invocation, bool once, const Arguments& arguments) {
  int exit = 0;
  const auto id =
      lease_argument(invocation, arguments, "lease keep-alive command needs lease ID as argument", exit);
  if (!id) return exit;
  Result<etcd::LeaseKeepAliveResponse> response = sync_wait(invocation.client().LeaseKeepAlive(*id));
  if (!response) return invocation.fail(response.error(), Exit::kBadConnection);
  const bool alive = response->ttl_s > 0;
  if (alive) {
    invocation.printer().lease_kept_alive(*response);
    invocation.out().flush();
  } else if (once) {
    return invocation.fail(Exit::kBadConnection, "etcdserver: requested lease not found");
  }
  if (once) return 0;
  if (alive) {
    const Status lost = sync_wait(keep(invocation, *response));
    if (lost.code() != StatusCode::kNotFound) invocation.err() << invocation.explain(lost) << "\n";
  }
  invocation.out() << "lease " << lease_name(*id) << " expired or revoked.\n";
  return 0;
}

}  // namespace

Verb lease_grant_verb() {
  Verb verb{.path = "lease grant",
            .arguments = "<ttl>",
            .summary = "Create a lease that lives for so many seconds"};
  verb.description =
      "Keys put with the lease are deleted when it ends: it expires unless it is kept alive, or is revoked.";
  verb.examples =
      "minigrpc lease grant 60\n"
      "minigrpc lease grant 60 -w json";
  verb.has_protobuf = true;
  verb.run = grant;
  return verb;
}

Verb lease_revoke_verb() {
  Verb verb{.path = "lease revoke", .arguments = "<leaseID>", .summary = "End a lease and delete its keys"};
  verb.examples = "minigrpc lease revoke 70cc8c2a8b2b3c05";
  verb.has_protobuf = true;
  verb.run = revoke;
  return verb;
}

Verb lease_time_to_live_verb() {
  auto keys = std::make_shared<bool>(false);
  Verb verb{
      .path = "lease timetolive", .arguments = "<leaseID>", .summary = "Tell how long a lease has left"};
  verb.examples = "minigrpc lease timetolive 70cc8c2a8b2b3c05 --keys";
  verb.flags.add("keys", keys.get(), "also the keys that are attached to it");
  verb.has_protobuf = true;
  verb.run = [keys](Invocation& invocation, const Arguments& arguments) {
    return time_to_live(invocation, *keys, arguments);
  };
  return verb;
}

Verb lease_list_verb() {
  Verb verb{.path = "lease list", .arguments = "", .summary = "List the leases that live"};
  verb.examples = "minigrpc lease list";
  verb.has_protobuf = true;
  verb.run = list_leases;
  return verb;
}

Verb lease_keep_alive_verb() {
  auto once = std::make_shared<bool>(false);
  Verb verb{
      .path = "lease keep-alive", .arguments = "<leaseID>", .summary = "Keep a lease alive until Ctrl-C"};
  verb.examples =
      "minigrpc lease keep-alive 70cc8c2a8b2b3c05\n"
      "minigrpc lease keep-alive --once 70cc8c2a8b2b3c05";
  verb.flags.add("once", once.get(), "renew it once and exit");
  verb.has_protobuf = true;
  verb.run = [once](Invocation& invocation, const Arguments& arguments) {
    return keep_alive(invocation, *once, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
