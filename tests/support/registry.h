// Registry: an etcd or a minigrpcd for a test, which can be killed, stopped, wiped and started again at its
// address.
//
// Thread rule: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "child_process.h"

namespace minigrpc::testing {

enum class RegistryKind { kEtcd, kMinigrpcd };

// All of them.
std::vector<RegistryKind> registry_kinds();
std::string name_of(RegistryKind kind);

class Registry {
 public:
  // On a free port, with an empty data directory; serving. `flags`: more of them, which both kinds know. See started().
  explicit Registry(RegistryKind kind, std::vector<std::string> flags = {});

  // "127.0.0.1:41233"
  const std::string& endpoint() const { return endpoint_; }
  bool started() const { return started_; }
  std::string log() const { return process_ ? process_->log() : std::string(); }

  // kill -9.
  void kill();
  // With the same address and data, once it has been killed. Serving when it returns.
  void start();
  // With the data directory emptied, once it has been killed.
  void start_wiped();
  // SIGSTOP and SIGCONT.
  void freeze() { process_->signal(19); }
  void thaw() { process_->signal(18); }

 private:
  std::vector<std::string> command() const;
  std::vector<std::string> program() const;
  RegistryKind kind_;
  std::vector<std::string> flags_;
  TemporaryDirectory directory_;
  std::string endpoint_;
  std::string peer_url_;
  bool started_ = false;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace minigrpc::testing
