#include <minigrpc/channel.h>
#include <minigrpc/health.h>

#include <gtest/gtest.h>

#include "grpc/health/v1/health.minigrpc.h"

namespace minigrpc {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;
using Client = grpc::health::v1::Health::Client;
using std::chrono::seconds;

class HealthTest : public ::testing::Test {
 protected:
  HealthTest() {
    server_.add(health_.service());
    const std::uint16_t port = server_.listen("127.0.0.1:0").value();
    channel_.emplace(runtime_, "127.0.0.1:" + std::to_string(port));
  }
  ~HealthTest() override {
    channel_->shutdown();
    sync_wait(server_.shutdown(seconds(0)));
  }

  Result<HealthCheckResponse> check(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return sync_wait(Client(*channel_).Check(request, {.timeout = seconds(20)}));
  }
  ClientReader<HealthCheckResponse> watch(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return Client(*channel_).Watch(request, {.timeout = seconds(20)});
  }
  static HealthCheckResponse::ServingStatus next(ClientReader<HealthCheckResponse>& reader) {
    std::optional<HealthCheckResponse> answer = sync_wait(read(&reader));
    EXPECT_TRUE(answer.has_value());
    return answer ? answer->status() : HealthCheckResponse::UNKNOWN;
  }
  static Task<std::optional<HealthCheckResponse>> read(ClientReader<HealthCheckResponse>* reader) {
    auto reading = reader->read();
    std::optional<HealthCheckResponse> answer = co_await reading;
    co_return answer;
  }
  static Task<Status> finish(ClientReader<HealthCheckResponse>* reader) {
    auto finishing = reader->finish();
    Status status = co_await finishing;
    co_return status;
  }

  Runtime runtime_{{.loops = 2}};
  Health health_;
  Server server_{runtime_};
  std::optional<Channel> channel_;
};

TEST_F(HealthTest, CheckKnowsWhatWasSet) {
  EXPECT_EQ(check("")->status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(check("a.B").error().code(), StatusCode::kNotFound);
  health_.set_serving("a.B", Serving::kServing);
  EXPECT_EQ(check("a.B")->status(), HealthCheckResponse::SERVING);
  health_.set_serving("a.B", Serving::kNotServing);
  EXPECT_EQ(check("a.B")->status(), HealthCheckResponse::NOT_SERVING);
  health_.forget("a.B");
  EXPECT_EQ(check("a.B").error().code(), StatusCode::kNotFound);
}

TEST_F(HealthTest, ListNamesAll) {
  health_.set_serving("a.B", Serving::kNotServing);
  const Result<HealthListResponse> list =
      sync_wait(Client(*channel_).List(HealthListRequest(), {.timeout = seconds(20)}));
  ASSERT_TRUE(list) << list.error().to_string();
  ASSERT_EQ(list->statuses().size(), 2u);
  EXPECT_EQ(list->statuses().at("").status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(list->statuses().at("a.B").status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthTest, WatchHearsEveryChange) {
  auto reader = watch("a.B");
  EXPECT_EQ(next(reader), HealthCheckResponse::SERVICE_UNKNOWN);
  health_.set_serving("a.B", Serving::kServing);
  EXPECT_EQ(next(reader), HealthCheckResponse::SERVING);
  health_.set_serving("other", Serving::kServing);
  health_.set_serving("a.B", Serving::kServing);
  health_.set_serving("a.B", Serving::kNotServing);
  EXPECT_EQ(next(reader), HealthCheckResponse::NOT_SERVING);
  health_.forget("a.B");
  EXPECT_EQ(next(reader), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthTest, ShutdownIsForGood) {
  auto reader = watch("");
  EXPECT_EQ(next(reader), HealthCheckResponse::SERVING);
  health_.shutdown();
  EXPECT_EQ(next(reader), HealthCheckResponse::NOT_SERVING);
  health_.set_serving("", Serving::kServing);
  health_.set_serving("late", Serving::kServing);
  EXPECT_EQ(check("")->status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(check("late")->status(), HealthCheckResponse::NOT_SERVING);
  health_.end_watches();
  EXPECT_FALSE(sync_wait(read(&reader)));
  EXPECT_EQ(sync_wait(finish(&reader)).code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace minigrpc
