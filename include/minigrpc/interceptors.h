// Interceptors that come with minigrpc. minigrpc/metrics.h has those that count.
//
//   Server server(runtime, {.interceptors = {log_calls(sink),
//                                            limit_concurrency({.calls_max = 500}),
//                                            require_bearer_token(check),
//                                            default_deadline(30s)}});
//
// Thread rule: each may be shared by servers and loops; functions given to them are called on event loops, several at a
// time, and must not block.
#pragma once

#include <minigrpc/interceptor.h>
#include <minigrpc/log.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace minigrpc {

// One line for each call once it has ended: "finished call" with grpc.service, grpc.method, grpc.method_type, grpc.code,
// grpc.time_ms, peer.address and, of a failure, grpc.error. The server's own failures (UNKNOWN, INTERNAL, UNAVAILABLE,
// DATA_LOSS, UNIMPLEMENTED, DEADLINE_EXCEEDED) are warnings or errors, the rest is info.
std::shared_ptr<ServerInterceptor> log_calls(LogSink sink);
std::shared_ptr<ClientInterceptor> log_client_calls(LogSink sink);

struct ConcurrencyLimits {
  // Calls under way at a time, over all connections.
  std::size_t calls_max = 1000;
};
// A call too many is refused with RESOURCE_EXHAUSTED before any work is done for it: the server answers those that it
// took in time, where it would otherwise answer all of them late.
std::shared_ptr<ServerInterceptor> limit_concurrency(ConcurrencyLimits limits);

// Asks `check` for each call that carries "authorization: Bearer <token>" (RFC 6750); its error is what the call ends
// with. It may leave who it is with ServerContext::set_value(). Without a token: UNAUTHENTICATED.
using TokenCheck = std::function<Task<Status>(ServerContext& context, std::string token)>;
std::shared_ptr<ServerInterceptor> require_bearer_token(TokenCheck check);

// What calls without a deadline get, from their start.
std::shared_ptr<ServerInterceptor> default_deadline(std::chrono::nanoseconds timeout);
std::shared_ptr<ClientInterceptor> default_client_deadline(std::chrono::nanoseconds timeout);

}  // namespace minigrpc
