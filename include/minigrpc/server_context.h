// ServerContext: what a handler knows of its call besides the messages.
//
// Thread rule: the handler's task. Lives until the handler has ended.
#pragma once

#include <minigrpc/compression.h>
#include <minigrpc/context.h>
#include <minigrpc/credentials.h>
#include <minigrpc/metadata.h>

#include <string>
#include <string_view>

namespace minigrpc {

class ServerContext {
 public:
  explicit ServerContext(Executor& executor) : task_context_(executor) {}

  // The client's custom metadata.
  const Metadata& metadata() const { return metadata_; }
  // "/ProdService/GetProdStock".
  std::string_view method() const { return method_; }
  // "10.0.0.7:41234", "[::1]:41234", "unix:" and the server's path, or "in-process:" and the server's name.
  std::string_view peer() const { return peer_; }
  // Who the client is by its certificate; null for one that presented none, and where none was asked for.
  const PeerIdentity* peer_identity() const { return peer_identity_; }
  // What the client asked for, usually "host:port".
  std::string_view authority() const { return authority_; }
  // TimePoint::max() without one. The calls and sleeps that the handler awaits keep to it by themselves.
  TimePoint deadline() const { return task_context_.deadline(); }
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

  TaskContext& task_context() { return task_context_; }

 protected:
  TaskContext task_context_;
  Metadata metadata_;
  Metadata headers_;
  Metadata trailers_;
  std::string_view method_;
  std::string_view peer_;
  const PeerIdentity* peer_identity_ = nullptr;
  std::string authority_;
  Compression compression_ = Compression::kIdentity;
  bool request_compressed_ = false;
};

}  // namespace minigrpc
