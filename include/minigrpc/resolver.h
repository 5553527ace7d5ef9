// Resolver: turns a target's name into the endpoints behind it, and says so again whenever they change.
//
// Thread rule: its owner calls it from one thread at a time; it may answer from any.
//
// Write one to bring a naming system of your own, and add it to the runtime before a channel uses its scheme:
//
//   add_resolver(runtime, "consul", [](Runtime& runtime, const Target& target) { … });
#pragma once

#include <minigrpc/keepalive.h>
#include <minigrpc/runtime.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace minigrpc {

// "scheme://authority/path"; "host:port" is the path of scheme "dns", "unix:/path" of "unix".
struct Target {
  std::string scheme;
  std::string authority;
  std::string path;  // without the leading slash of "//authority/path"
};

// Understands gRPC's naming syntax (grpc: doc/naming.md). INVALID_ARGUMENT that says what is wrong.
Result<Target> parse_target(std::string_view text);

// One address at which a service is served.
struct Endpoint {
  std::string address;  // "10.0.0.1:5051", "[::1]:5051", "unix:/run/x.sock", "in-process:x"
  std::uint32_t weight = 1;  // its share of the calls, for policies that go by weights
  std::vector<std::pair<std::string, std::string>> attributes{};  // zone, version … as the registry has them

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// What a resolver has found: the whole of it each time.
struct Resolution {
  std::vector<Endpoint> endpoints{};
  // How the service wants to be called, as gRPC's service config in JSON (docs/choosing.md); empty = as the channel's
  // options say. Where it is wrong, the one before goes on to hold.
  std::string service_config{};
};

class Resolver {
 public:
  // What was found, or why nothing could be (the channel keeps the last good list).
  using Listener = std::function<void(Result<Resolution>)>;

  // No listener call starts after the destructor has returned.
  virtual ~Resolver() = default;
  // Called once. `listener` may be called from any thread, also before start() returns.
  virtual void start(Listener listener) = 0;
  // A hint that an endpoint failed; a resolver that is told of changes may ignore it.
  virtual void refresh() {}
  // The balancing policy that suits what it finds, unless the channel's options name one.
  virtual std::string_view default_policy() const { return "pick_first"; }
};

using ResolverFactory = std::function<Result<std::unique_ptr<Resolver>>(Runtime&, const Target&)>;

// These endpoints and no others: ChannelOptions{.resolver = fixed_endpoints({{.address = "10.0.0.1:5051"}, …})}.
ResolverFactory fixed_endpoints(std::vector<Endpoint> endpoints);

struct DnsOptions {
  // A name is looked up again after so long; kNever.
  std::chrono::milliseconds period = std::chrono::minutes(1);
  // And when an endpoint failed, but never sooner after the last time than this.
  std::chrono::milliseconds pause_min = std::chrono::seconds(5);
};
// What "dns" means at first, with the defaults: add_resolver(runtime, "dns", dns_resolver({.period = 10s})).
ResolverFactory dns_resolver(DnsOptions options);

// From now on `scheme` means this factory for every channel made on `runtime`. From any thread.
void add_resolver(Runtime& runtime, std::string scheme, ResolverFactory factory);

}  // namespace minigrpc
