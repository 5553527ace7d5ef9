// What generated code needs, and the version handshake between it and the runtime. Only generated code and
// generic.h include this.
//
// Thread rule: each call on its own loop, as generated code has it.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/server.h>
#include <minigrpc/stream.h>

// Raised whenever generated code and runtime have to change together; x.minigrpc.h compares it with #if.
#define MINIGRPC_GENERATED_VERSION 1

namespace minigrpc::detail {

// ---- client ----

template <class Response>
Task<Result<Response>> run_unary(ClientCall call) {
  Response response;
  ReceiveOperation receiving = call.receive(target_of(response));
  const ReceiveOutcome outcome = co_await receiving;
  FinishOperation finishing = call.finish();
  Status status = co_await finishing;
  if (!status.ok()) co_return status;
  if (outcome != ReceiveOutcome::kMessage)
    co_return Status(StatusCode::kInternal, "the call ended with OK but without a response");
  co_return std::move(response);
}

// `request` is borrowed until the function returns: it is serialized at once.
template <class Response, class Request>
Task<Result<Response>> unary(const Channel& channel, const MethodDescriptor& method, const Request& request,
                             CallOptions options) {
  return run_unary<Response>(ClientCall(channel, method, std::move(options), serialize_message(request)));
}

// As unary().
template <class Response, class Request>
ClientReader<Response> server_streaming(const Channel& channel, const MethodDescriptor& method, const Request& request,
                                        CallOptions options) {
  return ClientReader<Response>(ClientCall(channel, method, std::move(options), serialize_message(request)));
}

template <class Request, class Response>
ClientWriter<Request, Response> client_streaming(const Channel& channel, const MethodDescriptor& method,
                                                 CallOptions options) {
  return ClientWriter<Request, Response>(ClientCall(channel, method, std::move(options)));
}

template <class Request, class Response>
ClientStream<Request, Response> bidirectional(const Channel& channel, const MethodDescriptor& method,
                                              CallOptions options) {
  return ClientStream<Request, Response>(ClientCall(channel, method, std::move(options)));
}

// ---- server: one thunk for each kind, instantiated for each method ----
//
//   {{"/ProdService/GetProdStock", MethodKind::kUnary},
//    &serve_unary<Handler, ProdRequest, ProdResponse, &Handler::GetProdStock>}

// What a method answers that its handler does not override; Outcome is Status or a Result.
template <class Outcome>
Task<Outcome> unimplemented() {
  co_return Status(StatusCode::kUnimplemented, "the server does not implement this method");
}

// What a client learns of a handler that threw: no internal text.
Status status_of_exception() noexcept;
Status status_of_unparsable_request();

template <class Response>
Result<Buffer> serialize_outcome(Result<Response> outcome) {
  if (!outcome) return std::move(outcome).error();
  return serialize_message(*outcome);
}

inline void finish_with(ServerCall& call, Result<Buffer> response) {
  if (!response) return call.finish(std::move(response).error(), std::nullopt);
  call.finish(Status(), *std::move(response));
}

// `bytes` is borrowed until the handler begins: the request is parsed into the coroutine's frame.
template <class Handler, class Request, class Response, auto kMethod>
Detached drive_unary(Handler& handler, ServerCall& call, std::span<const std::byte> bytes) {
  Request request;
  if (!parse_message<Request>(&request, bytes)) {
    call.finish(status_of_unparsable_request(), std::nullopt);
    co_return;
  }
  Result<Buffer> response = Status(StatusCode::kUnknown, "");
  try {
    Task<Result<Response>> handling = (handler.*kMethod)(call.context(), std::move(request));
    response = serialize_outcome<Response>(co_await handling);
  } catch (...) {
    response = status_of_exception();
  }
  finish_with(call, std::move(response));
}

template <class Handler, class Request, class Response, auto kMethod>
void serve_unary(Service& service, ServerCall& call, std::span<const std::byte> bytes) {
  call.run(drive_unary<Handler, Request, Response, kMethod>(static_cast<Handler&>(service), call, bytes));
}

template <class Handler, class Request, class Response, auto kMethod>
Detached drive_server_streaming(Handler& handler, ServerCall& call, Request request) {
  ServerWriter<Response> writer(call);
  Status status;
  try {
    status = co_await (handler.*kMethod)(call.context(), std::move(request), writer);
  } catch (...) {
    status = status_of_exception();
  }
  call.finish(std::move(status), std::nullopt);
}

template <class Handler, class Request, class Response, auto kMethod>
void serve_server_streaming(Service& service, ServerCall& call, std::span<const std::byte> bytes) {
  Request request;
  if (!parse_message<Request>(&request, bytes)) return call.finish(status_of_unparsable_request(), std::nullopt);
  call.run(drive_server_streaming<Handler, Request, Response, kMethod>(static_cast<Handler&>(service), call,
                                                                       std::move(request)));
}

template <class Handler, class Request, class Response, auto kMethod>
Detached drive_client_streaming(Handler& handler, ServerCall& call) {
  ServerReader<Request> reader(call);
  Result<Buffer> response = Status(StatusCode::kUnknown, "");
  try {
    Task<Result<Response>> handling = (handler.*kMethod)(call.context(), reader);
    response = serialize_outcome<Response>(co_await handling);
  } catch (...) {
    response = status_of_exception();
  }
  finish_with(call, std::move(response));
}

template <class Handler, class Request, class Response, auto kMethod>
void serve_client_streaming(Service& service, ServerCall& call, std::span<const std::byte>) {
  call.run(drive_client_streaming<Handler, Request, Response, kMethod>(static_cast<Handler&>(service), call));
}

template <class Handler, class Request, class Response, auto kMethod>
Detached drive_bidirectional(Handler& handler, ServerCall& call) {
  ServerStream<Request, Response> stream(call);
  Status status;
  try {
    status = co_await (handler.*kMethod)(call.context(), stream);
  } catch (...) {
    status = status_of_exception();
  }
  call.finish(std::move(status), std::nullopt);
}

template <class Handler, class Request, class Response, auto kMethod>
void serve_bidirectional(Service& service, ServerCall& call, std::span<const std::byte>) {
  call.run(drive_bidirectional<Handler, Request, Response, kMethod>(static_cast<Handler&>(service), call));
}

}  // namespace minigrpc::detail
