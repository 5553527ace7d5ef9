// Http1Connection: one client that speaks HTTP/1.1 on a server's port, one request after the other.
//
//   OtherProtocol::take_over() ─▶ start() ─▶ read a request ─▶ respond() ─▶ the next
//
// Thread rule: the loop of the connection. It keeps itself alive until its task and its waits have ended.
#pragma once

#include <minigrpc/page.h>
#include <minigrpc/task.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http1.h"
#include "net/timer.h"
#include "net/transport.h"
#include "rpc/server_impl.h"

namespace minigrpc::rpc {

class Http1Connection : public std::enable_shared_from_this<Http1Connection>,
                        public AcceptedConnection,
                        private net::Timer {
 public:
  using Request = net::http1::Request;

  // `received`: what the client has sent so far.
  Http1Connection(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport,
                  std::string received, net::http1::ParserLimits limits);
  virtual ~Http1Connection() = default;

  void start();
  // Closes when it waits for a request, else after the response.
  void drain() override;
  void abort() override;

 protected:
  enum class Outcome : bool { kClose, kGoOn };

  // Answers one request.
  virtual Task<Outcome> respond(Request request) = 0;
  // What a response begins with.
  virtual net::http1::ResponseHead head_for(const Request& request, int status, std::string_view content_type) const;

  Task<Outcome> respond_page(const Request& request, Page page);
  // False: the connection is over.
  Task<bool> send(std::string bytes);
  bool is_closed() const { return closed_; }

 private:
  struct ReadableAwaiter;
  struct WritableAwaiter;

  Task<void> serve();
  // nullopt: the connection is over.
  Task<std::optional<Request>> read_request();
  void arm_read();
  void on_readable();
  void on_timer() noexcept override;
  // Fails every wait, and what the task awaits.
  void close();

  const std::shared_ptr<ServerImpl> server_;
  ServerImpl::LoopShare& share_;
  net::Transport transport_;
  std::string received_;
  net::http1::RequestParser parser_;
  TaskContext context_;
  std::shared_ptr<Http1Connection> self_;  // while the task runs
  std::coroutine_handle<> reader_;
  bool read_armed_ = false;
  bool waiting_for_request_ = false;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace minigrpc::rpc
