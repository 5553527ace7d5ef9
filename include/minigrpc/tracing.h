// Tracing: W3C trace context on both sides of a call, and spans for OpenTelemetry, sent over OTLP/gRPC.
//
//   Tracer tracer(runtime, {.service_name = "shop", .collector = "127.0.0.1:4317"});
//   Server server(runtime, {.interceptors = {tracer.server()}});
//   Channel channel(runtime, target, {.interceptors = {tracer.client()}});
//   …
//   sync_wait(tracer.shutdown(5s));               // what waits is sent
//
// A call that a handler makes through such a channel continues the trace of the handler's own call by itself. A server
// that gets no context begins a trace. What the collector does not take is dropped and counted: no call waits for it.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/interceptor.h>
#include <minigrpc/runtime.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minigrpc {

// A span as others see it (W3C Trace Context, level 1).
struct SpanContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  bool sampled = false;
  std::string trace_state{};  // "tracestate" as it came, passed on
};

// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".
std::string format_traceparent(const SpanContext& span);
// Nothing for one that the document calls invalid; a later version counts as far as this one is in it.
std::optional<SpanContext> parse_traceparent(std::string_view text);

struct TracerOptions {
  std::string service_name = "unknown_service";
  // Further attributes of the resource: "deployment.environment", "service.version" …
  std::vector<std::pair<std::string, std::string>> resource{};
  // A channel's target; empty = contexts are passed on, and nothing is sent.
  std::string collector = "127.0.0.1:4317";
  ChannelOptions channel{};
  // Of the traces that begin here, how many are recorded, 0 to 1. A caller's decision is kept.
  double sample_ratio = 1.0;
  // Spans that wait; more are dropped.
  std::size_t queue_max = 4096;
  // How many go out in one request, and how long one waits for others.
  std::size_t batch_max = 512;
  std::chrono::milliseconds batch_delay{2000};
  std::chrono::milliseconds export_timeout{10'000};
};

struct TracerCounters {
  std::uint64_t spans_exported = 0;
  std::uint64_t spans_dropped = 0;  // the queue was full, or the collector did not take them
};

class Tracer {
 public:
  explicit Tracer(Runtime& runtime, TracerOptions options = {});
  // Drops what waits.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Handlers find their span with ServerContext::value<SpanContext>(). Each may outlive this, and then records nothing.
  std::shared_ptr<ServerInterceptor> server();
  std::shared_ptr<ClientInterceptor> client();

  TracerCounters counters() const;
  // Sends what waits, for at most that long, and nothing afterwards.
  Task<void> shutdown(std::chrono::nanoseconds timeout);

 private:
  class Exporter;
  class ServerSide;
  class ClientSide;
  std::shared_ptr<Exporter> exporter_;
};

}  // namespace minigrpc
