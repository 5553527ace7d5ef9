// Interceptors: what is done around every call of a server or a channel, whatever its kind.
//
//   class Audit final : public ServerInterceptor {
//     Task<Status> intercept(ServerContext& context, NextServer next) override {
//       Task<Status> handling = next();            // those after it, and the handler
//       Status status = co_await handling;
//       record(context.peer(), context.method(), status);
//       co_return status;                          // what the client is told
//     }
//   };
//   Server server(runtime, {.interceptors = {std::make_shared<Audit>()}});
//
// The first of a list is the outermost. Those that come with minigrpc are in minigrpc/interceptors.h.
//
// Thread rule: an interceptor serves calls of several loops at a time. It runs on its call's loop, and must not block.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/server_context.h>
#include <minigrpc/task.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace minigrpc {

namespace rpc {
class ServerCallCore;
class ClientInterception;
}  // namespace rpc

// ---- on a server ----

// The rest of a call: the interceptors after this one, and the handler.
class NextServer {
 public:
  NextServer(rpc::ServerCallCore& call, std::size_t index) : call_(&call), index_(index) {}
  // At most once. What the handler ended with; where the call ended without it (the deadline, the client's
  // cancellation), that, once the handler has ended too.
  Task<Status> operator()();

 private:
  rpc::ServerCallCore* call_;
  std::size_t index_;
};

class ServerInterceptor {
 public:
  virtual ~ServerInterceptor() = default;
  // Begins when the request is there, or, for methods that take a stream, when its headers are. What it returns is what
  // the client is told: an error in place of the handler's OK takes the response with it. Without next() the handler does
  // not run. An exception is UNKNOWN, without its text. `context` lives until it has ended.
  virtual Task<Status> intercept(ServerContext& context, NextServer next) = 0;
};

// ---- on a channel ----

// One call as the channel's interceptors see it.
class ClientContext {
 public:
  // "/ProdService/GetProdStock".
  std::string_view method() const;
  MethodKind kind() const;
  std::string_view authority() const;
  // What is sent; changes count until next().
  Metadata& metadata();
  // TimePoint::max() without one. Only shortened.
  TimePoint deadline() const;
  void shorten_deadline(TimePoint deadline);
  // What came, once next() is through; empty before, and after a cancellation.
  const CallDetails& details() const;
  // What the handler's interceptors have left in the ServerContext of the call from within which this one is made; null
  // without.
  template <class T>
  T* value() const {
    return values().get<T>();
  }
  std::uint64_t messages_sent() const;
  std::uint64_t messages_received() const;

 private:
  friend class rpc::ClientInterception;
  explicit ClientContext(rpc::ClientInterception& call) : call_(call) {}
  const ContextValues& values() const;
  rpc::ClientInterception& call_;
};

// The rest of a call: the interceptors after this one, and the call itself, with its retries.
class NextClient {
 public:
  NextClient(rpc::ClientInterception& call, std::size_t index) : call_(&call), index_(index) {}
  // At most once. What the call ended with.
  Task<Status> operator()();

 private:
  rpc::ClientInterception* call_;
  std::size_t index_;
};

class ClientInterceptor {
 public:
  virtual ~ClientInterceptor() = default;
  // Begins with the call's first operation. What it returns is what the caller is told; an error in place of OK takes the
  // response of methods with a single one with it. Without next() nothing is sent, and OK becomes INTERNAL. An
  // exception is UNKNOWN. Where the caller cancels, the call ends at once, and this goes on by itself, cancelled.
  virtual Task<Status> intercept(ClientContext& context, NextClient next) = 0;
};

}  // namespace minigrpc
