// Registration and discovery: how services find each other in an etcd-compatible registry.
//
//   discovery::install(runtime);                                              // consumers
//   Channel channel(runtime, "etcd://127.0.0.1:2379/ProdService");
//
//   discovery::Announcer announcer(runtime, {.registry = "127.0.0.1:2379",    // providers, once they listen
//                                            .services = {"ProdService"}, .address = "10.0.0.1:5051"});
//   co_await announcer.leave(server);
//
// The format is that of etcd's own Go naming: key `<service>/<host:port>`, value
// `{"Op":0,"Addr":…,"Metadata":{…}}`.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/etcd.h>
#include <minigrpc/resolver.h>
#include <minigrpc/runtime.h>
#include <minigrpc/server.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::discovery {

// Whose conventions a key and its value follow. All are read; kEtcd is what announce() writes.
enum class Format : std::uint8_t { kEtcd, kGoZero, kKratos, kKitex };

// What an instance says of itself, or an operator of it. Only serving instances are called.
enum class InstanceState : std::uint8_t { kServing, kDraining, kDisabled };

// One process that serves a service.
struct Instance {
  std::string address{};     // "10.0.0.1:5051"
  std::uint32_t weight = 1;  // its share of the calls
  std::string zone{};
  std::string version{};
  // The same for every service of one process, and across its restarts; empty: it said none.
  std::string id{};
  InstanceState state = InstanceState::kServing;
  Format format = Format::kEtcd;
  // What else stands in its metadata.
  std::vector<std::pair<std::string, std::string>> attributes{};
  friend bool operator==(const Instance&, const Instance&) = default;
};

// "ProdService/10.0.0.1:5051".
std::string instance_key(std::string_view service, std::string_view address);
// The value in the format kEtcd.
std::string format_instance(const Instance& instance);
// Understands the value of every Format, told apart by its first byte and its fields. INVALID_ARGUMENT that
// says what is wrong.
Result<Instance> parse_instance(std::string_view value);

// Teaches the runtime the scheme "etcd": `etcd://host:port[,host:port…]/service`, balanced round robin. Once,
// before the first such channel. Channels to the same registry share a client; `registry` is how it reaches it.
void install(Runtime& runtime, etcd::ClientOptions registry = {});

// ---- For consumers ----

struct DirectoryOptions {
  // How long a list that turned empty is held: a registry that was away or was wiped is empty until its
  // providers are back. What is dead is found out by the calls meanwhile.
  std::chrono::milliseconds empty_hold{60'000};
  // See WatchOptions.
  std::chrono::milliseconds silence_max{10'000};
};

struct DirectoryStatus {
  bool synchronised = false;          // the list is what the registry says, as far as the watch knows
  std::int64_t revision = 0;          // of the registry, up to which the list is current
  std::size_t instance_count = 0;     // in the registry; 0 while the last list is held
  std::uint64_t resync_count = 0;     // gaps in the watch that led to a full read
  std::uint64_t malformed_count = 0;  // values passed over, each once
  Status last_error{};                // why it is not synchronised
};

// Directory: the instances of one service, kept current. The etcd resolver is one of these behind a channel.
//
// Reads at a revision and watches from the next one; compaction or a wiped registry lead to a new read and a
// difference. A registry that fails or turns empty does not change the list (DirectoryOptions::empty_hold).
class Directory {
 public:
  // The whole list, ordered by key, each time it changed, and why there is none while there never was one.
  // From an event loop: must not block.
  using Listener = std::function<void(Result<std::vector<Instance>>)>;

  Directory(std::shared_ptr<etcd::Client> client, std::string service, Listener listener,
            DirectoryOptions options = {});
  // No listener call starts after it has returned. Not from within the listener.
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::vector<Instance> instances() const;
  DirectoryStatus status() const;

 private:
  class State;
  std::shared_ptr<State> state_;
  TaskScope scope_;
};

// ---- For providers ----

// Where others reach a server that listens on `listen` ("0.0.0.0:5051"): that address, or, for a wildcard
// one, the address from which this host reaches the registry. `port` is the one bound. Looks host names up,
// and so may block.
Result<std::string> advertised_address(std::string_view listen, std::uint16_t port,
                                       std::string_view registry);

struct AnnouncerOptions {
  std::string registry{};               // "host:port[,host:port…]"; "https://" in front of one means TLS
  etcd::ClientOptions client{};         // how it reaches the registry: TLS, the user
  std::vector<std::string> services{};  // full names: "ProdService", "shop.Orders"
  std::string address{};                // where others reach it: "10.0.0.1:5051"
  std::uint32_t weight = 1;
  std::string zone{};
  std::string version{};
  // Whose keys it may replace: a restarted process takes its old key over at once, a foreign one never.
  // Empty: this host's name and the address.
  std::string instance_id{};
  // A dead process disappears after that long.
  std::chrono::seconds ttl{10};
  // Tells what changed, for people: "registered ProdService at 10.0.0.1:5051". From an event
  // loop: must not block.
  std::function<void(std::string_view)> log{};
};

struct AnnouncerStatus {
  bool registered = false;  // every service's key stands there under a lease that lives, as far as we know
  etcd::LeaseId lease = 0;
  std::chrono::milliseconds lease_remaining{0};
  std::uint64_t resync_count =
      0;  // how often keys had to be put again: lost lease, deleted or overwritten key
  std::uint64_t conflict_count = 0;  // keys that somebody else holds now
  std::uint64_t disabled_count = 0;  // keys that an operator has marked `disabled`
  Status last_error{};               // why it is not registered
};

struct LeaveOptions {
  // First of all; the place to turn health to NOT_SERVING.
  std::function<void()> not_serving{};
  // Between the keys' deletion and the server's GOAWAY: what consumers need to hear of it.
  std::chrono::milliseconds propagation{300};
  // For the calls in flight.
  std::chrono::milliseconds grace{10'000};
  // For each of the two talks with the registry; a registry that is down costs no more than that.
  std::chrono::milliseconds registry_timeout{1000};
};

// Announcer: keeps the services of this process registered, whatever happens to the registry, until it
// leaves.
//
// One lease and one keepalive stream for all services. With the registry down it goes on trying; a lost lease
// means a new one and all keys again in one transaction; a key that was deleted or overwritten is put again,
// unless an operator has marked it `disabled`, or it belongs to another instance. Make it when the server
// listens, not before.
class Announcer {
 public:
  // Returns at once.
  Announcer(Runtime& runtime, AnnouncerOptions options);
  // Stops; what leave() did not remove goes when its lease ends.
  ~Announcer();
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;

  AnnouncerStatus status() const;
  // True once registered; false at `deadline` or when cancelled.
  Task<bool> wait_registered(TimePoint deadline);
  // Leaves without a failed call: stops registering, deletes the keys, waits for the news to travel, shuts
  // `server` down, and revokes the lease. Takes bounded time, whatever the registry does. Once.
  Task<void> leave(Server& server, LeaveOptions options = {});

 private:
  class State;
  std::shared_ptr<State> state_;
  TaskScope scope_;
};

}  // namespace minigrpc::discovery
