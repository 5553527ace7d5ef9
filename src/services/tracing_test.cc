// Traces across real calls: a consumer, a shop that asks a stock, and a collector that is a minigrpc server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/generated.h>
#include <minigrpc/tracing.h>

#include <map>
#include <mutex>

#include "grpc/health/v1/health.minigrpc.h"
#include "otlp/trace.pb.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceparentTest, WhatIsWrittenIsRead) {
  const std::optional<SpanContext> span = parse_traceparent(kParent);
  ASSERT_TRUE(span);
  EXPECT_EQ(span->trace_id[0], 0x4b);
  EXPECT_EQ(span->span_id[7], 0xb7);
  EXPECT_TRUE(span->sampled);
  EXPECT_EQ(format_traceparent(*span), kParent);
}

TEST(TraceparentTest, WhatTheDocumentCallsInvalidIsNone) {
  for (const std::string_view text :
       {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    EXPECT_FALSE(parse_traceparent(text)) << text;
  // A later version: what this one knows of it.
  EXPECT_TRUE(parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more"));
}

class Collector final : public Service {
 public:
  std::string_view service_name() const override { return "opentelemetry.proto.collector.trace.v1.TraceService"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {
        {{"/opentelemetry.proto.collector.trace.v1.TraceService/Export", MethodKind::kUnary},
         &detail::serve_unary<Collector, otlp::ExportTraceServiceRequest, otlp::ExportTraceServiceResponse,
                              &Collector::Export>}};
    return kMethods;
  }
  Task<Result<otlp::ExportTraceServiceResponse>> Export(ServerContext&, otlp::ExportTraceServiceRequest request) {
    const std::lock_guard lock(mutex_);
    for (const auto& resource : request.resource_spans()) {
      for (const auto& attribute : resource.resource().attributes())
        resource_[attribute.key()] = attribute.value().string_value();
      for (const auto& scope : resource.scope_spans())
        for (const auto& span : scope.spans()) spans_.push_back(span);
    }
    otlp::ExportTraceServiceResponse response;
    co_return response;
  }
  std::vector<otlp::Span> spans() {
    const std::lock_guard lock(mutex_);
    return spans_;
  }
  std::string resource(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return resource_[key];
  }

 private:
  std::mutex mutex_;
  std::vector<otlp::Span> spans_;
  std::map<std::string, std::string> resource_;
};

// Answers by asking another, if it has one; "" is not found.
class Node final : public grpc::health::v1::Health::Handler {
 public:
  explicit Node(const Channel* next) : next_(next) {}
  Task<Result<HealthCheckResponse>> Check(ServerContext& context, HealthCheckRequest request) override {
    const SpanContext* span = context.value<SpanContext>();
    EXPECT_NE(span, nullptr);
    if (request.service().empty()) co_return Status(StatusCode::kNotFound, "no name");
    HealthCheckResponse response;
    if (next_ != nullptr) {
      grpc::health::v1::Health::Client client(*next_);
      auto asking = client.Check(request, {.timeout = 20s});
      Result<HealthCheckResponse> answer = co_await asking;
      co_return answer;
    }
    response.set_status(HealthCheckResponse::SERVING);
    co_return response;
  }

 private:
  const Channel* const next_;
};

class TracingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    collector_server_.add(collector_);
    const Result<std::uint16_t> port = collector_server_.listen("127.0.0.1:0");
    ASSERT_TRUE(port);
    collector_target_ = "127.0.0.1:" + std::to_string(*port);
  }
  static std::string listen(Server& server, Node& node) {
    server.add(node);
    return "127.0.0.1:" + std::to_string(server.listen("127.0.0.1:0").value());
  }
  static Result<HealthCheckResponse> check(const Channel& channel, const std::string& service, CallOptions options = {}) {
    HealthCheckRequest request;
    request.set_service(service);
    options.timeout = 20s;
    return sync_wait(grpc::health::v1::Health::Client(channel).Check(request, std::move(options)));
  }

  Runtime runtime_{{.loops = 2}};
  Collector collector_;
  Server collector_server_{runtime_};
  std::string collector_target_;
};

TEST_F(TracingTest, ACallWithinACallContinuesItsTrace) {
  Tracer tracer(runtime_, {.service_name = "shop", .resource = {{"service.version", "7"}}, .collector = collector_target_});
  Server stock(runtime_, {.interceptors = {tracer.server()}});
  Node stock_node(nullptr);
  const Channel to_stock(runtime_, listen(stock, stock_node), {.interceptors = {tracer.client()}});
  Server shop(runtime_, {.interceptors = {tracer.server()}});
  Node shop_node(&to_stock);
  const Channel to_shop(runtime_, listen(shop, shop_node), {.interceptors = {tracer.client()}});

  const Result<HealthCheckResponse> answer = check(to_shop, "x");
  ASSERT_TRUE(answer) << answer.error().to_string();
  sync_wait(tracer.shutdown(20s));

  const std::vector<otlp::Span> spans = collector_.spans();
  ASSERT_EQ(spans.size(), 4u);
  EXPECT_EQ(tracer.counters().spans_exported, 4u);
  std::map<std::string, const otlp::Span*> children;
  for (const auto& span : spans) {
    EXPECT_EQ(span.trace_id(), spans[0].trace_id());
    EXPECT_EQ(span.name(), "grpc.health.v1.Health/Check");
    EXPECT_GE(span.end_time_unix_nano(), span.start_time_unix_nano());
    children[span.parent_span_id()] = &span;
  }
  // One chain: client, server, client, server.
  const otlp::Span* span = children[""];
  for (const auto kind : {otlp::Span::SPAN_KIND_CLIENT, otlp::Span::SPAN_KIND_SERVER,
                          otlp::Span::SPAN_KIND_CLIENT, otlp::Span::SPAN_KIND_SERVER}) {
    ASSERT_NE(span, nullptr);
    EXPECT_EQ(span->kind(), kind);
    EXPECT_EQ(span->span_id().size(), 8u);
    span = children[span->span_id()];
  }
  EXPECT_EQ(collector_.resource("service.name"), "shop");
  EXPECT_EQ(collector_.resource("service.version"), "7");
}

TEST_F(TracingTest, TheCallersContextAndDecisionAreKept) {
  Tracer tracer(runtime_, {.collector = collector_target_, .sample_ratio = 0});
  Server server(runtime_, {.interceptors = {tracer.server()}});
  Node node(nullptr);
  const Channel channel(runtime_, listen(server, node));
  CallOptions options;
  options.metadata.add("traceparent", std::string(kParent));
  options.metadata.add("tracestate", "vendor=1");
  ASSERT_FALSE(check(channel, "", options));
  ASSERT_TRUE(check(channel, "x"));  // begins a trace, which the ratio leaves out
  sync_wait(tracer.shutdown(20s));
  const std::vector<otlp::Span> spans = collector_.spans();
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].trace_id()[0], 0x4b);
  EXPECT_EQ(static_cast<unsigned char>(spans[0].parent_span_id()[7]), 0xb7);
  EXPECT_EQ(spans[0].trace_state(), "vendor=1");
  // NOT_FOUND is an answer, not the server's failure.
  EXPECT_EQ(spans[0].status().code(), otlp::SpanStatus::STATUS_CODE_UNSET);
}

TEST_F(TracingTest, WithoutACollectorCallsGoOnAndSpansAreCounted) {
  Tracer tracer(runtime_, {.collector = "127.0.0.1:1", .queue_max = 2, .batch_delay = 1ms, .export_timeout = 100ms});
  Server server(runtime_, {.interceptors = {tracer.server()}});
  Node node(nullptr);
  const Channel channel(runtime_, listen(server, node));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(check(channel, "x"));
  sync_wait(tracer.shutdown(5s));
  EXPECT_EQ(tracer.counters().spans_exported, 0u);
  EXPECT_EQ(tracer.counters().spans_dropped, 20u);
}

}  // namespace
}  // namespace minigrpc
