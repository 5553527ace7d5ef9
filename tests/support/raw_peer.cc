#include "support/raw_peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace minigrpc::testing {

namespace {

constexpr std::chrono::milliseconds kPatience{20'000};

void must(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::abort();
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool wait_for(int descriptor, short events, std::chrono::milliseconds patience) {
  pollfd entry{descriptor, events, 0};
  return ::poll(&entry, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace

// ---- RawPeer ----

RawPeer::RawPeer(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  must(descriptor_ >= 0, "socket");
  const sockaddr_in address = loopback(port);
  must(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
}

RawPeer::~RawPeer() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RawPeer::RawPeer(RawPeer&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), ended_(other.ended_), received_(std::move(other.received_)) {}

bool RawPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait_for(descriptor_, POLLOUT, kPatience)) return false;
    const ssize_t size = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

bool RawPeer::read_some(std::chrono::milliseconds patience) {
  if (ended_ || !wait_for(descriptor_, POLLIN, patience)) return false;
  char bytes[64 << 10];
  const ssize_t size = ::recv(descriptor_, bytes, sizeof bytes, 0);
  if (size <= 0) ended_ = true;
  if (size > 0) received_.append(bytes, static_cast<std::size_t>(size));
  return size > 0;
}

const std::string& RawPeer::read_until(std::string_view text) {
  std::size_t searched = 0;
  while (received_.find(text, searched) == std::string::npos) {
    searched = received_.size() - std::min(received_.size(), text.size());
    if (!read_some(kPatience)) break;
  }
  return received_;
}

const std::string& RawPeer::read_until_size(std::size_t size) {
  while (received_.size() < size && read_some(kPatience)) {
  }
  return received_;
}

const std::string& RawPeer::read_to_end() {
  while (read_some(kPatience)) {
  }
  return received_;
}

bool RawPeer::ends_within(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!ended_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0 || (!read_some(left) && !ended_)) return false;
  }
  return true;
}

void RawPeer::shutdown_send() { ::shutdown(descriptor_, SHUT_WR); }

// ---- RawListener ----

RawListener::RawListener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  must(descriptor_ >= 0, "socket");
  sockaddr_in address = loopback(0);
  must(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  must(::listen(descriptor_, 64) == 0, "listen");
  socklen_t size = sizeof address;
  must(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
}

RawListener::~RawListener() { ::close(descriptor_); }

RawPeer RawListener::accept() {
  must(wait_for(descriptor_, POLLIN, kPatience), "nobody connects");
  const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
  must(accepted >= 0, "accept");
  return RawPeer(RawPeer::Adopt{}, accepted);
}

}  // namespace minigrpc::testing
