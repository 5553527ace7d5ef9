// Systemd: what it wants to hear of a service with Type=notify (systemd: sd_notify(3)). Without
// $NOTIFY_SOCKET it says nothing.
//
// Thread rule: any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace minigrpcd {

class Systemd {
 public:
  // From the environment of this process.
  static Systemd from_environment();
  Systemd(std::string socket_path, std::optional<std::chrono::microseconds> watchdog)
      : socket_path_(std::move(socket_path)), watchdog_(watchdog) {}

  void ready() const { notify("READY=1\nSTATUS=ready to serve client requests"); }
  void stopping() const { notify("STOPPING=1"); }
  void alive() const { notify("WATCHDOG=1"); }
  // How long the manager waits for alive() before it takes the service for hung; none: it does not wait for it.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void notify(std::string_view state) const;

  const std::string socket_path_;
  const std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace minigrpcd
