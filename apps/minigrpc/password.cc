#include "password.h"

#include <termios.h>
#include <unistd.h>

#include <istream>
#include <ostream>

namespace minigrpc::cli {

namespace {

// While it lives, the terminal of the standard input does not show what is typed.
class HiddenTyping {
 public:
  HiddenTyping() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    active_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~HiddenTyping() {
    if (active_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  HiddenTyping(const HiddenTyping&) = delete;
  HiddenTyping& operator=(const HiddenTyping&) = delete;
  bool active() const { return active_; }

 private:
  termios before_{};
  bool active_ = false;
};

}  // namespace

std::string read_password(std::istream& in, std::ostream& err, const std::string& user) {
  // First: it drops what was typed before.
  const HiddenTyping hidden;
  err << "Password of " << user << ": " << std::flush;
  std::string password;
  std::getline(in, password);
  if (hidden.active()) err << std::endl;
  return password;
}

}  // namespace minigrpc::cli
