// The scheme "etcd": a Directory behind a channel.
#include <minigrpc/discovery.h>

#include <map>
#include <mutex>
#include <set>

namespace minigrpc::discovery {

namespace {

std::vector<Endpoint> endpoints_of(const std::vector<Instance>& instances) {
  std::vector<Endpoint> endpoints;
  std::set<std::string_view> seen;
  for (const Instance& instance : instances) {
    if (instance.state != InstanceState::kServing || !seen.insert(instance.address).second) continue;
    Endpoint endpoint{
        .address = instance.address, .weight = instance.weight, .attributes = instance.attributes};
    if (!instance.zone.empty()) endpoint.attributes.emplace_back("zone", instance.zone);
    if (!instance.version.empty()) endpoint.attributes.emplace_back("version", instance.version);
    if (!instance.id.empty()) endpoint.attributes.emplace_back("instance", instance.id);
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

class EtcdResolver final : public Resolver {
 public:
  EtcdResolver(std::shared_ptr<etcd::Client> client, std::string service)
      : client_(std::move(client)), service_(std::move(service)) {}

  void start(Listener listener) override {
    directory_ = std::make_unique<Directory>(
        client_, service_, [listener = std::move(listener)](Result<std::vector<Instance>> news) {
          listener(std::move(news).transform(
              [](std::vector<Instance> list) { return Resolution{.endpoints = endpoints_of(list)}; }));
        });
  }
  std::string_view default_policy() const override { return "round_robin"; }

 private:
  std::shared_ptr<etcd::Client> client_;
  std::string service_;
  std::unique_ptr<Directory> directory_;
};

// One client for each registry, for as long as a channel uses it.
class Clients {
 public:
  explicit Clients(etcd::ClientOptions options) : options_(std::move(options)) {}

  std::shared_ptr<etcd::Client> get(Runtime& runtime, const std::string& registry) {
    std::lock_guard lock(mutex_);
    std::weak_ptr<etcd::Client>& known = clients_[registry];
    std::shared_ptr<etcd::Client> client = known.lock();
    if (client) return client;
    client = std::make_shared<etcd::Client>(runtime, registry, options_);
    known = client;
    return client;
  }

 private:
  const etcd::ClientOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<etcd::Client>> clients_;
};

}  // namespace

void install(Runtime& runtime, etcd::ClientOptions registry) {
  auto clients = std::make_shared<Clients>(std::move(registry));
  add_resolver(
      runtime, "etcd", [clients](Runtime& on, const Target& target) -> Result<std::unique_ptr<Resolver>> {
        if (target.authority.empty())
          return Status(StatusCode::kInvalidArgument, "etcd:// wants the registry's host:port behind it");
        if (target.path.empty())
          return Status(StatusCode::kInvalidArgument,
                        "etcd://" + target.authority + "/ wants a service's name");
        return std::unique_ptr<Resolver>(
            std::make_unique<EtcdResolver>(clients->get(on, target.authority), target.path));
      });
}

}  // namespace minigrpc::discovery
