// Pipe: one direction of a connection over a FaultyLink: bytes that are read, held for a while, and written.
//
// Thread rule: the link's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"

namespace minigrpc::test_kit {

// What holds for every connection of a link in one direction.
struct Faults {
  bool hanging = false;
  std::chrono::milliseconds delay{0};
  std::size_t bytes_per_second = 0;          // 0 = no bound
  std::optional<std::size_t> reset_after{};  // so many more bytes
  std::optional<std::size_t> corrupt_after{};
  std::uint64_t bytes_passed = 0;
};

class Pipe final : public std::enable_shared_from_this<Pipe>, private net::Timer {
 public:
  enum class End : std::uint8_t {
    kOver,    // what the source sent until its orderly end has been passed on
    kBroken,  // an end failed, or a fault wants the connection reset
  };
  using Ended = std::function<void(End)>;

  // `faults` is borrowed until close(). `ended` is called once, and not after close().
  Pipe(net::Loop& loop, std::shared_ptr<net::Socket> source, std::shared_ptr<net::Socket> sink,
       Faults& faults, Ended ended);
  ~Pipe() override { loop_.disarm(*this); }

  void start() { wait_readable(); }
  // Looks at the faults again, which have changed.
  void go_on() { write_due(); }
  void close();

 private:
  struct Chunk {
    TimePoint due;
    std::vector<std::byte> bytes;
    std::size_t written = 0;
  };

  void wait_readable();
  void read();
  void write_due();
  // False: no more for now.
  bool write_some(Chunk& chunk);
  // How many of `wanted` bytes the bandwidth lets through now; 0: the timer is set for more.
  std::size_t let_through(std::size_t wanted);
  void on_timer() noexcept override { write_due(); }
  void end(End how);

  net::Loop& loop_;
  std::shared_ptr<net::Socket> source_;
  std::shared_ptr<net::Socket> sink_;
  Faults& faults_;
  Ended ended_;
  std::deque<Chunk> held_;
  std::size_t held_size_ = 0;
  TimePoint free_at_{};  // when what was let through has passed at the bandwidth that holds
  bool reading_ = false;
  bool waiting_writable_ = false;
  bool drained_ = false;  // the source has no more
  bool closed_ = false;
};

}  // namespace minigrpc::test_kit
