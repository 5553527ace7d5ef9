#include "test_kit/pipe.h"

#include <algorithm>

namespace minigrpc::test_kit {

namespace {

// A sender finds back-pressure behind a link too: so much is held between its two ends, and no more.
constexpr std::size_t kHeldMax = std::size_t{1} << 20;
constexpr std::size_t kReadMax = 64 << 10;
// What a bound on the bandwidth lets through in one go: so much time's worth.
constexpr std::chrono::milliseconds kBurst{5};

}  // namespace

Pipe::Pipe(net::Loop& loop, std::shared_ptr<net::Socket> source, std::shared_ptr<net::Socket> sink,
           Faults& faults, Ended ended)
    : loop_(loop),
      source_(std::move(source)),
      sink_(std::move(sink)),
      faults_(faults),
      ended_(std::move(ended)) {}

void Pipe::close() {
  closed_ = true;
  loop_.disarm(*this);
}

void Pipe::end(End how) {
  if (closed_) return;
  close();
  ended_(how);
}

void Pipe::wait_readable() {
  if (reading_ || closed_ || drained_ || held_size_ >= kHeldMax) return;
  reading_ = true;
  source_->wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    self->reading_ = false;
    if (!error && !self->closed_) self->read();
  });
}

void Pipe::read() {
  std::vector<std::byte> bytes(std::min(kReadMax, kHeldMax - held_size_));
  const net::Socket::IoResult read = source_->receive(bytes);
  if (read.state == net::Socket::IoState::kClosed && read.error != 0) return end(End::kBroken);
  if (read.state == net::Socket::IoState::kClosed) drained_ = true;
  if (read.state == net::Socket::IoState::kDone) {
    bytes.resize(read.size);
    held_size_ += read.size;
    held_.push_back({net::Loop::now() + faults_.delay, std::move(bytes)});
  }
  write_due();
  wait_readable();
}

void Pipe::write_due() {
  while (!closed_ && !waiting_writable_ && !faults_.hanging && !held_.empty()) {
    Chunk& chunk = held_.front();
    if (chunk.due > net::Loop::now()) {
      loop_.arm(*this, chunk.due);
      return;
    }
    if (!write_some(chunk)) return;
    if (chunk.written == chunk.bytes.size()) held_.pop_front();
  }
  if (closed_ || !drained_ || !held_.empty() || faults_.hanging) return;
  sink_->shutdown_send();
  end(End::kOver);
}

bool Pipe::write_some(Chunk& chunk) {
  std::span<std::byte> bytes = std::span(chunk.bytes).subspan(chunk.written);
  bytes = bytes.first(let_through(bytes.size()));
  if (bytes.empty()) return false;
  if (faults_.reset_after) bytes = bytes.first(std::min(bytes.size(), *faults_.reset_after));
  if (faults_.corrupt_after && *faults_.corrupt_after < bytes.size()) {
    bytes[*faults_.corrupt_after] ^= std::byte{0x80};
    // Only what has been sent is behind us: the byte stays inverted, and is not inverted again.
    bytes = bytes.first(*faults_.corrupt_after + 1);
    faults_.corrupt_after.reset();
  }
  const net::Socket::IoResult sent =
      bytes.empty() ? net::Socket::IoResult{net::Socket::IoState::kDone} : sink_->send(bytes);
  if (sent.state == net::Socket::IoState::kClosed) {
    end(End::kBroken);
    return false;
  }
  if (sent.state == net::Socket::IoState::kWouldBlock) {
    waiting_writable_ = true;
    sink_->wait_writable([self = shared_from_this()](const boost::system::error_code& error) {
      self->waiting_writable_ = false;
      if (!error && !self->closed_) self->write_due();
    });
    return false;
  }
  chunk.written += sent.size;
  held_size_ -= sent.size;
  faults_.bytes_passed += sent.size;
  if (faults_.bytes_per_second > 0)
    free_at_ += std::chrono::nanoseconds(sent.size * 1'000'000'000 / faults_.bytes_per_second);
  if (faults_.corrupt_after) *faults_.corrupt_after -= sent.size;
  if (faults_.reset_after && (*faults_.reset_after -= sent.size) == 0) {
    faults_.reset_after.reset();
    end(End::kBroken);
    return false;
  }
  wait_readable();
  return true;
}

std::size_t Pipe::let_through(std::size_t wanted) {
  if (faults_.bytes_per_second == 0) return wanted;
  const TimePoint now = net::Loop::now();
  free_at_ = std::max(free_at_, now);
  if (free_at_ - now >= kBurst) {
    loop_.arm(*this, free_at_);
    return 0;
  }
  const std::size_t burst = faults_.bytes_per_second * static_cast<std::size_t>(kBurst.count()) / 1000;
  return std::clamp<std::size_t>(burst, 1, wanted);
}

}  // namespace minigrpc::test_kit
