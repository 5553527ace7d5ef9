#include "http_get.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace minigrpc::cli {

namespace {

Status failed(const std::string& address, const std::string& why) {
  return Status(StatusCode::kUnavailable, "http://" + address + ": " + why);
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<std::string> http_get(const std::string& address, const std::string& path,
                             std::chrono::milliseconds timeout) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return failed(address, "no port");
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found); error != 0)
    return failed(address, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);

  const Socket socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval bound{};
  bound.tv_sec = timeout.count() / 1000;
  bound.tv_usec = timeout.count() % 1000 * 1000;
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
  if (connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0)
    return failed(address, std::strerror(errno));
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + address + "\r\n\r\n";
  if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return failed(address, std::strerror(errno));
  std::string answer;
  std::array<char, 16384> bytes;
  while (true) {
    const ssize_t size = recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed(address, std::strerror(errno));
    if (size == 0) break;
    answer.append(bytes.data(), static_cast<std::size_t>(size));
  }
  const std::size_t body = answer.find("\r\n\r\n");
  const std::string status_line = answer.substr(0, answer.find("\r\n"));
  if (body == std::string::npos || status_line.find(" 200") == std::string::npos)
    return failed(address, "GET " + path + ": " + status_line);
  return answer.substr(body + 4);
}

}  // namespace minigrpc::cli
