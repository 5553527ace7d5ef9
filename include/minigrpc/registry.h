// Registry: a durable, single-member server of the etcd v3 API, inside a program.
//
//   Runtime runtime;
//   Result<std::unique_ptr<Registry>> registry = Registry::start(runtime, {.data_dir = "/var/lib/shop"});
//   if (!registry) return complain(registry.error());
//   Channel found(runtime, "etcd://" + (*registry)->addresses().front() + "/ProdService");
//   …
//   sync_wait((*registry)->shutdown(5s));
//
// Without a data directory it is empty at the start and gone at the end: for tests.
//
// Thread rule: any thread; start() and the destructor must not run on an event loop.
#pragma once

#include <minigrpc/credentials.h>
#include <minigrpc/log.h>
#include <minigrpc/runtime.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minigrpc {

struct RegistryOptions {
  // The member's name in `member list`.
  std::string name = "default";
  // Created if it is not there, readable by its owner alone; empty: in memory. One process at a time.
  std::string data_dir{};
  // As Server::listen() takes them ("in-process:registry" included); port 0 chooses one. With "https://" or "unixs://" in
  // front: under `credentials`.
  std::vector<std::string> listen_addresses{"localhost:2379"};
  ServerCredentials credentials{};
  // Who shows no token is the user whom the common name of its client certificate names; by gRPC, not by the JSON gateway.
  bool client_cert_auth = false;
  // What `member list` tells clients, as URLs; empty: the listen addresses.
  std::vector<std::string> advertise_client_urls{};
  std::vector<std::string> advertise_peer_urls{};
  // false: a write is acknowledged before it is on disk. A crash of the process loses nothing, one of the machine may lose
  // or corrupt all: for tests.
  bool fsync = true;
  // Beyond it writes fail with etcd's "database space exceeded".
  std::size_t quota_bytes = std::size_t{2} << 30;
  std::size_t txn_ops_max = 128;
  // Of one request, in bytes; etcd's --max-request-bytes.
  std::size_t request_size_max = 1536 * 1024;
  // How often a watcher that asked for progress notifications hears one, when nothing else comes.
  std::chrono::milliseconds watch_progress_interval{600'000};
  // The JSON gateway of etcd, below /v3. Without it the port still serves /health, /metrics and /version.
  bool http_gateway = true;
  // Origins whose pages may ask by HTTP, and host names under which we answer it; "*": any.
  std::vector<std::string> cors{"*"};
  std::vector<std::string> host_whitelist{"*"};
  // After so many transactions a copy goes to data_dir/snapshots, an etcd snapshot; the newest five are kept. 0: none.
  std::int64_t snapshot_count = 0;
  // History is compacted by itself: what is older than this, or more than so many revisions back. 0: it is not.
  std::chrono::milliseconds compaction_retention{0};
  std::int64_t compaction_retention_revisions = 0;
  // Who has signed in shows a random word ("simple"), or a signed token:
  // "jwt,sign-method=RS256,priv-key=FILE,pub-key=FILE,ttl=5m".
  std::string auth_token = "simple";
  // Of simple tokens, counted from their last use.
  std::chrono::milliseconds auth_token_ttl{300'000};
  // Work for each password, 4 to 31: each step doubles it.
  int bcrypt_cost = 10;
  LogSink log{};
};

namespace registry {
class RegistryImpl;
}

class Registry {
 public:
  // Opens the data and listens. FAILED_PRECONDITION when another process has the data directory, UNAVAILABLE for a port
  // in use; the message says which, and what to do.
  static Result<std::unique_ptr<Registry>> start(Runtime& runtime, RegistryOptions options);
  // Ends what shutdown() has not.
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Where it listens, in the order of the options, with the ports that were chosen.
  const std::vector<std::string>& addresses() const;
  std::uint64_t cluster_id() const;
  std::uint64_t member_id() const;
  // That of the last write that was acknowledged.
  std::int64_t revision() const;

  // Whether it does its work: it has taken a request through its writer, and the disk takes writes. For a watchdog.
  Task<Status> check();

  // Ends the watch streams, takes no new call and lets the others finish for `grace`. The destructor closes the data.
  Task<void> shutdown(std::chrono::nanoseconds grace);

 private:
  explicit Registry(std::unique_ptr<registry::RegistryImpl> impl);
  std::unique_ptr<registry::RegistryImpl> impl_;
};

}  // namespace minigrpc
