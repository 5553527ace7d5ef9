#include <minigrpc/interceptors.h>

#include <array>
#include <atomic>
#include <charconv>
#include <utility>

#include "net/loop.h"
#include "rpc/method_words.h"

namespace minigrpc {

namespace {

// ---- a line for each call ----

LogLevel level_of(StatusCode code) {
  switch (code) {
    case StatusCode::kUnknown:
    case StatusCode::kInternal:
    case StatusCode::kDataLoss:
    case StatusCode::kUnimplemented: return LogLevel::kError;
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted: return LogLevel::kWarn;
    default: return LogLevel::kInfo;
  }
}

std::string milliseconds_since(TimePoint start) {
  const double elapsed = std::chrono::duration<double, std::milli>(net::Loop::now() - start).count();
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), elapsed, std::chars_format::fixed, 3);
  return std::string(text.data(), end);
}

struct LoggedCall {
  std::string_view method;
  MethodKind kind;
  std::string_view peer;
  TimePoint begun_at;
};

void log_call(const LogSink& sink, const LoggedCall& call, const Status& status) {
  const rpc::MethodWords words = rpc::method_words(call.method);
  std::array<std::pair<std::string_view, std::string>, 7> fields{{
      {"grpc.service", std::string(words.service)},
      {"grpc.method", std::string(words.method)},
      {"grpc.method_type", std::string(rpc::kind_word(call.kind))},
      {"grpc.code", std::string(status_code_go_name(status.code()))},
      {"grpc.time_ms", milliseconds_since(call.begun_at)},
      {"peer.address", std::string(call.peer)},
      {"grpc.error", status.message()},
  }};
  const std::size_t count = fields.size() - (status.ok() ? 1 : 0);
  sink({.level = level_of(status.code()), .message = "finished call", .fields = std::span(fields).first(count)});
}

class ServerLog final : public ServerInterceptor {
 public:
  explicit ServerLog(LogSink sink) : sink_(std::move(sink)) {}
  Task<Status> intercept(ServerContext& context, NextServer next) override {
    const TimePoint begun_at = net::Loop::now();
    Task<Status> handling = next();
    Status status = co_await handling;
    const LoggedCall call{context.method(), context.kind(), context.peer(), begun_at};
    log_call(sink_, call, status);
    co_return status;
  }

 private:
  const LogSink sink_;
};

class ClientLog final : public ClientInterceptor {
 public:
  explicit ClientLog(LogSink sink) : sink_(std::move(sink)) {}
  Task<Status> intercept(ClientContext& context, NextClient next) override {
    const TimePoint begun_at = net::Loop::now();
    Task<Status> calling = next();
    Status status = co_await calling;
    const LoggedCall call{context.method(), context.kind(), context.details().peer, begun_at};
    log_call(sink_, call, status);
    co_return status;
  }

 private:
  const LogSink sink_;
};

// ---- how many at a time ----

class ConcurrencyLimit final : public ServerInterceptor {
 public:
  explicit ConcurrencyLimit(ConcurrencyLimits limits) : limits_(limits) {}
  Task<Status> intercept(ServerContext&, NextServer next) override {
    const Place place(*this);
    if (!place.taken())
      co_return Status(StatusCode::kResourceExhausted,
                       "the server is at its limit of " + std::to_string(limits_.calls_max) + " calls: try again later");
    Task<Status> handling = next();
    Status status = co_await handling;
    co_return status;
  }

 private:
  class Place {
   public:
    explicit Place(ConcurrencyLimit& of) : of_(of) {
      taken_ = of_.running_.fetch_add(1, std::memory_order_relaxed) < of_.limits_.calls_max;
    }
    ~Place() { of_.running_.fetch_sub(1, std::memory_order_relaxed); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool taken() const { return taken_; }

   private:
    ConcurrencyLimit& of_;
    bool taken_;
  };

  const ConcurrencyLimits limits_;
  std::atomic<std::size_t> running_{0};
};

// ---- who calls ----

class BearerToken final : public ServerInterceptor {
 public:
  explicit BearerToken(TokenCheck check) : check_(std::move(check)) {}
  Task<Status> intercept(ServerContext& context, NextServer next) override {
    std::optional<std::string> token = token_of(context);
    if (!token)
      co_return Status(StatusCode::kUnauthenticated, "the call carries no token: send \"authorization: Bearer …\"");
    Task<Status> checking = check_(context, *std::move(token));
    Status status = co_await checking;
    if (!status.ok()) co_return status;
    Task<Status> handling = next();
    status = co_await handling;
    co_return status;
  }

 private:
  // The scheme's name is written in any case (RFC 9110, 11.1).
  static std::optional<std::string> token_of(const ServerContext& context) {
    constexpr std::string_view kScheme = "bearer ";
    const std::optional<std::string_view> header = context.metadata().get("authorization");
    if (!header || header->size() <= kScheme.size()) return std::nullopt;
    for (std::size_t i = 0; i < kScheme.size(); ++i) {
      const char c = (*header)[i];
      if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kScheme[i]) return std::nullopt;
    }
    return std::string(header->substr(kScheme.size()));
  }
  const TokenCheck check_;
};

// ---- until when ----

TimePoint after(std::chrono::nanoseconds timeout) {
  const TimePoint now = net::Loop::now();
  const auto given = std::chrono::duration_cast<TimePoint::duration>(timeout);
  return given >= TimePoint::max() - now ? TimePoint::max() : now + given;
}

class ServerDeadline final : public ServerInterceptor {
 public:
  explicit ServerDeadline(std::chrono::nanoseconds timeout) : timeout_(timeout) {}
  Task<Status> intercept(ServerContext& context, NextServer next) override {
    if (context.deadline() == TimePoint::max()) context.shorten_deadline(after(timeout_));
    return next();
  }

 private:
  const std::chrono::nanoseconds timeout_;
};

class ClientDeadline final : public ClientInterceptor {
 public:
  explicit ClientDeadline(std::chrono::nanoseconds timeout) : timeout_(timeout) {}
  Task<Status> intercept(ClientContext& context, NextClient next) override {
    if (context.deadline() == TimePoint::max()) context.shorten_deadline(after(timeout_));
    return next();
  }

 private:
  const std::chrono::nanoseconds timeout_;
};

}  // namespace

std::shared_ptr<ServerInterceptor> log_calls(LogSink sink) { return std::make_shared<ServerLog>(std::move(sink)); }
std::shared_ptr<ClientInterceptor> log_client_calls(LogSink sink) { return std::make_shared<ClientLog>(std::move(sink)); }
std::shared_ptr<ServerInterceptor> limit_concurrency(ConcurrencyLimits limits) {
  return std::make_shared<ConcurrencyLimit>(limits);
}
std::shared_ptr<ServerInterceptor> require_bearer_token(TokenCheck check) {
  return std::make_shared<BearerToken>(std::move(check));
}
std::shared_ptr<ServerInterceptor> default_deadline(std::chrono::nanoseconds timeout) {
  return std::make_shared<ServerDeadline>(timeout);
}
std::shared_ptr<ClientInterceptor> default_client_deadline(std::chrono::nanoseconds timeout) {
  return std::make_shared<ClientDeadline>(timeout);
}

}  // namespace minigrpc
