// endpoint status, endpoint health, endpoint hashkv, version.
#include <chrono>
#include <memory>

#include "endpoints.h"
#include "etcd/api/maintenance.minigrpc.h"
#include "invocation.h"
#include "registry_call.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

// The oldest etcd whose command line this one is like.
constexpr std::string_view kApiVersion = "3.4";

int endpoint_status(Invocation& invocation, bool cluster, const Arguments&) {
  Result<std::vector<std::string>> endpoints = wanted_endpoints(invocation, cluster);
  if (!endpoints) return invocation.fail(endpoints.error());
  std::vector<EndpointStatus> list;
  int exit = 0;
  for (const std::string& endpoint : *endpoints) {
    const std::unique_ptr<etcd::Client> client = invocation.client_for(endpoint);
    Result<etcd::MemberStatusResponse> response = sync_wait(client->MemberStatus(client->endpoints().front()));
    if (response) {
      list.push_back({endpoint, *std::move(response)});
      continue;
    }
    invocation.err() << "Failed to get the status of endpoint " << endpoint << " ("
                     << response.error().message() << ")\n";
    exit = static_cast<int>(Exit::kError);
  }
  invocation.printer().endpoint_status(list);
  return exit;
}

// Healthy is who answers a linearizable read; "permission denied" is an answer.
Task<EndpointHealth> ask_health(Invocation& invocation, std::string endpoint) {
  const auto start = std::chrono::steady_clock::now();
  EndpointHealth health;
  health.endpoint = endpoint;
  const std::unique_ptr<etcd::Client> client = invocation.client_for(endpoint);
  etcd::RangeRequest request;
  request.keys = etcd::KeyRange::single("health");
  Task<Result<etcd::RangeResponse>> asking = client->Range(std::move(request));
  const Result<etcd::RangeResponse> response = co_await asking;
  health.took = std::chrono::steady_clock::now() - start;
  health.healthy = response.has_value() || response.error().code() == StatusCode::kPermissionDenied;
  if (!health.healthy) health.error = response.error().message();
  co_return health;
}

int endpoint_health(Invocation& invocation, bool cluster, const Arguments&) {
  Result<std::vector<std::string>> endpoints = wanted_endpoints(invocation, cluster);
  if (!endpoints) return invocation.fail(endpoints.error());
  std::vector<Task<EndpointHealth>> asking;
  for (const std::string& endpoint : *endpoints) asking.push_back(ask_health(invocation, endpoint));
  const std::vector<EndpointHealth> list = sync_wait(when_all(std::move(asking)));
  invocation.printer().endpoint_health(list);
  for (const EndpointHealth& entry : list)
    if (!entry.healthy) return invocation.fail(Exit::kError, "unhealthy cluster");
  return 0;
}

Result<EndpointHash> ask_hash(Invocation& invocation, const std::string& endpoint, std::int64_t revision) {
  using Maintenance = etcdserverpb::Maintenance::Client;
  etcdserverpb::HashKVRequest request;
  request.set_revision(revision);
  Result<etcdserverpb::HashKVResponse> response =
      RegistryCalls<Maintenance>(invocation, endpoint).ask(&Maintenance::HashKV, request);
  if (!response) return response.error();
  const etcdserverpb::ResponseHeader& header = response->header();
  return EndpointHash{endpoint,
                      {header.cluster_id(), header.member_id(), header.revision(), header.raft_term()},
                      response->hash(),
                      response->compact_revision()};
}

int endpoint_hashkv(Invocation& invocation, bool cluster, std::int64_t revision) {
  Result<std::vector<std::string>> endpoints = wanted_endpoints(invocation, cluster);
  if (!endpoints) return invocation.fail(endpoints.error());
  std::vector<EndpointHash> list;
  Status failure;
  for (const std::string& endpoint : *endpoints) {
    Result<EndpointHash> hash = ask_hash(invocation, endpoint, revision);
    if (hash) {
      list.push_back(*std::move(hash));
      continue;
    }
    failure = hash.error();
    invocation.err() << "Failed to get the hash of endpoint " << endpoint << " (" << failure.message()
                     << ")\n";
  }
  invocation.printer().endpoint_hashes(list);
  return failure.ok() ? 0 : invocation.fail(failure);
}

}  // namespace

Result<std::vector<std::string>> wanted_endpoints(Invocation& invocation, bool cluster) {
  if (!cluster) return invocation.globals().endpoints;
  Result<etcd::MemberListResponse> response = sync_wait(invocation.client().MemberList());
  if (!response)
    return Status(response.error().code(),
                  "failed to fetch endpoints from the cluster's member list: " + response.error().message(),
                  {}, response.error().origin());
  std::vector<std::string> endpoints;
  for (const etcd::Member& member : response->members)
    endpoints.insert(endpoints.end(), member.client_urls.begin(), member.client_urls.end());
  return endpoints;
}

Verb endpoint_status_verb() {
  auto cluster = std::make_shared<bool>(false);
  Verb verb{.path = "endpoint status", .arguments = "", .summary = "Tell the state of each endpoint"};
  verb.description =
      "Each line: endpoint, ID, version, size of the database, whether it is the leader, whether it is a "
      "learner, raft\n"
      "term, raft index, raft applied index, errors.";
  verb.examples = "minigrpc endpoint status -w table";
  verb.has_table = true;
  verb.flags.add("cluster", cluster.get(), "all members, not only --endpoints");
  verb.run = [cluster](Invocation& invocation, const Arguments& arguments) {
    return endpoint_status(invocation, *cluster, arguments);
  };
  return verb;
}

Verb endpoint_health_verb() {
  auto cluster = std::make_shared<bool>(false);
  Verb verb{.path = "endpoint health", .arguments = "", .summary = "Ask each endpoint whether it is healthy"};
  verb.description = "Exits with 1 unless all of them answer.";
  verb.examples = "minigrpc endpoint health";
  verb.has_table = true;
  verb.flags.add("cluster", cluster.get(), "all members, not only --endpoints");
  verb.run = [cluster](Invocation& invocation, const Arguments& arguments) {
    return endpoint_health(invocation, *cluster, arguments);
  };
  return verb;
}

Verb endpoint_hashkv_verb() {
  struct Flags {
    bool cluster = false;
    std::int64_t revision = 0;
  };
  auto flags = std::make_shared<Flags>();
  Verb verb{
      .path = "endpoint hashkv", .arguments = "", .summary = "Hash the history of keys at each endpoint"};
  verb.description = "Members with the same data have the same hash at the same revision.";
  verb.examples = "minigrpc endpoint hashkv --cluster -w table";
  verb.has_table = true;
  verb.flags.add("cluster", &flags->cluster, "all members, not only --endpoints");
  verb.flags.add("rev", &flags->revision, "the history up to that revision; 0: all of it");
  verb.run = [flags](Invocation& invocation, const Arguments&) {
    return endpoint_hashkv(invocation, flags->cluster, flags->revision);
  };
  return verb;
}

Verb version_verb() {
  Verb verb{.path = "version", .arguments = "", .summary = "Print the version of minigrpc"};
  verb.examples = "minigrpc version";
  verb.has_table = true;
  verb.run = [](Invocation& invocation, const Arguments&) {
    invocation.out() << "minigrpc version: " << MINIGRPC_VERSION << "\nAPI version: " << kApiVersion << "\n";
    return 0;
  };
  return verb;
}

}  // namespace minigrpc::cli
