// Server: serves handlers on TCP and Unix sockets.
//
//   Runtime runtime;
//   Stock stock;                                      // a ProdService::Handler
//   Server server(runtime);
//   server.add(stock);
//   Result<std::uint16_t> port = server.listen("0.0.0.0:5051");
//   sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
//   sync_wait(server.shutdown(10s));
//
// Thread rule: any thread. Handlers run on the loop of their connection: blocking work goes to Runtime::blocking().
#pragma once

#include <minigrpc/compression.h>
#include <minigrpc/credentials.h>
#include <minigrpc/detail/server_call.h>
#include <minigrpc/keepalive.h>
#include <minigrpc/method.h>
#include <minigrpc/page.h>
#include <minigrpc/runtime.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc {

// The base of every generated handler.
class Service {
 public:
  struct Method {
    MethodDescriptor descriptor;
    // `request`: the whole request of a method that takes a single one, borrowed until start returns; else empty.
    void (*start)(Service& service, detail::ServerCall& call, std::span<const std::byte> request);
  };

  virtual ~Service() = default;
  // "package.Service"; static storage.
  virtual std::string_view service_name() const = 0;
  // Static storage.
  virtual std::span<const Method> service_methods() const = 0;
};

class ServerInterceptor;  // minigrpc/interceptor.h

struct ServerOptions {
  // Around every call of a method that the server has, the first outermost.
  std::vector<std::shared_ptr<ServerInterceptor>> interceptors{};
  // The largest message accepted, in bytes, compressed or not; a larger one ends its call with
  // RESOURCE_EXHAUSTED.
  std::size_t received_message_size_max = 4u << 20;
  // What responses are compressed with, for clients that take it. ServerContext::set_compression() decides
  // otherwise.
  Compression compression = Compression::kIdentity;
  // Concurrent calls on one connection; the client queues what exceeds it (SETTINGS_MAX_CONCURRENT_STREAMS).
  std::uint32_t concurrent_streams_max = 1000;
  // Connections at a time; a further one is closed at once.
  std::size_t connections_max = 100'000;
  // How long a connection may take from its beginning to its first HTTP/2 SETTINGS, TLS included.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(20);
  // A connection whose client takes nothing of what waits for it, for at least this long, is closed; kNever.
  std::chrono::milliseconds stalled_send_max = std::chrono::minutes(10);
  ServerKeepaliveOptions keepalive{};
  // A connection older than this, give or take a tenth, takes no further call (GOAWAY): clients connect again, and find
  // their way to new servers. What is still in flight `connection_age_grace` later is cancelled.
  std::chrono::milliseconds connection_age_max = kNever;
  std::chrono::milliseconds connection_age_grace = kNever;
  // A connection without a call for at least this long is closed.
  std::chrono::milliseconds connection_idle_max = kNever;
  // How long sent bytes may stay unacknowledged before a TCP connection is given up; 0 = the kernel's quarter of an hour.
  std::chrono::milliseconds tcp_user_timeout{20'000};
};

// What a server has seen of its peers since it began.
struct ServerCounters {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;   // more than connections_max
  std::uint64_t handshakes_failed = 0;     // TLS or HTTP/2 did not begin, or not in time
  std::uint64_t connections_flooding = 0;  // ended for resets, PINGs or empty frames without end
  std::uint64_t connections_broken = 0;    // ended for breaking the rules of HTTP/2
  std::uint64_t connections_stalled = 0;   // ended by stalled_send_max
  std::uint64_t calls_refused = 0;         // too many handlers ran for the connection
};

namespace rpc {
class ServerImpl;
}

class Server {
 public:
  explicit Server(Runtime& runtime, ServerOptions options = {});
  // Cancels what still runs.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // `service` is borrowed until the server is gone. All are added before the first listen().
  void add(Service& service);
  // GET and HEAD of `path` ("/metrics") by HTTP/1.1 on every port of the server have what `make` returns; any other path is
  // 404. `make` runs on the connection's loop, on several at a time, and must not block; what it throws is status 500. All
  // are added before the first listen(). Another page of the same path takes its place.
  void add_page(std::string path, std::function<Page()> make);
  // The names of the services that were added, in alphabetical order.
  std::vector<std::string> service_names() const;
  // Binds and accepts: "127.0.0.1:5051", "[::]:5051", "localhost:0", "unix:/run/prod.sock", or "in-process:prod", which
  // only channels of this process reach. The port bound, 0 for the last two. A port in use is UNAVAILABLE, a bad address or certificate INVALID_ARGUMENT. A server may listen on
  // several ports, each with credentials of its own.
  Result<std::uint16_t> listen(std::string_view address, const ServerCredentials& credentials = {});
  // Takes no new connection and no new call (GOAWAY in two steps), lets the calls in flight finish for `grace`, then
  // cancels them. Resumes when the last connection is closed.
  Task<void> shutdown(std::chrono::nanoseconds grace);

  ServerCounters counters() const;

  rpc::ServerImpl& impl() const { return *impl_; }

 private:
  Runtime* runtime_;
  std::shared_ptr<rpc::ServerImpl> impl_;
};

}  // namespace minigrpc
