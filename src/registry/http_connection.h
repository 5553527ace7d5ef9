// HttpConnection: one client of the gateway, one request after the other.
//
// Thread rule: the loop of the connection. It keeps itself alive until its task and its waits have ended.
#pragma once

#include <minigrpc/channel.h>

#include <memory>
#include <optional>
#include <string>

#include "net/http1.h"
#include "net/timer.h"
#include "registry/http_pages.h"
#include "registry/http_routes.h"
#include "rpc/other_protocol.h"

namespace minigrpc::registry {

class HttpConnection final : public std::enable_shared_from_this<HttpConnection>,
                             public rpc::AcceptedConnection,
                             private net::Timer {
 public:
  // `member` and `own_services` are borrowed as by the gateway.
  HttpConnection(Member& member, const Channel& own_services, std::shared_ptr<rpc::ServerImpl> server,
                 rpc::ServerImpl::LoopShare& share, net::Transport transport, std::string received);

  void start();
  // Closes when it waits for a request, else after the response.
  void drain() override;
  void abort() override;

 private:
  struct ReadableAwaiter;
  struct WritableAwaiter;
  enum class Outcome : bool { kClose, kGoOn };

  Task<void> serve();
  // nullopt: the connection is over.
  Task<std::optional<net::http1::Request>> read_request();
  Task<Outcome> respond(net::http1::Request request);
  Task<Outcome> respond_page(const net::http1::Request& request, HttpPage page);
  Task<Outcome> respond_call(const net::http1::Request& request, const HttpRoute& route);
  Task<Outcome> respond_once(const net::http1::Request& request, const HttpRoute& route, std::string message);
  Task<Outcome> respond_stream(const net::http1::Request& request, const HttpRoute& route);
  Task<bool> send(std::string bytes);

  void arm_read();
  void on_readable();
  void peer_gone();
  void on_timer() noexcept override;
  // Fails every wait, and what the task awaits.
  void close();
  net::http1::ResponseHead head_for(const net::http1::Request& request, int status, std::string_view content_type) const;
  bool host_allowed(const net::http1::Request& request) const;

  Member& member_;
  const Channel& own_services_;
  const std::shared_ptr<rpc::ServerImpl> server_;
  rpc::ServerImpl::LoopShare& share_;
  net::Transport transport_;
  std::string received_;
  net::http1::RequestParser parser_;
  TaskContext context_;
  std::shared_ptr<HttpConnection> self_;  // while the task runs
  std::coroutine_handle<> reader_;
  bool read_armed_ = false;
  bool waiting_for_request_ = false;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace minigrpc::registry
