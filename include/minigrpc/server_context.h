// ServerContext: what a handler knows of its call besides the messages.
//
// Thread rule: the handler's task. Lives until the handler has ended.
#pragma once

#include <minigrpc/compression.h>
#include <minigrpc/context.h>
#include <minigrpc/credentials.h>
#include <minigrpc/metadata.h>
#include <minigrpc/method.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace minigrpc {

class ServerContext {
 public:
  explicit ServerContext(Executor& executor) : task_context_(executor) { task_context_.set_values(values_); }

  // The client's custom metadata.
  const Metadata& metadata() const { return *metadata_; }
  // "/ProdService/GetProdStock".
  std::string_view method() const { return method_; }
  MethodKind kind() const { return kind_; }
  // "10.0.0.7:41234", "[::1]:41234", "unix:" and the server's path, or "in-process:" and the server's name.
  std::string_view peer() const { return peer_; }
  // Who the client is by its certificate; null for one that presented none, and where none was asked for.
  const PeerIdentity* peer_identity() const { return peer_identity_; }
  // What the client asked for, usually "host:port".
  std::string_view authority() const { return authority_; }
  // TimePoint::max() without one. The calls and sleeps that the handler awaits keep to it by themselves.
  TimePoint deadline() const { return task_context_.deadline(); }
  // The call ends with DEADLINE_EXCEEDED then, unless it has an earlier deadline.
  void shorten_deadline(TimePoint deadline);
  // True once the client cancelled, its connection went, the deadline passed or the server is shutting down hard. What
  // the handler awaits then ends by itself; a handler that computes for long asks.
  bool cancelled() const { return task_context_.cancelled(); }

  // Sent before the first message; changes after that have no effect.
  Metadata& headers() { return headers_; }
  // Sent with the status.
  Metadata& trailers() { return trailers_; }

  // What this call's responses are compressed with, where the client takes it; before the first message, to
  // have effect.
  void set_compression(Compression compression) { compression_ = compression; }
  // Whether the request that was received last came compressed.
  bool request_compressed() const { return request_compressed_; }

  // Of this call until now.
  std::uint64_t messages_received() const { return messages_received_; }
  std::uint64_t messages_sent() const { return messages_sent_; }

  // What an interceptor has found out, for those after it, for the handler, and for the interceptors of the calls that the
  // handler makes: one value of each type, which lives as long as the context.
  template <class T>
  T& set_value(T value) {
    return values_.set(std::move(value));
  }
  // The one that was set last; null without one.
  template <class T>
  T* value() const {
    return values_.get<T>();
  }

  TaskContext& task_context() { return task_context_; }

 protected:
  TaskContext task_context_;
  const Metadata* metadata_ = nullptr;  // there before any handler
  Metadata headers_;
  Metadata trailers_;
  std::string_view method_;
  std::string_view peer_;
  const PeerIdentity* peer_identity_ = nullptr;
  std::string_view authority_;
  Compression compression_ = Compression::kIdentity;
  MethodKind kind_ = MethodKind::kUnary;
  bool request_compressed_ = false;
  std::uint64_t messages_received_ = 0;
  std::uint64_t messages_sent_ = 0;
  ContextValues values_;
};

}  // namespace minigrpc
