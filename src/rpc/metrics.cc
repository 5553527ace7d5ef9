#include <minigrpc/metrics.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "net/loop.h"
#include "rpc/method_words.h"

namespace minigrpc {

namespace {

constexpr std::size_t kCodes = 17;

// The numbers of one method. They are read while they change: each is right, all together may be a call apart.
class Series {
 public:
  explicit Series(std::size_t buckets) : buckets_(buckets + 1) {}

  void started() { add(started_, 1); }
  void ended(StatusCode code, double seconds, std::span<const double> bounds) {
    add(handled_[static_cast<std::size_t>(code)], 1);
    const auto bucket = std::ranges::lower_bound(bounds, seconds) - bounds.begin();
    add(buckets_[static_cast<std::size_t>(bucket)], 1);
    add(nanoseconds_, static_cast<std::uint64_t>(seconds * 1e9));
  }
  void messages(std::uint64_t received, std::uint64_t sent) {
    add(received_, received);
    add(sent_, sent);
  }

  std::uint64_t started_count() const { return started_.load(std::memory_order_relaxed); }
  std::uint64_t handled_count(std::size_t code) const { return handled_[code].load(std::memory_order_relaxed); }
  std::uint64_t received_count() const { return received_.load(std::memory_order_relaxed); }
  std::uint64_t sent_count() const { return sent_.load(std::memory_order_relaxed); }
  std::uint64_t bucket_count(std::size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
  double seconds() const { return static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9; }

 private:
  using Counter = std::atomic<std::uint64_t>;
  static void add(Counter& counter, std::uint64_t count) { counter.fetch_add(count, std::memory_order_relaxed); }

  Counter started_{0};
  std::array<Counter, kCodes> handled_{};
  Counter received_{0};
  Counter sent_{0};
  std::vector<Counter> buckets_;  // the last: beyond all bounds
  Counter nanoseconds_{0};
};

void append_number(std::string& text, double number) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  text.append(digits.data(), end);
}

// A label's value (Prometheus: exposition formats): paths come from generated code, and from callers of generic ones.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result;
}

}  // namespace

class Metrics::Side {
 public:
  Side(std::string prefix, std::string who, std::vector<double> bounds)
      : prefix_(std::move(prefix)), who_(std::move(who)), bounds_(std::move(bounds)) {}

  Series& of(std::string_view path, MethodKind kind) {
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = series_.find(path); found != series_.end()) return *found->second.series;
    }
    const std::lock_guard lock(mutex_);
    auto [entry, added] = series_.try_emplace(std::string(path));
    if (added) {
      const rpc::MethodWords words = rpc::method_words(entry->first);
      entry->second.labels = "grpc_type=\"" + std::string(rpc::kind_word(kind)) + "\",grpc_service=\"" +
                             escaped(words.service) + "\",grpc_method=\"" + escaped(words.method) + "\"";
      entry->second.series = std::make_unique<Series>(bounds_.size());
    }
    return *entry->second.series;
  }
  std::span<const double> bounds() const { return bounds_; }

  void append_to(std::string& text) const {
    const std::shared_lock lock(mutex_);
    append_counter(text, "started_total", "RPCs started on the " + who_ + ".",
                   [](const Series& series) { return series.started_count(); });
    append_handled(text);
    append_counter(text, "msg_received_total", "Messages received on the " + who_ + ".",
                   [](const Series& series) { return series.received_count(); });
    append_counter(text, "msg_sent_total", "Messages sent by the " + who_ + ".",
                   [](const Series& series) { return series.sent_count(); });
    append_histogram(text);
  }

 private:
  struct Entry {
    std::string labels;
    std::unique_ptr<Series> series;
  };

  void append_head(std::string& text, std::string_view name, const std::string& help, std::string_view type) const {
    text.append("# HELP ").append(prefix_).append(name).append(" ").append(help).append("\n");
    text.append("# TYPE ").append(prefix_).append(name).append(" ").append(type).append("\n");
  }
  template <class Value>
  void append_counter(std::string& text, std::string_view name, const std::string& help, Value value) const {
    append_head(text, name, help, "counter");
    for (const auto& [path, entry] : series_)
      text.append(prefix_).append(name).append("{").append(entry.labels).append("} ").append(
          std::to_string(value(*entry.series))).append("\n");
  }
  void append_handled(std::string& text) const {
    append_head(text, "handled_total", "RPCs completed on the " + who_ + ", whatever their status.", "counter");
    for (const auto& [path, entry] : series_) {
      for (std::size_t code = 0; code < kCodes; ++code) {
        const std::uint64_t count = entry.series->handled_count(code);
        if (count == 0) continue;
        text.append(prefix_).append("handled_total{").append(entry.labels).append(",grpc_code=\"").append(
            status_code_go_name(static_cast<StatusCode>(code))).append("\"} ").append(std::to_string(count)).append("\n");
      }
    }
  }
  void append_histogram(std::string& text) const {
    append_head(text, "handling_seconds", "Time that RPCs took on the " + who_ + ", in seconds.", "histogram");
    const std::string name = prefix_ + "handling_seconds";
    for (const auto& [path, entry] : series_) {
      std::uint64_t count = 0;
      for (std::size_t i = 0; i <= bounds_.size(); ++i) {
        count += entry.series->bucket_count(i);
        text.append(name).append("_bucket{").append(entry.labels).append(",le=\"");
        if (i < bounds_.size())
          append_number(text, bounds_[i]);
        else
          text.append("+Inf");
        text.append("\"} ").append(std::to_string(count)).append("\n");
      }
      text.append(name).append("_sum{").append(entry.labels).append("} ");
      append_number(text, entry.series->seconds());
      text.append("\n").append(name).append("_count{").append(entry.labels).append("} ").append(std::to_string(count));
      text.append("\n");
    }
  }

  const std::string prefix_;
  const std::string who_;
  const std::vector<double> bounds_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, Entry, std::less<>> series_;
};

namespace {

double seconds_since(TimePoint start) { return std::chrono::duration<double>(net::Loop::now() - start).count(); }

}  // namespace

class Metrics::ServerSide final : public Side, public ServerInterceptor {
 public:
  using Side::Side;
  Task<Status> intercept(ServerContext& context, NextServer next) override {
    const TimePoint begun_at = net::Loop::now();
    Series& series = of(context.method(), context.kind());
    series.started();
    Task<Status> handling = next();
    Status status = co_await handling;
    // The response of a single-response method goes out after this.
    const bool response = status.ok() && (context.kind() == MethodKind::kUnary || context.kind() == MethodKind::kClientStreaming);
    series.messages(context.messages_received(), context.messages_sent() + (response ? 1 : 0));
    series.ended(status.code(), seconds_since(begun_at), bounds());
    co_return status;
  }
};

class Metrics::ClientSide final : public Side, public ClientInterceptor {
 public:
  using Side::Side;
  Task<Status> intercept(ClientContext& context, NextClient next) override {
    const TimePoint begun_at = net::Loop::now();
    Series& series = of(context.method(), context.kind());
    series.started();
    Task<Status> calling = next();
    Status status = co_await calling;
    series.messages(context.messages_received(), context.messages_sent());
    series.ended(status.code(), seconds_since(begun_at), bounds());
    co_return status;
  }
};

Metrics::Metrics(MetricsOptions options)
    : server_(std::make_shared<ServerSide>("grpc_server_", "server", options.buckets)),
      client_(std::make_shared<ClientSide>("grpc_client_", "client", options.buckets)) {}
Metrics::~Metrics() = default;

std::shared_ptr<ServerInterceptor> Metrics::server() { return server_; }
std::shared_ptr<ClientInterceptor> Metrics::client() { return client_; }

std::string Metrics::text() const {
  std::string text;
  server_->append_to(text);
  client_->append_to(text);
  return text;
}

}  // namespace minigrpc
