#include "registry.h"

#include <filesystem>

namespace minigrpc::testing {

namespace {

constexpr const char* kReady = "ready to serve client requests";
constexpr std::chrono::seconds kStartTimeout{60};

std::string local(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

std::vector<RegistryKind> registry_kinds() { return {RegistryKind::kEtcd, RegistryKind::kMinigrpcd}; }

std::string name_of(RegistryKind kind) { return kind == RegistryKind::kEtcd ? "etcd" : "minigrpcd"; }

Registry::Registry(RegistryKind kind, std::vector<std::string> flags)
    : kind_(kind), flags_(std::move(flags)), endpoint_(local(free_port())), peer_url_("http://" + local(free_port())) {
  start();
}

void Registry::kill() {
  process_->signal(9);
  process_->wait(kStartTimeout);
  process_.reset();
}

void Registry::start() {
  process_ = std::make_unique<ChildProcess>(command(), directory_.path() + "/log");
  started_ = eventually(kStartTimeout,
                        [this] {
                          return process_->log().find(kReady) != std::string::npos || !process_->running();
                        }) &&
             process_->running();
}

void Registry::start_wiped() {
  std::filesystem::remove_all(directory_.path() + "/data");
  start();
}

std::vector<std::string> Registry::command() const {
  std::vector<std::string> command = program();
  command.insert(command.end(), flags_.begin(), flags_.end());
  return command;
}

std::vector<std::string> Registry::program() const {
  const std::string url = "http://" + endpoint_;
  if (kind_ == RegistryKind::kMinigrpcd)
    return {MINIGRPC_MINIGRPCD,        "--data-dir", directory_.path() + "/data", "--listen-client-urls", url,
            "--advertise-client-urls", url};
  return {"etcd",
          "--data-dir",
          directory_.path() + "/data",
          "--listen-client-urls",
          url,
          "--advertise-client-urls",
          url,
          "--listen-peer-urls",
          peer_url_,
          "--initial-advertise-peer-urls",
          peer_url_,
          "--initial-cluster",
          "default=" + peer_url_};
}

}  // namespace minigrpc::testing
