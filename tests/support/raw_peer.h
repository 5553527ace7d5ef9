// RawPeer: one end of a TCP connection whose bytes a test writes and reads itself, to say what no proper peer would.
//
// Thread rule: one thread at a time. Everything blocks, and every wait ends after some seconds with a failed test.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace minigrpc::testing {

class RawPeer {
 public:
  // Connects to that port of 127.0.0.1.
  explicit RawPeer(std::uint16_t port);
  ~RawPeer();
  RawPeer(RawPeer&& other) noexcept;
  RawPeer& operator=(RawPeer&&) = delete;

  // False where the other side is gone.
  bool send(std::string_view bytes);
  // All that came from the beginning until `text` was among it, or until the end of the connection.
  const std::string& read_until(std::string_view text);
  const std::string& read_until_size(std::size_t size);
  const std::string& read_to_end();
  // Whether the connection ended (also by a reset) before `patience` was over.
  bool ends_within(std::chrono::milliseconds patience);
  // Says that no more comes from here.
  void shutdown_send();
  int descriptor() const { return descriptor_; }

 private:
  friend class RawListener;
  struct Adopt {};
  RawPeer(Adopt, int descriptor) : descriptor_(descriptor) {}
  // False at the end, or after some seconds.
  bool read_some(std::chrono::milliseconds patience);

  int descriptor_ = -1;
  bool ended_ = false;
  std::string received_;
};

// A listening port of 127.0.0.1 that a test accepts from itself.
class RawListener {
 public:
  RawListener();
  ~RawListener();
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::uint16_t port() const { return port_; }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  RawPeer accept();

 private:
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace minigrpc::testing
