#include <minigrpc/generated.h>
#include <minigrpc/tracing.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <random>

#include "otlp/trace.pb.h"

namespace minigrpc {

namespace {

constexpr MethodDescriptor kExport{"/opentelemetry.proto.collector.trace.v1.TraceService/Export", MethodKind::kUnary};

constexpr std::string_view kTraceparent = "traceparent";
constexpr std::string_view kTracestate = "tracestate";
// What the document asks everybody to pass on at least; longer ones are dropped, whole.
constexpr std::size_t kTraceStateSizeMax = 512;

std::uint64_t random_number() {
  static thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return generator();
}

// All zeros is no id.
template <std::size_t N>
void fill_random(std::array<std::uint8_t, N>& id) {
  do {
    for (std::size_t i = 0; i < N; i += 8) {
      const std::uint64_t number = random_number();
      for (std::size_t byte = 0; byte < 8; ++byte) id[i + byte] = static_cast<std::uint8_t>(number >> (8 * byte));
    }
  } while (std::ranges::all_of(id, [](std::uint8_t byte) { return byte == 0; }));
}

void append_hex(std::string& text, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
}

// Lower case only, as the document has it.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  if (text.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

template <std::size_t N>
std::string bytes_of(const std::array<std::uint8_t, N>& id) {
  return std::string(id.begin(), id.end());
}

std::uint64_t unix_nanoseconds(std::chrono::system_clock::time_point time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

void add_attribute(google::protobuf::RepeatedPtrField<otlp::KeyValue>& attributes, std::string_view key,
                   std::string_view value) {
  otlp::KeyValue& attribute = *attributes.Add();
  attribute.set_key(key.data(), key.size());
  attribute.mutable_value()->set_string_value(value.data(), value.size());
}

// What a client is told to be the server's fault, by OpenTelemetry's conventions for gRPC; on clients every failure is.
bool is_server_error(StatusCode code) {
  switch (code) {
    case StatusCode::kUnknown:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnimplemented:
    case StatusCode::kInternal:
    case StatusCode::kUnavailable:
    case StatusCode::kDataLoss: return true;
    default: return false;
  }
}

using Kind = otlp::Span;

// A span that is open. Its start is taken by both clocks, so that its length is right when the time is set meanwhile.
class OpenSpan {
 public:
  OpenSpan(const SpanContext& context, std::optional<SpanContext> parent)
      : context_(context), parent_(std::move(parent)) {}

  Kind end(std::string_view path, otlp::Span::SpanKind kind, const Status& status,
           std::string_view peer) const {
    Kind span;
    span.set_trace_id(bytes_of(context_.trace_id));
    span.set_span_id(bytes_of(context_.span_id));
    span.set_trace_state(context_.trace_state);
    if (parent_) span.set_parent_span_id(bytes_of(parent_->span_id));
    if (path.starts_with('/')) path.remove_prefix(1);
    span.set_name(path.data(), path.size());
    span.set_kind(kind);
    span.set_start_time_unix_nano(unix_nanoseconds(begun_at_));
    const auto length = Runtime::now() - begun_;
    span.set_end_time_unix_nano(
        unix_nanoseconds(begun_at_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(length)));
    span.set_flags(context_.sampled ? 1 : 0);
    auto& attributes = *span.mutable_attributes();
    add_attribute(attributes, "rpc.system", "grpc");
    const std::size_t slash = std::min(path.rfind('/'), path.size());
    add_attribute(attributes, "rpc.service", path.substr(0, slash));
    add_attribute(attributes, "rpc.method", path.substr(std::min(slash + 1, path.size())));
    if (!peer.empty()) add_attribute(attributes, "network.peer.address", peer);
    otlp::KeyValue& code = *attributes.Add();
    code.set_key("rpc.grpc.status_code");
    code.mutable_value()->set_int_value(static_cast<int>(status.code()));
    const bool failed = kind == Kind::SPAN_KIND_SERVER ? is_server_error(status.code()) : !status.ok();
    if (failed) {
      span.mutable_status()->set_code(otlp::SpanStatus::STATUS_CODE_ERROR);
      span.mutable_status()->set_message(status.message());
    }
    return span;
  }

 private:
  const SpanContext context_;
  const std::optional<SpanContext> parent_;
  const std::chrono::system_clock::time_point begun_at_ = std::chrono::system_clock::now();
  const TimePoint begun_ = Runtime::now();
};

}  // namespace

// ---- W3C ----

std::string format_traceparent(const SpanContext& span) {
  std::string text = "00-";
  append_hex(text, span.trace_id);
  text += '-';
  append_hex(text, span.span_id);
  text += span.sampled ? "-01" : "-00";
  return text;
}

std::optional<SpanContext> parse_traceparent(std::string_view text) {
  constexpr std::size_t kSize = 55;
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  SpanContext span;
  if (!parse_hex(text.substr(0, 2), version) || !parse_hex(text.substr(3, 32), span.trace_id) ||
      !parse_hex(text.substr(36, 16), span.span_id) || !parse_hex(text.substr(53, 2), flags))
    return std::nullopt;
  const bool longer = text.size() > kSize;
  if (version[0] == 0xff || (version[0] == 0 && longer) || (longer && text[kSize] != '-')) return std::nullopt;
  const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
  if (std::ranges::all_of(span.trace_id, is_zero) || std::ranges::all_of(span.span_id, is_zero)) return std::nullopt;
  span.sampled = (flags[0] & 1) != 0;
  return span;
}

// ---- sending ----

class Tracer::Exporter {
 public:
  Exporter(Runtime& runtime, TracerOptions options)
      : runtime_(runtime), options_(std::move(options)), ratio_(std::clamp(options_.sample_ratio, 0.0, 1.0)) {
    if (options_.collector.empty()) {
      over_ = true;
      return;
    }
    channel_.emplace(runtime, options_.collector, options_.channel);
    scope_.emplace(runtime);
    scope_->spawn(run());
  }
  ~Exporter() { stop(); }
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // The one that continues `parent`, or begins a trace.
  SpanContext begin(const SpanContext* parent) const {
    SpanContext span;
    if (parent != nullptr) {
      span = *parent;
    } else {
      fill_random(span.trace_id);
      // From the id, so that everybody who decides by it decides alike.
      std::uint64_t tail = 0;
      for (std::size_t i = 8; i < 16; ++i) tail = tail << 8 | span.trace_id[i];
      span.sampled = static_cast<double>(tail) < ratio_ * 0x1p64;
    }
    fill_random(span.span_id);
    return span;
  }

  void add(Kind span) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (queue_.size() >= options_.queue_max) {
      ++counters_.spans_dropped;
      return;
    }
    queue_.push_back(std::move(span));
    if (queue_.size() == 1 || queue_.size() == options_.batch_max) wake_.set();
  }

  TracerCounters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

  Task<void> shutdown(std::chrono::nanoseconds timeout) {
    const TimePoint until = Runtime::now() + std::chrono::duration_cast<TimePoint::duration>(timeout);
    {
      const std::lock_guard lock(mutex_);
      if (over_) co_return;
      over_ = true;
    }
    wake_.set();
    Task<bool> waiting = done_.wait_until(runtime_, until);
    co_await waiting;
    Task<void> stopping = scope_->stop();
    co_await stopping;
  }

  // From no event loop.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      counters_.spans_dropped += queue_.size();
      queue_.clear();
    }
    scope_.reset();
  }

 private:
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  bool over() const {
    const std::lock_guard lock(mutex_);
    return over_;
  }

  Task<void> run() {
    TaskContext& context = co_await current_context();
    while (!context.cancelled()) {
      Task<bool> hearing = wake_.wait();
      const bool woken = co_await hearing;
      if (!woken) break;
      wake_.reset();
      // Others may come; enough of them, or the end, wake it.
      if (waiting() < options_.batch_max && !over()) {
        Task<bool> gathering = wake_.wait_until(runtime_, Runtime::now() + options_.batch_delay);
        co_await gathering;
        wake_.reset();
      }
      while (waiting() > 0 && !context.cancelled()) {
        Task<void> sending = send_batch();
        co_await sending;
      }
      if (over()) break;
    }
    done_.set();
  }

  Task<void> send_batch() {
    otlp::ExportTraceServiceRequest request;
    const std::size_t count = take_batch(&request);
    // One try, and its time: what a collector does not take is gone, and the next have their turn.
    CallOptions options;
    options.timeout = options_.export_timeout;
    options.wait_for_ready = true;
    auto exporting = detail::unary<otlp::ExportTraceServiceResponse>(*channel_, kExport, request, std::move(options));
    const Result<otlp::ExportTraceServiceResponse> response = co_await exporting;
    const std::lock_guard lock(mutex_);
    if (!response) {
      counters_.spans_dropped += count;
      co_return;
    }
    const auto rejected = static_cast<std::size_t>(std::max<std::int64_t>(0, response->partial_success().rejected_spans()));
    counters_.spans_dropped += std::min(rejected, count);
    counters_.spans_exported += count - std::min(rejected, count);
  }

  std::size_t take_batch(otlp::ExportTraceServiceRequest* request) {
    otlp::ResourceSpans& spans = *request->add_resource_spans();
    auto& attributes = *spans.mutable_resource()->mutable_attributes();
    add_attribute(attributes, "service.name", options_.service_name);
    add_attribute(attributes, "telemetry.sdk.language", "cpp");
    add_attribute(attributes, "telemetry.sdk.name", "minigrpc");
    for (const auto& [key, value] : options_.resource) add_attribute(attributes, key, value);
    otlp::ScopeSpans& scope = *spans.add_scope_spans();
    scope.mutable_scope()->set_name("minigrpc");
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(queue_.size(), options_.batch_max);
    for (std::size_t i = 0; i < count; ++i) {
      *scope.add_spans() = std::move(queue_.front());
      queue_.pop_front();
    }
    return count;
  }

  Runtime& runtime_;
  const TracerOptions options_;
  const double ratio_;
  mutable std::mutex mutex_;
  std::deque<Kind> queue_;
  TracerCounters counters_;
  bool over_ = false;
  AsyncEvent wake_;
  AsyncEvent done_;
  std::optional<Channel> channel_;
  std::optional<TaskScope> scope_;  // last: its task ends before what it uses
};

// ---- around calls ----

namespace {

std::optional<SpanContext> caller_of(const Metadata& metadata) {
  const std::optional<std::string_view> header = metadata.get(kTraceparent);
  std::optional<SpanContext> caller = header ? parse_traceparent(*header) : std::nullopt;
  if (!caller) return std::nullopt;
  for (const Metadata::Entry& entry : metadata) {
    if (entry.name != kTracestate) continue;
    if (!caller->trace_state.empty()) caller->trace_state += ',';
    caller->trace_state += entry.value;
  }
  if (caller->trace_state.size() > kTraceStateSizeMax) caller->trace_state.clear();
  return caller;
}

}  // namespace

class Tracer::ServerSide final : public ServerInterceptor {
 public:
  explicit ServerSide(std::weak_ptr<Exporter> exporter) : exporter_(std::move(exporter)) {}
  Task<Status> intercept(ServerContext& context, NextServer next) override {
    const std::shared_ptr<Exporter> exporter = exporter_.lock();
    if (!exporter) {
      Task<Status> handling = next();
      Status status = co_await handling;
      co_return status;
    }
    std::optional<SpanContext> caller = caller_of(context.metadata());
    const SpanContext& own = context.set_value(exporter->begin(caller ? &*caller : nullptr));
    const OpenSpan span(own, std::move(caller));
    Task<Status> handling = next();
    Status status = co_await handling;
    if (own.sampled) exporter->add(span.end(context.method(), Kind::SPAN_KIND_SERVER, status, context.peer()));
    co_return status;
  }

 private:
  const std::weak_ptr<Exporter> exporter_;
};

class Tracer::ClientSide final : public ClientInterceptor {
 public:
  explicit ClientSide(std::weak_ptr<Exporter> exporter) : exporter_(std::move(exporter)) {}
  Task<Status> intercept(ClientContext& context, NextClient next) override {
    const std::shared_ptr<Exporter> exporter = exporter_.lock();
    if (!exporter) {
      Task<Status> calling = next();
      Status status = co_await calling;
      co_return status;
    }
    std::optional<SpanContext> parent;
    if (const SpanContext* const from = context.value<SpanContext>()) parent = *from;
    const SpanContext own = exporter->begin(parent ? &*parent : nullptr);
    context.metadata().add(kTraceparent, format_traceparent(own));
    if (!own.trace_state.empty()) context.metadata().add(kTracestate, own.trace_state);
    const OpenSpan span(own, std::move(parent));
    Task<Status> calling = next();
    Status status = co_await calling;
    if (own.sampled) exporter->add(span.end(context.method(), Kind::SPAN_KIND_CLIENT, status, context.details().peer));
    co_return status;
  }

 private:
  const std::weak_ptr<Exporter> exporter_;
};

Tracer::Tracer(Runtime& runtime, TracerOptions options)
    : exporter_(std::make_shared<Exporter>(runtime, std::move(options))) {}
Tracer::~Tracer() { exporter_->stop(); }

std::shared_ptr<ServerInterceptor> Tracer::server() { return std::make_shared<ServerSide>(exporter_); }
std::shared_ptr<ClientInterceptor> Tracer::client() { return std::make_shared<ClientSide>(exporter_); }
TracerCounters Tracer::counters() const { return exporter_->counters(); }
Task<void> Tracer::shutdown(std::chrono::nanoseconds timeout) { return exporter_->shutdown(timeout); }

}  // namespace minigrpc
