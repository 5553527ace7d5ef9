#include "input_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace minigrpc::cli {

InputSource::InputSource(const std::string& text) : wake_(eventfd(0, EFD_CLOEXEC)) {
  detail::require(wake_ >= 0, "eventfd() failed");
  documents_.feed(text);
  documents_.end();
}

InputSource::InputSource(int descriptor) : descriptor_(descriptor), wake_(eventfd(0, EFD_CLOEXEC)) {
  detail::require(wake_ >= 0, "eventfd() failed");
}

InputSource::~InputSource() { ::close(wake_); }

void InputSource::close() { eventfd_write(wake_, 1); }

Result<std::optional<std::string>> InputSource::next() {
  while (true) {
    auto document = documents_.next();
    if (!document || *document || descriptor_ < 0) return document;
    std::array<pollfd, 2> waiting{{{descriptor_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return Status(StatusCode::kInternal,
                    std::string("cannot wait for the standard input: ") + std::strerror(errno));
    }
    if (waiting[1].revents != 0) return std::optional<std::string>();
    std::array<char, 16384> bytes;
    const ssize_t size = read(descriptor_, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0)
      return Status(StatusCode::kInternal,
                    std::string("cannot read the standard input: ") + std::strerror(errno));
    if (size == 0) {
      documents_.end();
      descriptor_ = -1;
    } else {
      documents_.feed({bytes.data(), static_cast<std::size_t>(size)});
    }
  }
}

}  // namespace minigrpc::cli
