#include "rpc/dns_resolver.h"

#include <minigrpc/keepalive.h>

#include "net/address.h"
#include "net/loop.h"
#include "rpc/keepalive.h"
#include "rpc/runtime_impl.h"

namespace minigrpc {

namespace rpc {

namespace {

// Addresses that are what they say: reported once.
class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(std::vector<Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
  void start(Listener listener) override { listener(Resolution{.endpoints = endpoints_}); }

 private:
  std::vector<Endpoint> endpoints_;
};

// Looks the name up on a worker thread: at the start, after each period, and when an endpoint failed.
class DnsResolver final : public Resolver {
 public:
  DnsResolver(Runtime& runtime, net::Address address, DnsOptions options)
      : state_(std::make_shared<State>(runtime, std::move(address), options)), scope_(runtime) {}
  ~DnsResolver() override {
    std::lock_guard lock(state_->mutex);
    state_->listener = nullptr;
  }
  void start(Listener listener) override {
    state_->listener = std::move(listener);
    scope_.spawn(run(state_));
  }
  void refresh() override { state_->wanted.set(); }

 private:
  struct State {
    State(Runtime& on, net::Address name, DnsOptions how) : runtime(on), address(std::move(name)), options(how) {}
    Runtime& runtime;
    const net::Address address;
    const DnsOptions options;
    AsyncEvent wanted;
    std::mutex mutex;  // held while the listener runs, so that the destructor waits for it
    Listener listener;
  };

  static Task<void> run(std::shared_ptr<State> state) {
    const TaskContext& context = co_await current_context();
    while (!context.cancelled()) {
      const State* const name = state.get();
      auto looking = state->runtime.blocking([name] { return net::resolve_address(name->address); });
      Result<std::vector<net::SocketAddress>> found = co_await looking;
      tell(*state, std::move(found));
      const TimePoint looked_at = net::Loop::now();
      const bool failed = co_await state->wanted.wait_until(state->runtime, later(looked_at, state->options.period));
      if (failed) co_await state->runtime.sleep_until(later(looked_at, state->options.pause_min));
      state->wanted.reset();
    }
  }

  static void tell(State& state, Result<std::vector<net::SocketAddress>> found) {
    std::lock_guard lock(state.mutex);
    if (!state.listener) return;
    if (!found) return state.listener(std::move(found).error());
    Resolution resolution;
    for (const net::SocketAddress& address : *found) resolution.endpoints.push_back({.address = net::to_string(address)});
    state.listener(std::move(resolution));
  }

  const std::shared_ptr<State> state_;
  TaskScope scope_;
};

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return parts;
}

Result<std::unique_ptr<Resolver>> fixed(const std::vector<std::string>& addresses) {
  std::vector<Endpoint> endpoints;
  for (const std::string& text : addresses) {
    Result<net::Address> address = net::parse_address(text);
    if (!address) return std::move(address).error();
    if (net::literal_addresses(*address).empty())
      return Status(StatusCode::kInvalidArgument, "'" + text + "' is not an address");
    endpoints.push_back({.address = text});
  }
  return std::unique_ptr<Resolver>(std::make_unique<FixedResolver>(std::move(endpoints)));
}

Result<std::unique_ptr<Resolver>> make_dns(Runtime& runtime, const Target& target, DnsOptions options) {
  if (!target.authority.empty())
    return Status(StatusCode::kInvalidArgument, "a dns target with a server of its own (//" + target.authority +
                                                    "/) is not supported: use dns:///host:port");
  Result<net::Address> address = net::parse_address(target.path);
  if (!address) return std::move(address).error();
  if (!net::literal_addresses(*address).empty() && !address->host.empty()) return fixed({target.path});
  if (address->host.empty()) address->host = "localhost";
  return std::unique_ptr<Resolver>(std::make_unique<DnsResolver>(runtime, *std::move(address), options));
}

}  // namespace

void add_builtin_resolvers(RuntimeImpl& runtime) {
  runtime.add_resolver("dns", dns_resolver({}));
  const ResolverFactory literal = [](Runtime&, const Target& target) { return fixed(split(target.path)); };
  runtime.add_resolver("ipv4", literal);
  runtime.add_resolver("ipv6", literal);
  for (const char* scheme : {"unix", "unix-abstract", "in-process"}) {
    runtime.add_resolver(scheme, [](Runtime&, const Target& target) {
      return fixed({target.scheme + ":" + target.path});
    });
  }
}

}  // namespace rpc

ResolverFactory fixed_endpoints(std::vector<Endpoint> endpoints) {
  return [endpoints = std::move(endpoints)](Runtime&, const Target&) -> Result<std::unique_ptr<Resolver>> {
    return std::unique_ptr<Resolver>(std::make_unique<rpc::FixedResolver>(endpoints));
  };
}

ResolverFactory dns_resolver(DnsOptions options) {
  return [options](Runtime& runtime, const Target& target) { return rpc::make_dns(runtime, target, options); };
}

}  // namespace minigrpc
