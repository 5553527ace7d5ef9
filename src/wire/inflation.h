// Inflation: the output of a decompressor, which grows with what arrives and stops at a bound.
//
// Thread rule: a local variable's.
#pragma once

#include <minigrpc/buffer.h>
#include <minigrpc/result.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace minigrpc::wire {

class Inflation {
 public:
  // `expected_size`: a guess, which is believed as far as it costs little.
  Inflation(std::size_t expected_size, std::size_t size_max)
      : size_max_(size_max), output_(Buffer::allocate(std::min(expected_size, size_max) + 1)) {}

  // Where the next bytes go; never empty. One byte beyond the bound is there, which shows that the message
  // exceeds it.
  std::span<std::byte> room() {
    if (size_ == output_.size()) grow();
    return {output_.data() + size_, output_.size() - size_};
  }
  // `size` bytes of room() were filled. False: the message is too large.
  bool filled(std::size_t size) {
    size_ += size;
    return size_ <= size_max_;
  }
  Buffer take() {
    output_.remove_suffix(output_.size() - size_);
    return std::move(output_);
  }
  Status too_large() const {
    return Status(StatusCode::kResourceExhausted, "received a message that inflates to more than the " +
                                                      std::to_string(size_max_) + " bytes allowed");
  }

 private:
  static constexpr std::size_t kGrowthFactor = 4;

  void grow() {
    Buffer larger = Buffer::allocate(std::min(output_.size() * kGrowthFactor, size_max_ + 1));
    std::memcpy(larger.data(), output_.data(), size_);
    output_ = std::move(larger);
  }

  std::size_t size_max_;
  std::size_t size_ = 0;
  Buffer output_;
};

}  // namespace minigrpc::wire
