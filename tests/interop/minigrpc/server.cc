// minigrpc's side of peer.proto, and the shop's service.
//
//   peer_server [PORT]     serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until SIGTERM
#include <minigrpc/runtime.h>
#include <minigrpc/server.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>

#include "Prod.minigrpc.h"
#include "peer.minigrpc.h"

namespace minigrpc::interop {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

void echo_metadata(ServerContext& context) {
  for (const Metadata::Entry& entry : context.metadata()) {
    if (entry.name.starts_with("x-echo-")) context.headers().add(entry.name, entry.value);
    if (entry.name.starts_with("x-trail-")) context.trailers().add(entry.name, entry.value);
  }
}

std::string pattern(int size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

Status failure_of(const Request& request) {
  if (!request.has_fail()) return Status();
  const Failure& fail = request.fail();
  return Status(status_code_from_number(static_cast<std::uint32_t>(fail.code())), fail.message(), fail.details());
}

// What arrived of a call so far.
struct Received {
  int count = 0;
  std::int64_t size = 0;
  void add(const Request& request) {
    ++count;
    size += static_cast<std::int64_t>(request.payload().size());
  }
};

Response response_to(const ServerContext& context, const Request& request, const Received& received) {
  Response response;
  response.set_payload(request.response_size() > 0 ? pattern(request.response_size()) : request.payload());
  response.set_received_count(received.count);
  response.set_received_size(received.size);
  const bool unbounded = context.deadline() == TimePoint::max();
  const auto left = duration_cast<milliseconds>(context.deadline() - TimePoint::clock::now());
  response.set_deadline_left_ms(unbounded ? -1 : std::max<std::int64_t>(left.count(), 0));
  return response;
}

class Peer final : public interop::Peer::Handler {
 public:
  explicit Peer(Runtime& runtime) : runtime_(runtime) {}

  Task<Result<Response>> Unary(ServerContext& context, Request request) override {
    echo_metadata(context);
    Received received;
    received.add(request);
    const bool go_on = co_await wait(context, request);
    if (!go_on) co_return Status(StatusCode::kCancelled, "cancelled");
    Status status = failure_of(request);
    if (!status.ok()) co_return status;
    co_return response_to(context, request, received);
  }

  Task<Status> Feed(ServerContext& context, Request request, ServerWriter<Response>& writer) override {
    echo_metadata(context);
    Received received;
    received.add(request);
    const bool all = co_await answer(context, request, received, writer);
    if (!all) co_return Status(StatusCode::kCancelled, "cancelled");
    co_return failure_of(request);
  }

  Task<Result<Response>> Collect(ServerContext& context, ServerReader<Request>& reader) override {
    echo_metadata(context);
    Received received;
    Request last;
    for (;;) {
      auto reading = reader.read();
      std::optional<Request> request = co_await reading;
      if (!request) break;
      received.add(*request);
      last = std::move(*request);
      if (last.has_fail()) co_return failure_of(last);
    }
    const bool go_on = co_await wait(context, last);
    if (!go_on) co_return Status(StatusCode::kCancelled, "cancelled");
    co_return response_to(context, last, received);
  }

  Task<Status> Chat(ServerContext& context, ServerStream<Request, Response>& stream) override {
    echo_metadata(context);
    Received received;
    Request last;
    for (;;) {
      auto reading = stream.read();
      std::optional<Request> request = co_await reading;
      if (!request) break;
      received.add(*request);
      last = std::move(*request);
      const bool all = co_await answer(context, last, received, stream);
      if (!all) co_return Status(StatusCode::kCancelled, "cancelled");
      if (last.has_fail()) co_return failure_of(last);
    }
    note_if_cancelled(context, last.call_name());
    co_return Status();
  }

  Task<Result<CallState>> WasCancelled(ServerContext&, CallName request) override {
    CallState state;
    const std::lock_guard lock(mutex_);
    state.set_cancelled(cancelled_.contains(request.name()));
    co_return state;
  }

 private:
  // The request's delay; false when the call is over.
  Task<bool> wait(ServerContext& context, Request request) {
    if (request.delay_ms() > 0) co_await runtime_.sleep_for(milliseconds(request.delay_ms()));
    note_if_cancelled(context, request.call_name());
    co_return !context.cancelled();
  }

  // The responses to one request; false when the call is over.
  Task<bool> answer(ServerContext& context, Request request, Received received, ServerWriter<Response>& writer) {
    for (int i = 0; i < request.response_count(); ++i) {
      const bool go_on = co_await wait(context, request);
      if (!go_on) co_return false;
      const Response response = response_to(context, request, received);
      auto writing = writer.write(response);
      const bool written = co_await writing;
      note_if_cancelled(context, request.call_name());
      if (!written) co_return false;
    }
    co_return true;
  }

  void note_if_cancelled(const ServerContext& context, const std::string& call_name) {
    if (!context.cancelled() || call_name.empty()) return;
    const std::lock_guard lock(mutex_);
    cancelled_.insert(call_name);
  }

  Runtime& runtime_;
  std::mutex mutex_;
  std::set<std::string> cancelled_;
};

class Stock final : public ProdService::Handler {
 public:
  Task<Result<ProdResponse>> GetProdStock(ServerContext&, ProdRequest request) override {
    ProdResponse response;
    response.set_prod_stock(request.prod_id() * 20);
    co_return response;
  }
};

int serve(const std::string& address) {
  Runtime runtime;
  Peer peer(runtime);
  Stock stock;
  Server server(runtime);
  server.add(peer);
  server.add(stock);
  const Result<std::uint16_t> port = server.listen(address);
  if (!port) {
    std::fprintf(stderr, "peer_server: %s\n", port.error().to_string().c_str());
    return 1;
  }
  std::printf("listening %u\n", *port);
  std::fflush(stdout);
  sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
  sync_wait(server.shutdown(std::chrono::seconds(2)));
  return 0;
}

}  // namespace
}  // namespace minigrpc::interop

int main(int argc, char** argv) {
  return minigrpc::interop::serve(std::string("127.0.0.1:") + (argc > 1 ? argv[1] : "0"));
}
