#include <minigrpc/channel.h>
#include <minigrpc/registry.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "etcd/api/kv.minigrpc.h"
#include "etcd/api/lease.minigrpc.h"
#include "etcd/api/lock.minigrpc.h"
#include "etcd/api/watch.minigrpc.h"

namespace minigrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using WatchCall = ClientStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>;

const CallOptions kSoon{.timeout = seconds(30)};

class RegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Registry>> registry = Registry::start(
        runtime_, {.listen_addresses = {"127.0.0.1:0"}, .watch_progress_interval = milliseconds(50)});
    ASSERT_TRUE(registry) << registry.error().to_string();
    registry_ = *std::move(registry);
    channel_.emplace(runtime_, registry_->addresses().front());
  }
  void TearDown() override {
    channel_->shutdown();
    sync_wait(registry_->shutdown(seconds(0)));
  }

  std::int64_t put(const std::string& key, const std::string& value) {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    const Result<etcdserverpb::PutResponse> answer =
        sync_wait(etcdserverpb::KV::Client(*channel_).Put(request, kSoon));
    EXPECT_TRUE(answer) << answer.error().to_string();
    return answer ? answer->header().revision() : 0;
  }
  WatchCall watch() { return etcdserverpb::Watch::Client(*channel_).Watch(kSoon); }
  static Task<bool> create(WatchCall* call, etcdserverpb::WatchCreateRequest create) {
    etcdserverpb::WatchRequest request;
    *request.mutable_create_request() = std::move(create);
    auto writing = call->write(request);
    const bool written = co_await writing;
    co_return written;
  }
  static Task<std::optional<etcdserverpb::WatchResponse>> next(WatchCall* call) {
    auto reading = call->read();
    std::optional<etcdserverpb::WatchResponse> response = co_await reading;
    co_return response;
  }
  static Task<Status> finish(WatchCall* call) {
    auto finishing = call->finish();
    Status status = co_await finishing;
    co_return status;
  }
  static etcdserverpb::WatchCreateRequest everything(std::int64_t from) {
    etcdserverpb::WatchCreateRequest request;
    request.set_key(std::string(1, '\0'));
    request.set_range_end(std::string(1, '\0'));
    request.set_start_revision(from);
    return request;
  }

  Runtime runtime_{{.loops = 2}};
  std::unique_ptr<Registry> registry_;
  std::optional<Channel> channel_;
};

// Many writers at once, on several connections; watchers that start before, in between and afterwards see the same.
TEST_F(RegistryTest, WatchersSeeEveryWriteOnceInOrder) {
  constexpr int kThreads = 4;
  constexpr int kWrites = 100;
  constexpr int kWatchers = 6;
  const std::int64_t first = registry_->revision() + 1;
  const std::int64_t last = first + kThreads * kWrites - 1;
  std::vector<std::vector<std::int64_t>> seen(kWatchers);
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number)
    threads.emplace_back([&, number] {
      for (int i = 0; i < kWrites; ++i) put("k" + std::to_string(number), std::to_string(i));
    });
  for (int number = 0; number < kWatchers; ++number)
    threads.emplace_back([&, number] {
      // Each begins when some of the writes are done.
      while (registry_->revision() < first + number * 70) std::this_thread::yield();
      WatchCall call = watch();
      ASSERT_TRUE(sync_wait(create(&call, everything(first))));
      std::vector<std::int64_t>& revisions = seen[static_cast<std::size_t>(number)];
      while (revisions.empty() || revisions.back() < last) {
        const std::optional<etcdserverpb::WatchResponse> response = sync_wait(next(&call));
        ASSERT_TRUE(response);
        for (const mvccpb::Event& event : response->events()) revisions.push_back(event.kv().mod_revision());
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::vector<std::int64_t> expected;
  for (std::int64_t revision = first; revision <= last; ++revision) expected.push_back(revision);
  for (const auto& revisions : seen) EXPECT_EQ(revisions, expected);
}

TEST_F(RegistryTest, ASilentWatcherHearsOfProgress) {
  WatchCall call = watch();
  etcdserverpb::WatchCreateRequest request;
  request.set_key("nobody writes it");
  request.set_progress_notify(true);
  ASSERT_TRUE(sync_wait(create(&call, request)));
  EXPECT_TRUE(sync_wait(next(&call))->created());
  const std::int64_t revision = put("other", "v");
  for (;;) {
    const std::optional<etcdserverpb::WatchResponse> response = sync_wait(next(&call));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->events_size(), 0);
    EXPECT_EQ(response->watch_id(), 0);
    if (response->header().revision() == revision) break;
  }
}

TEST_F(RegistryTest, ALargeTransactionComesInFragmentsWhereAskedFor) {
  WatchCall call = watch();
  etcdserverpb::WatchCreateRequest request = everything(registry_->revision() + 1);
  request.set_fragment(true);
  request.set_prev_kv(true);
  ASSERT_TRUE(sync_wait(create(&call, request)));
  EXPECT_TRUE(sync_wait(next(&call))->created());
  // Each write is within the request's limit; the deletion of all, with what was there before, is not.
  for (const char* key : {"a", "b", "c"}) put(key, std::string(1'000'000, 'x'));
  etcdserverpb::DeleteRangeRequest remove;
  remove.set_key("a");
  remove.set_range_end("d");
  ASSERT_TRUE(sync_wait(etcdserverpb::KV::Client(*channel_).DeleteRange(remove, kSoon)));
  std::vector<bool> fragments;
  for (int events = 0; events < 6;) {
    const std::optional<etcdserverpb::WatchResponse> response = sync_wait(next(&call));
    ASSERT_TRUE(response);
    events += response->events_size();
    if (response->events(0).type() == mvccpb::Event::DELETE) fragments.push_back(response->fragment());
  }
  EXPECT_THAT(fragments, ::testing::ElementsAre(true, false));
}

TEST_F(RegistryTest, ShutdownEndsWatchersAndStopsWrites) {
  WatchCall call = watch();
  ASSERT_TRUE(sync_wait(create(&call, everything(1))));
  EXPECT_TRUE(sync_wait(next(&call))->created());
  EXPECT_TRUE(sync_wait(registry_->check()).ok());
  sync_wait(registry_->shutdown(seconds(20)));
  while (sync_wait(next(&call))) continue;
  const Status status = sync_wait(finish(&call));
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "etcdserver: server stopped");
}

// Clients keep these calls open for as long as they live: they must not hold up the end.
TEST_F(RegistryTest, ShutdownEndsKeepalivesAndWaitsForLocks) {
  auto keepalive = etcdserverpb::Lease::Client(*channel_).LeaseKeepAlive(kSoon);
  auto ask = [](decltype(keepalive)& call) -> Task<bool> {
    const etcdserverpb::LeaseKeepAliveRequest request;
    auto writing = call.write(request);
    bool open = co_await writing;
    auto reading = call.read();
    const auto answer = co_await reading;
    open = open && answer.has_value();
    co_return open;
  };
  ASSERT_TRUE(sync_wait(ask(keepalive)));
  v3lockpb::LockRequest request;
  request.set_name("l");
  ASSERT_TRUE(sync_wait(v3lockpb::Lock::Client(*channel_).Lock(request, kSoon)));
  const std::int64_t revision = registry_->revision();
  Result<v3lockpb::LockResponse> second = Status(StatusCode::kUnknown, "");
  std::thread waiter([&] { second = sync_wait(v3lockpb::Lock::Client(*channel_).Lock(request, kSoon)); });
  while (registry_->revision() == revision) std::this_thread::yield();
  const auto begin = std::chrono::steady_clock::now();
  sync_wait(registry_->shutdown(seconds(20)));
  waiter.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  EXPECT_EQ(second.status().message(), "etcdserver: server stopped");
}

TEST(RegistryStartTest, APortInUseIsNamed) {
  Runtime runtime({.loops = 1});
  const auto first = Registry::start(runtime, {.listen_addresses = {"127.0.0.1:0"}});
  ASSERT_TRUE(first);
  const std::string address = (*first)->addresses().front();
  const auto second = Registry::start(runtime, {.listen_addresses = {address}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), StatusCode::kUnavailable);
  EXPECT_THAT(second.error().message(), ::testing::HasSubstr(address));
}

TEST(RegistryStartTest, MayBeReachedFromItsProcessOnly) {
  Runtime runtime({.loops = 1});
  const auto registry = Registry::start(runtime, {.listen_addresses = {"in-process:registry-test"}});
  ASSERT_TRUE(registry) << registry.error().to_string();
  EXPECT_EQ((*registry)->addresses().front(), "in-process:registry-test");
  Channel channel(runtime, "in-process:registry-test");
  etcdserverpb::PutRequest request;
  request.set_key("k");
  const auto answer = sync_wait(etcdserverpb::KV::Client(channel).Put(request, kSoon));
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->header().revision(), 2);
}

TEST(RegistryStartTest, WantsACertificateForHttps) {
  Runtime runtime({.loops = 1});
  const auto registry = Registry::start(runtime, {.listen_addresses = {"https://127.0.0.1:0"}});
  ASSERT_FALSE(registry);
  EXPECT_EQ(registry.error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace minigrpc
