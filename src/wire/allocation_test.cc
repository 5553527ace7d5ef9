// Holds how much the paths of a call allocate: the whole program's operator new counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "wire/message.h"
#include "wire/metadata_rules.h"
#include "wire/status_mapping.h"
#include "wire/status_trailers.h"
#include "wire/timeout.h"

namespace {
std::size_t allocation_count = 0;
std::size_t allocated_size = 0;
}  // namespace

// Not inlined: g++ would see free() beside new, and take the pair for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocation_count;
  allocated_size += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }

namespace minigrpc::wire {
namespace {

class Allocations {
 public:
  std::size_t count() const { return allocation_count - count_before_; }
  std::size_t size() const { return allocated_size - size_before_; }

 private:
  std::size_t count_before_ = allocation_count;
  std::size_t size_before_ = allocated_size;
};

std::string framed(std::uint32_t claimed_size, std::size_t size) {
  std::string text(kMessagePrefixSize + size, 'x');
  encode_message_prefix({.compressed = false, .size = claimed_size},
                        reinterpret_cast<std::byte*>(text.data()));
  return text;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Allocations, AUnaryCallNeedsNone) {
  const std::string frame = framed(100, 100);
  const Status plain(StatusCode::kNotFound, "there is no product of that number");
  const HeaderView ok[] = {{"grpc-status", "0"}};
  const Allocations allocations;

  MessageReader reader;
  std::span<const std::byte> input = bytes_of(frame);
  EXPECT_TRUE(reader.take_whole(input).has_value());
  EXPECT_TRUE(reader.finish().ok());
  char storage[12];
  EXPECT_TRUE(parse_timeout(format_timeout(std::chrono::seconds(1), storage)).has_value());
  EXPECT_TRUE(is_grpc_proto_content_type("application/grpc"));
  EXPECT_FALSE(is_transport_header("authorization"));
  EXPECT_EQ(StatusTrailers(Status()).headers().size(), 1u);
  EXPECT_EQ(StatusTrailers(plain).headers().size(), 2u);
  EXPECT_TRUE(status_from_trailers(ok, 200).ok());
  EXPECT_EQ(allocations.count(), 0u);
}

TEST(Allocations, AMessageKeptNeedsOne) {
  const std::string frame = framed(100, 100);
  MessageReader reader;
  std::span<const std::byte> input = bytes_of(frame);
  const Allocations allocations;
  const Result<std::optional<Message>> message = reader.next(input);
  EXPECT_EQ(allocations.count(), 1u);
  EXPECT_LE(allocations.size(), 128u);  // blocks come in steps of 16 bytes
  EXPECT_EQ((*message)->bytes.size(), 100u);
}

TEST(Allocations, AMessageThatArrivesInBytesNeedsOne) {
  const std::string frame = framed(60'000, 60'000);
  MessageReader reader;
  const Allocations allocations;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    std::span<const std::byte> input = bytes_of(frame).subspan(i, 1);
    ASSERT_EQ(reader.next(input).value().has_value(), i + 1 == frame.size());
  }
  EXPECT_EQ(allocations.count(), 1u);
}

TEST(Allocations, AClaimIsNotBelieved) {
  constexpr std::uint32_t kClaim = 512 << 20;
  const std::string frame = framed(kClaim, 1 << 20);
  MessageReader reader({.message_size_max = kClaim});
  const Allocations allocations;
  std::span<const std::byte> prefix = bytes_of(frame).first(kMessagePrefixSize);
  EXPECT_FALSE(reader.next(prefix).value().has_value());
  EXPECT_EQ(allocations.count(), 0u);

  std::span<const std::byte> one = bytes_of(frame).subspan(kMessagePrefixSize, 1);
  EXPECT_FALSE(reader.next(one).value().has_value());
  EXPECT_LE(allocations.size(), (64u << 10) + Buffer::kHeadroom);

  constexpr std::size_t kStep = 16 << 10;
  for (std::size_t at = kMessagePrefixSize + 1; at < frame.size(); at += kStep) {
    std::span<const std::byte> input = bytes_of(frame).subspan(at, std::min(kStep, frame.size() - at));
    EXPECT_FALSE(reader.next(input).value().has_value());
  }
  // All that was ever allocated for the megabyte that did arrive.
  EXPECT_LE(allocations.size(), 8u << 20);
  EXPECT_LE(allocations.count(), 5u);
}

// The stream has sent such a message before, and where blocks are kept its memory is there still.
TEST(Allocations, TheSecondLargeMessageNeedsOneAtMost) {
  constexpr std::size_t kSize = 1 << 20;
  constexpr std::size_t kStep = 16 << 10;
  const std::string frame = framed(kSize, kSize);
  MessageReader reader;
  const auto receive = [&] {
    std::size_t size = 0;
    for (std::size_t at = 0; at < frame.size(); at += kStep) {
      std::span<const std::byte> input = bytes_of(frame).subspan(at, std::min(kStep, frame.size() - at));
      if (const auto message = reader.next(input).value()) size = message->bytes.size();
    }
    return size;
  };
  EXPECT_EQ(receive(), kSize);
  const Allocations allocations;
  EXPECT_EQ(receive(), kSize);
  EXPECT_LE(allocations.count(), 1u);
}

TEST(Allocations, ARefusedClaimNeedsNoMoreThanItsMessage) {
  const std::string frame = framed(0xffffffff, 0);
  MessageReader reader;
  std::span<const std::byte> input = bytes_of(frame);
  const Allocations allocations;
  EXPECT_EQ(reader.next(input).status().code(), StatusCode::kResourceExhausted);
  EXPECT_LE(allocations.size(), 4096u);
}

}  // namespace
}  // namespace minigrpc::wire
