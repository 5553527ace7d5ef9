// GenericClient: calls methods that are known by name only, with messages as bytes: for proxies, gateways and
// tools, which learn of a service when they run.
//
//   const MethodDescriptor method{"/ProdService/GetProdStock", MethodKind::kUnary};
//   const GenericClient client(channel);
//   Result<RawMessage> answer = co_await client.unary(method, RawMessage(serialized));
//
// Thread rule: as generated clients.
#pragma once

#include <minigrpc/generated.h>

#include <algorithm>
#include <string>
#include <utility>

namespace minigrpc {

// A message as it is on the wire, serialized by whatever its service uses.
class RawMessage {
 public:
  RawMessage() = default;
  explicit RawMessage(std::string serialized) : bytes(std::move(serialized)) {}

  std::string bytes;

  // What the runtime asks of every message.
  std::size_t ByteSizeLong() const { return bytes.size(); }
  std::uint8_t* SerializeWithCachedSizesToArray(std::uint8_t* out) const {
    return std::copy(bytes.begin(), bytes.end(), out);
  }
  bool ParseFromArray(const void* data, int size) {
    bytes.assign(static_cast<const char*>(data), static_cast<std::size_t>(size));
    return true;
  }
};

// Each function takes a method of its own kind (asserted), which is borrowed until the call has ended.
// Requests are borrowed until the function returns.
class GenericClient {
 public:
  // `channel` is borrowed for the life of the client and of its calls.
  explicit GenericClient(const Channel& channel) : channel_(&channel) {}
  GenericClient(Channel&&) = delete;

  Task<Result<RawMessage>> unary(const MethodDescriptor& method, const RawMessage& request,
                                 CallOptions options = {}) const {
    require_kind(method, MethodKind::kUnary);
    return detail::unary<RawMessage>(*channel_, method, request, std::move(options));
  }
  ClientReader<RawMessage> server_streaming(const MethodDescriptor& method, const RawMessage& request,
                                            CallOptions options = {}) const {
    require_kind(method, MethodKind::kServerStreaming);
    return detail::server_streaming<RawMessage>(*channel_, method, request, std::move(options));
  }
  ClientWriter<RawMessage, RawMessage> client_streaming(const MethodDescriptor& method,
                                                        CallOptions options = {}) const {
    require_kind(method, MethodKind::kClientStreaming);
    return detail::client_streaming<RawMessage, RawMessage>(*channel_, method, std::move(options));
  }
  ClientStream<RawMessage, RawMessage> bidirectional(const MethodDescriptor& method,
                                                     CallOptions options = {}) const {
    require_kind(method, MethodKind::kBidirectional);
    return detail::bidirectional<RawMessage, RawMessage>(*channel_, method, std::move(options));
  }

 private:
  static void require_kind(const MethodDescriptor& method, MethodKind kind) {
    detail::require(method.kind == kind, "a method was called as one of another kind");
  }

  const Channel* channel_;
};

}  // namespace minigrpc
