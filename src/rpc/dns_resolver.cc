#include "rpc/dns_resolver.h"

#include <atomic>

#include "base/limits.h"
#include "net/address.h"
#include "rpc/runtime_impl.h"

namespace minigrpc::rpc {

namespace {

// Addresses that are what they say: reported once.
class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(std::vector<Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
  void start(Listener listener) override { listener(Resolution{.endpoints = endpoints_}); }

 private:
  std::vector<Endpoint> endpoints_;
};

// Looks the name up on a worker thread, at the start and whenever an endpoint failed, but not more often than the
// pause allows.
class DnsResolver final : public Resolver {
 public:
  DnsResolver(RuntimeImpl& runtime, net::Address address)
      : runtime_(runtime), state_(std::make_shared<State>()) {
    state_->address = std::move(address);
  }
  ~DnsResolver() override {
    std::lock_guard lock(state_->mutex);
    state_->listener = nullptr;
  }
  void start(Listener listener) override {
    {
      std::lock_guard lock(state_->mutex);
      state_->listener = std::move(listener);
    }
    look_up();
  }
  void refresh() override {
    std::unique_lock lock(state_->mutex);
    if (std::chrono::steady_clock::now() - state_->last < limits::kDnsRefreshPause) return;
    lock.unlock();
    look_up();
  }

 private:
  struct State {
    net::Address address;
    std::mutex mutex;  // held while the listener runs, so that the destructor waits for it
    Listener listener;
    TimePoint last{};
    bool running = false;
  };

  void look_up() {
    {
      std::lock_guard lock(state_->mutex);
      if (state_->running) return;
      state_->running = true;
    }
    runtime_.workers().submit([state = state_] {
      Result<std::vector<net::SocketAddress>> found = net::resolve_address(state->address);
      std::lock_guard lock(state->mutex);
      state->running = false;
      state->last = std::chrono::steady_clock::now();
      if (!state->listener) return;
      if (!found) return state->listener(std::move(found).error());
      Resolution resolution;
      for (const net::SocketAddress& address : *found) {
        Endpoint endpoint;
        endpoint.address = net::to_string(address);
        resolution.endpoints.push_back(std::move(endpoint));
      }
      state->listener(std::move(resolution));
    });
  }

  RuntimeImpl& runtime_;
  std::shared_ptr<State> state_;
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
    Endpoint endpoint;
    endpoint.address = text;
    endpoints.push_back(std::move(endpoint));
  }
  return std::unique_ptr<Resolver>(std::make_unique<FixedResolver>(std::move(endpoints)));
}

Result<std::unique_ptr<Resolver>> make_dns(Runtime& runtime, const Target& target) {
  if (!target.authority.empty())
    return Status(StatusCode::kInvalidArgument, "a dns target with a server of its own (//" + target.authority +
                                                    "/) is not supported: use dns:///host:port");
  Result<net::Address> address = net::parse_address(target.path);
  if (!address) return std::move(address).error();
  if (!net::literal_addresses(*address).empty() && !address->host.empty()) return fixed({target.path});
  if (address->host.empty()) address->host = "localhost";
  return std::unique_ptr<Resolver>(std::make_unique<DnsResolver>(runtime.impl(), *std::move(address)));
}

}  // namespace

void add_builtin_resolvers(RuntimeImpl& runtime) {
  runtime.add_resolver("dns", make_dns);
  const ResolverFactory literal = [](Runtime&, const Target& target) { return fixed(split(target.path)); };
  runtime.add_resolver("ipv4", literal);
  runtime.add_resolver("ipv6", literal);
  for (const char* scheme : {"unix", "unix-abstract", "in-process"}) {
    runtime.add_resolver(scheme, [](Runtime&, const Target& target) {
      return fixed({target.scheme + ":" + target.path});
    });
  }
}

}  // namespace minigrpc::rpc
