#include "relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace minigrpc::testing {

namespace {

constexpr int kPollTimeoutMs = 5;  // how soon a change of mode is seen

struct Pair {
  int front;
  int back;
};

sockaddr_in local_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void close_pair(const Pair& pair) {
  close(pair.front);
  close(pair.back);
}

// False when the connection has ended.
bool pump(int from, int to) {
  char bytes[16384];
  const ssize_t size = recv(from, bytes, sizeof bytes, 0);
  if (size <= 0) return false;
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t n = send(to, bytes + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += n;
  }
  return true;
}

int connect_to(const std::string& target) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address =
      local_address(static_cast<std::uint16_t>(std::stoi(target.substr(target.rfind(':') + 1))));
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return descriptor;
  close(descriptor);
  return -1;
}

}  // namespace

Relay::Relay(std::string target) : target_(std::move(target)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = local_address(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("relay");
    std::abort();
  }
  endpoint_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  stopping_ = true;
  thread_.join();
  close(listener_);
}

void Relay::set(Mode mode) {
  mode_ = mode;
  for (Mode now = in_force_; now != mode; now = in_force_) in_force_.wait(now);
}

void Relay::run() {
  std::vector<Pair> pairs;
  while (!stopping_) {
    const Mode mode = mode_;
    if (mode == Mode::kCut) {
      for (const Pair& pair : pairs) close_pair(pair);
      pairs.clear();
    }
    in_force_ = mode;
    in_force_.notify_all();
    std::vector<pollfd> polled{{listener_, POLLIN, 0}};
    if (mode == Mode::kPass) {
      for (const Pair& pair : pairs) {
        polled.push_back({pair.front, POLLIN, 0});
        polled.push_back({pair.back, POLLIN, 0});
      }
    }
    poll(polled.data(), polled.size(), kPollTimeoutMs);
    std::vector<Pair> kept;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      bool alive = true;
      if (mode == Mode::kPass) {
        if (polled[1 + 2 * i].revents != 0) alive = pump(pairs[i].front, pairs[i].back);
        if (alive && polled[2 + 2 * i].revents != 0) alive = pump(pairs[i].back, pairs[i].front);
      }
      if (alive)
        kept.push_back(pairs[i]);
      else
        close_pair(pairs[i]);
    }
    pairs = std::move(kept);
    if ((polled[0].revents & POLLIN) == 0) continue;
    const int front = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (front < 0) continue;
    const int back = mode == Mode::kCut ? -1 : connect_to(target_);
    if (back < 0)
      close(front);
    else
      pairs.push_back({front, back});
  }
  for (const Pair& pair : pairs) close_pair(pair);
}

}  // namespace minigrpc::testing
