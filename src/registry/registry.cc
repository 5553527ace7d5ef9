#include <minigrpc/health.h>
#include <minigrpc/registry.h>
#include <minigrpc/server.h>

#include <atomic>
#include <optional>
#include <utility>

#include "registry/auth_service.h"
#include "registry/auto_compaction.h"
#include "registry/cluster_service.h"
#include "registry/election_service.h"
#include "registry/hot_copies.h"
#include "registry/http_gateway.h"
#include "registry/kv_service.h"
#include "registry/lease_service.h"
#include "registry/lock_service.h"
#include "registry/maintenance_service.h"
#include "registry/member.h"
#include "registry/watch_service.h"

namespace minigrpc {

namespace registry {

namespace {

// As etcd: the request's own bound, and room for what surrounds it.
constexpr std::size_t kMessageOverheadMax = 512 * 1024;
// What the gateway takes of an answer of our own; other clients have bounds of theirs.
constexpr std::size_t kOwnMessageMax = std::size_t{1} << 30;

// A port that is in use is the most common reason not to start: say which, and what to do.
Status explain_listen(const std::string& address, const Status& status) {
  return {status.code(), "cannot listen on " + address + ": " + status.message()};
}

std::string with_port(const std::string& address, std::uint16_t port) {
  if (port == 0) return address;
  return address.substr(0, address.rfind(':') + 1) + std::to_string(port);
}

// Where to listen, and how.
struct Listening {
  std::string address;
  bool tls = false;

  explicit Listening(std::string text) : address(std::move(text)) {
    for (const std::string_view prefix : {"https://", "unixs://"}) {
      if (!address.starts_with(prefix)) continue;
      tls = true;
      address = (prefix == "unixs://" ? "unix:" : "") + address.substr(prefix.size());
      return;
    }
  }
  std::string url() const {
    const std::string s = tls ? "s" : "";
    if (address.starts_with("in-process:")) return address;
    if (!address.starts_with("unix:")) return "http" + s + "://" + address;
    return "unix" + s + "://" + address.substr(address.starts_with("unix://") ? 7 : 5);
  }
};

// The gateway's way to the services of its own registry, of which a process may have several.
std::string own_address() {
  static std::atomic<int> count{0};
  return "in-process:minigrpc-gateway-" + std::to_string(++count);
}

}  // namespace

class RegistryImpl {
 public:
  RegistryImpl(Runtime& runtime, std::unique_ptr<Member> member)
      : member_(std::move(member)),
        kv_(*member_),
        watch_(*member_, runtime),
        lease_(*member_),
        lock_(*member_),
        election_(*member_),
        auth_(*member_, runtime),
        cluster_(*member_),
        maintenance_(*member_, runtime),
        background_(runtime),
        own_address_(own_address()),
        own_services_(runtime, own_address_, {.received_message_size_max = kOwnMessageMax}),
        server_(runtime, {.received_message_size_max = member_->options().request_size_max + kMessageOverheadMax}) {
    for (Service* service : std::initializer_list<Service*>{&kv_, &watch_, &lease_, &lock_, &election_, &auth_, &cluster_,
                                                            &maintenance_, &health_.service()})
      server_.add(*service);
    member_->set_server_counters([this] { return server_.counters(); });
    server_.impl().set_other_protocol(std::make_unique<HttpGateway>(*member_, own_services_));
    if (compacts_by_itself(member_->options())) background_.spawn(compact_by_itself(*member_, runtime));
    const RegistryOptions& options = member_->options();
    if (options.snapshot_count <= 0 || options.data_dir.empty()) return;
    hot_copies_.emplace(*member_, runtime, options.snapshot_count);
    background_.spawn(hot_copies_->run());
  }

  Status listen() {
    std::vector<std::string> urls = member_->options().advertise_client_urls;
    const bool advertise_addresses = urls.empty();
    for (const std::string& text : member_->options().listen_addresses) {
      Listening where(text);
      const ServerCredentials& credentials = member_->options().credentials;
      if (where.tls && !credentials.impl())
        return Status(StatusCode::kInvalidArgument, "cannot listen on " + text + " without a certificate and its key");
      const Result<std::uint16_t> port = server_.listen(where.address, where.tls ? credentials : ServerCredentials());
      if (!port) return explain_listen(where.address, port.error());
      where.address = with_port(where.address, *port);
      addresses_.push_back(where.address);
      if (advertise_addresses) urls.push_back(where.url());
    }
    member_->set_client_urls(std::move(urls));
    return server_.listen(own_address_).status();
  }

  Task<void> shutdown(std::chrono::nanoseconds grace) {
    health_.shutdown();
    health_.end_watches();
    member_->open_calls().end_all();
    Task<void> closing = server_.shutdown(grace);
    co_await closing;
    Task<void> stopping = background_.stop();
    co_await stopping;
  }

  Member& member() { return *member_; }
  const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  const std::unique_ptr<Member> member_;
  KvService kv_;
  WatchService watch_;
  LeaseService lease_;
  LockService lock_;
  ElectionService election_;
  AuthService auth_;
  ClusterService cluster_;
  MaintenanceService maintenance_;
  Health health_;
  std::vector<std::string> addresses_;
  std::optional<HotCopies> hot_copies_;
  TaskScope background_;
  const std::string own_address_;
  Channel own_services_;  // the gateway's way to them
  Server server_;  // last: its calls end before what they use
};

}  // namespace registry

Result<std::unique_ptr<Registry>> Registry::start(Runtime& runtime, RegistryOptions options) {
  Result<std::unique_ptr<registry::Member>> member = registry::Member::open(options);
  if (!member) return std::move(member).error();
  auto impl = std::make_unique<registry::RegistryImpl>(runtime, *std::move(member));
  if (Status status = impl->listen(); !status.ok()) return status;
  return std::unique_ptr<Registry>(new Registry(std::move(impl)));
}

Registry::Registry(std::unique_ptr<registry::RegistryImpl> impl) : impl_(std::move(impl)) {}
Registry::~Registry() = default;

const std::vector<std::string>& Registry::addresses() const { return impl_->addresses(); }
std::uint64_t Registry::cluster_id() const { return impl_->member().identity().cluster_id; }
std::uint64_t Registry::member_id() const { return impl_->member().identity().member_id; }
std::int64_t Registry::revision() const { return impl_->member().hub().revision(); }

Task<Status> Registry::check() {
  auto ask = [](store::Store& store) { return store.health(); };
  auto asking = impl_->member().writer().inspect(ask);
  Status status = co_await asking;
  co_return status;
}

Task<void> Registry::shutdown(std::chrono::nanoseconds grace) { return impl_->shutdown(grace); }

}  // namespace minigrpc
