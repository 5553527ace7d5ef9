// The black-box suite: what etcd's documentation says of its v3 API, as expectations that a real etcd meets, too. Each
// test runs against every registry that there is, each time a new one.
//
//   TEST_P(Kv, RangesHaveALimit) {
//     put("a", "1");
//     EXPECT_EQ(text(range(R"(key: "a" limit: 1)")), R"(...)");
//   }
//
// Requests are written as protobuf's text format, answers are compared in it. Where etcd 3.4 and 3.6 differ, a comment
// says what minigrpcd does, and the expectation names the registry.
//
// Thread rule: one thread.
#pragma once

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <minigrpc/channel.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "etcd/api/auth.minigrpc.h"
#include "etcd/api/cluster.minigrpc.h"
#include "etcd/api/election.minigrpc.h"
#include "etcd/api/kv.minigrpc.h"
#include "etcd/api/lease.minigrpc.h"
#include "etcd/api/lock.minigrpc.h"
#include "etcd/api/maintenance.minigrpc.h"
#include "etcd/api/watch.minigrpc.h"
#include "support/registry.h"

namespace minigrpc::testing {

using namespace std::chrono_literals;
using namespace etcdserverpb;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A request from its text; a mistake in it is a failure of the test.
template <class Message>
Message parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// On one line, without the header.
template <class Message>
std::string text(Message message) {
  message.clear_header();
  return message.ShortDebugString();
}

// "k=v", then create, mod, version and, if there is one, lease.
std::string describe(const mvccpb::KeyValue& kv);
// "PUT k=v 2,3,2" or "DELETE k 4", and " (was …)" with the value before.
std::string describe(const mvccpb::Event& event);
std::vector<std::string> describe(const WatchResponse& response);

// One Watch call, answer by answer.
class WatchStream {
 public:
  explicit WatchStream(Channel& channel, CallOptions options = {});
  // The answer to a WatchCreateRequest.
  WatchResponse create(const std::string& request);
  void send(const std::string& request);
  WatchResponse next();
  // As many events as asked for at least, described; a revision that comes in two answers is a failure.
  std::vector<std::string> events(std::size_t count);
  // Whether nothing comes until an answer that was asked for after everything else: progress, of all watchers. `request`
  // is what sets it off.
  void expect_silence();
  Status finish();

 private:
  using Call = ClientStream<WatchRequest, WatchResponse>;
  static Task<bool> write(Call* call, WatchRequest request);
  static Task<std::optional<WatchResponse>> read(Call* call);
  static Task<Status> finish(Call* call);
  Call call_;
};

class Api : public ::testing::TestWithParam<RegistryKind> {
 protected:
  explicit Api(std::vector<std::string> flags = {}) : registry(GetParam(), std::move(flags)) {}
  void SetUp() override { ASSERT_TRUE(registry.started()) << registry.log(); }
  bool is_etcd() const { return GetParam() == RegistryKind::kEtcd; }
  CallOptions options() const;

  template <class T>
  static Result<T> run(Task<Result<T>> task) {
    return sync_wait(std::move(task), std::chrono::steady_clock::now() + 30s);
  }
  // The answer of a call that succeeds.
  template <class T>
  static T get(Task<Result<T>> task) {
    Result<T> result = run(std::move(task));
    if (!result) ADD_FAILURE() << result.error().to_string();
    return result ? *std::move(result) : T();
  }
  // "CODE: message" of one that does not; empty for one that does.
  template <class T>
  static std::string refusal(Task<Result<T>> task) {
    const Result<T> result = run(std::move(task));
    return result ? std::string() : result.error().to_string();
  }

  PutResponse put(const std::string& key, const std::string& value, std::int64_t lease = 0);
  RangeResponse range(const std::string& request);
  // "k=v c,m,v" of each.
  std::vector<std::string> keys(const std::string& request);
  DeleteRangeResponse erase(const std::string& request);
  TxnResponse txn(const std::string& request);
  std::string put_refusal(const std::string& request);
  std::string range_refusal(const std::string& request);
  std::string txn_refusal(const std::string& request);

  // Signs in; the token goes with every later call. Empty: nobody.
  void sign_in(const std::string& user, const std::string& password);

  Registry registry;
  Runtime runtime{{.loops = 1}};
  Channel channel{runtime, registry.endpoint()};
  KV::Client kv{channel};
  Lease::Client lease{channel};
  Cluster::Client cluster{channel};
  Maintenance::Client maintenance{channel};
  Auth::Client auth{channel};
  v3lockpb::Lock::Client lock{channel};
  v3electionpb::Election::Client election{channel};
  std::string token;
};

// Of what minigrpcd alone can be asked: its own answers, its own flags, what Debian's etcd is too old for.
#define INSTANTIATE_MINIGRPCD_TEST(Suite)                                                  \
  INSTANTIATE_TEST_SUITE_P(Registries, Suite, ::testing::Values(RegistryKind::kMinigrpcd), \
                           [](const auto& one) { return name_of(one.param); })

#define INSTANTIATE_API_TEST(Suite)                                                                       \
  INSTANTIATE_TEST_SUITE_P(Registries, Suite, ::testing::ValuesIn(registry_kinds()),                      \
                           [](const auto& one) { return name_of(one.param); })

}  // namespace minigrpc::testing
