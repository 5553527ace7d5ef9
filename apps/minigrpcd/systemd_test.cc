#include "systemd.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace minigrpcd {
namespace {

// The manager's end of $NOTIFY_SOCKET, in the abstract namespace.
class NotifySocket {
 public:
  NotifySocket() : fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // Autobind: the kernel chooses a free name.
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    name_ = "@" + std::string(address.sun_path + 1, size - sizeof(sa_family_t) - 1);
  }
  ~NotifySocket() { close(fd_); }
  const std::string& name() const { return name_; }
  std::string receive() {
    char text[256];
    const ssize_t size = recv(fd_, text, sizeof text, 0);
    return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  }

 private:
  int fd_;
  std::string name_;
};

TEST(SystemdTest, SpeaksSystemdsProtocol) {
  NotifySocket socket;
  const Systemd manager(socket.name(), std::nullopt);
  manager.ready();
  EXPECT_EQ(socket.receive().substr(0, 7), "READY=1");
  manager.alive();
  EXPECT_EQ(socket.receive(), "WATCHDOG=1");
  manager.stopping();
  EXPECT_EQ(socket.receive(), "STOPPING=1");
}

TEST(SystemdTest, TheWatchdogIsForThisProcessAlone) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  unsetenv("WATCHDOG_PID");
  EXPECT_EQ(Systemd::from_environment().watchdog(), std::chrono::microseconds(2'000'000));
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(Systemd::from_environment().watchdog(), std::chrono::microseconds(2'000'000));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(Systemd::from_environment().watchdog(), std::nullopt);
}

TEST(SystemdTest, WithoutAManagerItIsSilent) {
  Systemd("", std::nullopt).ready();
  Systemd("/nowhere/at/all", std::nullopt).ready();
}

}  // namespace
}  // namespace minigrpcd
