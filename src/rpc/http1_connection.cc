#include "rpc/http1_connection.h"

#include <chrono>
#include <span>
#include <utility>

namespace minigrpc::rpc {

namespace {

using net::http1::RequestParser;

// How long a client may be silent between two requests: descriptors of the forgotten.
constexpr std::chrono::seconds kIdleMax{75};
// How long a request may take to arrive, and a client to take anything of a response: slow ones that hold memory.
constexpr std::chrono::seconds kStallMax{30};
// Bytes of later requests that are kept while one is answered.
constexpr std::size_t kPipelinedMax = std::size_t{64} << 10;

constexpr std::string_view kText = "text/plain; charset=utf-8";

}  // namespace

// Awaited: whether there are more bytes in received_; false when the connection is closed.
struct Http1Connection::ReadableAwaiter {
  Http1Connection& connection;
  bool await_ready() const noexcept { return connection.closed_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection.reader_ = waiter;
    connection.arm_read();
  }
  bool await_resume() const noexcept { return !connection.closed_; }
};

// Awaited: until there is room to write, or the connection is closed.
struct Http1Connection::WritableAwaiter {
  Http1Connection& connection;
  bool await_ready() const noexcept { return connection.closed_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection.transport_.wait_writable(
        [keep = connection.shared_from_this(), waiter](const boost::system::error_code&) { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

Http1Connection::Http1Connection(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share,
                                 net::Transport transport, std::string received,
                                 net::http1::ParserLimits limits)
    : server_(std::move(server)),
      share_(share),
      transport_(std::move(transport)),
      received_(std::move(received)),
      parser_(limits),
      context_(share.loop) {}

void Http1Connection::start() {
  server_->joined(share_, *this);
  self_ = shared_from_this();
  detail::run_detached(serve()).start(
      context_,
      [](void* connection) noexcept {
        auto* over = static_cast<Http1Connection*>(connection);
        const auto keep = std::move(over->self_);
        over->close();
        over->server_->left(over->share_, *over);
      },
      this);
}

void Http1Connection::drain() {
  draining_ = true;
  if (waiting_for_request_) close();
}

void Http1Connection::abort() { close(); }

void Http1Connection::on_timer() noexcept { close(); }

void Http1Connection::close() {
  if (std::exchange(closed_, true)) return;
  if (armed()) share_.loop.disarm(*this);
  transport_.close();
  if (reader_) share_.loop.post(std::exchange(reader_, nullptr));
  context_.cancel();
}

// ---- reading ----

void Http1Connection::arm_read() {
  if (read_armed_ || closed_) return;
  read_armed_ = true;
  transport_.wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    self->read_armed_ = false;
    if (!error && !self->closed_) self->on_readable();
  });
}

// Reads also while a request is answered: so it is seen when the client is gone, and what waits for it ends.
void Http1Connection::on_readable() {
  const std::span<std::byte> buffer = share_.loop.receive_buffer();
  const net::Transport::IoResult read = transport_.receive(buffer);
  if (read.state == net::Transport::IoState::kClosed) return close();
  if (read.state == net::Transport::IoState::kWouldBlock) return arm_read();
  received_.append(reinterpret_cast<const char*>(buffer.data()), read.size);
  if (reader_) return std::exchange(reader_, nullptr).resume();
  if (received_.size() < kPipelinedMax) arm_read();
}

Task<std::optional<net::http1::Request>> Http1Connection::read_request() {
  waiting_for_request_ = received_.empty();
  share_.loop.arm(*this, net::Loop::now() + (waiting_for_request_ ? kIdleMax : kStallMax));
  for (;;) {
    const RequestParser::State state = parser_.feed(received_);
    if (state == RequestParser::State::kComplete) break;
    if (state == RequestParser::State::kFailed) {
      const int status = parser_.failure_status();
      const std::string body = std::to_string(status) + " " + std::string(net::http1::reason_of(status));
      net::http1::ResponseHead head{.status = status, .content_type = kText, .length = body.size(), .keep_alive = false};
      Task<bool> refusing = send(net::http1::encode(head) + body);
      co_await refusing;
      co_return std::nullopt;
    }
    if (parser_.wants_continue()) {
      Task<bool> inviting = send("HTTP/1.1 100 Continue\r\n\r\n");
      co_await inviting;
    }
    if (draining_ && waiting_for_request_) co_return std::nullopt;
    ReadableAwaiter reading{*this};
    const bool more = co_await reading;
    if (!more) co_return std::nullopt;
    if (std::exchange(waiting_for_request_, false)) share_.loop.arm(*this, net::Loop::now() + kStallMax);
  }
  waiting_for_request_ = false;
  if (armed()) share_.loop.disarm(*this);
  co_return parser_.take();
}

// ---- writing ----

Task<bool> Http1Connection::send(std::string bytes) {
  std::span<const std::byte> rest = std::as_bytes(std::span(bytes));
  while (!rest.empty()) {
    if (closed_) co_return false;
    const net::Transport::IoResult sent = transport_.send(rest);
    if (sent.state == net::Transport::IoState::kClosed) {
      close();
      co_return false;
    }
    if (sent.state == net::Transport::IoState::kWouldBlock) {
      share_.loop.arm(*this, net::Loop::now() + kStallMax);
      WritableAwaiter waiting{*this};
      co_await waiting;
      if (!closed_ && armed()) share_.loop.disarm(*this);
      continue;
    }
    rest = rest.subspan(sent.size);
  }
  co_return !closed_;
}

net::http1::ResponseHead Http1Connection::head_for(const Request& request, int status,
                                                   std::string_view content_type) const {
  net::http1::ResponseHead head{.status = status, .content_type = content_type};
  head.keep_alive = request.keep_alive && !draining_;
  return head;
}

// ---- answering ----

Task<void> Http1Connection::serve() {
  for (bool open = true; open;) {
    Task<std::optional<Request>> reading = read_request();
    std::optional<Request> request = co_await reading;
    if (!request) co_return;
    arm_read();
    Task<Outcome> responding = respond(*std::move(request));
    const Outcome outcome = co_await responding;
    open = outcome == Outcome::kGoOn && !draining_;
  }
}

Task<Http1Connection::Outcome> Http1Connection::respond_page(const Request& request, Page page) {
  net::http1::ResponseHead head = head_for(request, page.status, page.content_type);
  head.length = page.body.size();
  const bool keep_alive = head.keep_alive;
  std::string bytes = net::http1::encode(head);
  if (request.method != "HEAD") bytes += page.body;
  Task<bool> sending = send(std::move(bytes));
  const bool sent = co_await sending;
  co_return sent && keep_alive ? Outcome::kGoOn : Outcome::kClose;
}

}  // namespace minigrpc::rpc
