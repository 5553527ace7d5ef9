// Echo: a service without protobuf for the tests of connections: one method of each shape that they need.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/generated.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace minigrpc::test {

struct Text {
  std::string value;
  std::size_t ByteSizeLong() const { return value.size(); }
  std::uint8_t* SerializeWithCachedSizesToArray(std::uint8_t* out) const {
    return std::copy(value.begin(), value.end(), out);
  }
  bool ParseFromArray(const void* data, int size) {
    value.assign(static_cast<const char*>(data), static_cast<std::size_t>(size));
    return true;
  }
};

inline constexpr MethodDescriptor kUnary{"/test.Echo/Unary", MethodKind::kUnary};
inline constexpr MethodDescriptor kChat{"/test.Echo/Chat", MethodKind::kBidirectional};

inline constexpr std::size_t kLargeSize = 4'000'000;

class Echo final : public Service {
 public:
  explicit Echo(Runtime& runtime) : runtime_(runtime) {}
  std::string_view service_name() const override { return "test.Echo"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {
        {kUnary, &detail::serve_unary<Echo, Text, Text, &Echo::Unary>},
        {kChat, &detail::serve_bidirectional<Echo, Text, Text, &Echo::Chat>},
    };
    return kMethods;
  }

  // "echo " and the request; "sleep" waits until the call is over, "large" is answered with kLargeSize bytes.
  Task<Result<Text>> Unary(ServerContext&, Text request) {
    if (request.value == "sleep") {
      co_await runtime_.sleep_for(std::chrono::hours(1));
      co_return Status(StatusCode::kCancelled, "woken");
    }
    Text answer{request.value == "large" ? std::string(kLargeSize, 'x') : "echo " + request.value};
    co_return answer;
  }

  Task<Status> Chat(ServerContext&, ServerStream<Text, Text>& stream) {
    while (std::optional<Text> part = co_await stream.read()) {
      Text answer{part->value + "?"};
      const bool written = co_await stream.write(answer);
      if (!written) break;
    }
    co_return Status();
  }

 private:
  Runtime& runtime_;
};

inline Result<Text> call_unary(Channel& channel, std::string text, CallOptions options = {}) {
  return sync_wait(detail::unary<Text>(channel, kUnary, Text{std::move(text)}, std::move(options)));
}

}  // namespace minigrpc::test
