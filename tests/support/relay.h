// Relay: a TCP port in front of another one, whose connections a test can cut or let hang.
//
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace minigrpc::testing {

class Relay {
 public:
  // Connects to `target`, "127.0.0.1:41233", for each connection made to endpoint().
  explicit Relay(std::string target);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& endpoint() const { return endpoint_; }
  // In force when they return.
  // Ends every connection, and refuses new ones.
  void cut() { set(Mode::kCut); }
  // Keeps connections and takes new ones, but passes no byte on, in either direction.
  void hang() { set(Mode::kHang); }
  void pass() { set(Mode::kPass); }

 private:
  enum class Mode { kPass, kHang, kCut };
  void set(Mode mode);
  void run();
  std::string target_;
  std::string endpoint_;
  int listener_ = -1;
  std::atomic<Mode> mode_{Mode::kPass};
  std::atomic<Mode> in_force_{Mode::kPass};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace minigrpc::testing
