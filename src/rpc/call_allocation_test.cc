// Holds how often a unary call allocates, once what it reuses is there: on the server's loop and on the
// client's, whose threads count for themselves.
#include <gtest/gtest.h>
#include <minigrpc/channel.h>
#include <minigrpc/server.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "rpc/test_echo.h"

namespace {
thread_local std::uint64_t allocation_count = 0;
}

// Not inlined: g++ would see free() beside new, and take the pair for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }

namespace minigrpc {
namespace {

using test::Text;

constexpr int kCalls = 2000;  // in each of two rounds to warm up, and one to count

// What is counted around the calls: the list of callers, growth of vectors that reuse still finds too small.
constexpr std::uint64_t kAround = 30;

// Answers with what was asked; knows the allocations of its loop's thread at the latest call.
class Counted final : public Service {
 public:
  std::string_view service_name() const override { return "test.Echo"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {
        {test::kUnary, &detail::serve_unary<Counted, Text, Text, &Counted::Unary>}};
    return kMethods;
  }
  Task<Result<Text>> Unary(ServerContext&, Text request) {
    count = allocation_count;
    co_return request;
  }
  std::uint64_t count = 0;
};

struct Counts {
  std::uint64_t client = 0;
  std::uint64_t server = 0;
};

Task<void> call(const Channel& channel, int times, CallOptions options) {
  const Text request{"ping"};
  for (int i = 0; i < times; ++i) {
    Task<Result<Text>> calling = detail::unary<Text>(channel, test::kUnary, request, options);
    const Result<Text> answer = co_await calling;
    EXPECT_TRUE(answer.has_value()) << answer.status().to_string();
  }
}

class CallAllocationTest : public testing::Test {
 protected:
  CallAllocationTest() {
    server_.add(counted_);
    port_ = server_.listen("127.0.0.1:0").value();
  }

  // Of kCalls calls, `concurrent` at a time, on the client's loop.
  Counts count(int concurrent, CallOptions options = {}) {
    Channel channel(client_runtime_, "127.0.0.1:" + std::to_string(port_));
    Counts counts;
    {
      TaskScope scope(client_runtime_);
      scope.spawn(measure(channel, concurrent, options, &counts));
      sync_wait(scope.join());
    }
    return counts;
  }

 private:
  Task<void> measure(const Channel& channel, int concurrent, CallOptions options, Counts* counts) {
    Counts before;
    for (int round = 0; round < 3; ++round) {
      before = {.client = allocation_count, .server = counted_.count};
      std::vector<Task<void>> callers;
      for (int i = 0; i < concurrent; ++i) callers.push_back(call(channel, kCalls / concurrent, options));
      Task<std::vector<std::monostate>> all = when_all(std::move(callers));
      co_await all;
    }
    *counts = {.client = allocation_count - before.client, .server = counted_.count - before.server};
  }

  Runtime client_runtime_{{.loops = 1}};
  Runtime server_runtime_{{.loops = 1}};
  Counted counted_;
  Server server_{server_runtime_};
  std::uint16_t port_ = 0;
};

TEST_F(CallAllocationTest, OneAfterAnother) {
  const Counts counts = count(1);
  EXPECT_LE(counts.server, kAround);
  EXPECT_LE(counts.client, kAround);
}

TEST_F(CallAllocationTest, AHundredAtATime) {
  const Counts counts = count(100);
  EXPECT_LE(counts.server, kAround);
  EXPECT_LE(counts.client, kAround);
}

TEST_F(CallAllocationTest, WithADeadline) {
  const Counts counts = count(100, {.timeout = std::chrono::seconds(60)});
  EXPECT_LE(counts.server, kAround);
  EXPECT_LE(counts.client, kAround);
}

TEST_F(CallAllocationTest, WithMetadata) {
  CallOptions options;
  options.metadata.add("x-tenant", "17");
  options.metadata.add("authorization", "Bearer 0123456789abcdef0123456789abcdef");
  const Counts counts = count(100, options);
  EXPECT_LE(counts.server, kAround);
  EXPECT_LE(counts.client,
            kCalls + 100 + kAround);  // the copies that the calls and their callers have of the token
}

}  // namespace
}  // namespace minigrpc
