#include "registry/http_connection.h"

#include <google/protobuf/descriptor.h>
#include <minigrpc/stream.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "registry/http_json.h"

namespace minigrpc::registry {

namespace {

using net::http1::Framing;
using net::http1::Request;
using net::http1::RequestParser;

// How long a client may be silent between two requests: descriptors of the forgotten.
constexpr std::chrono::seconds kIdleMax{75};
// How long a request may take to arrive, and a client to take anything of a response: slow ones that hold memory.
constexpr std::chrono::seconds kStallMax{30};
// Bytes of later requests that are kept while one is answered.
constexpr std::size_t kPipelinedMax = std::size_t{64} << 10;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";

// A message as its bytes: with it every kind of call is a stream of bytes in both directions.
struct RawMessage {
  std::string bytes;

  std::size_t ByteSizeLong() const { return bytes.size(); }
  void SerializeWithCachedSizesToArray(std::uint8_t* target) const { std::ranges::copy(bytes, target); }
  bool ParseFromArray(const void* data, int size) {
    bytes.assign(static_cast<const char*>(data), static_cast<std::size_t>(size));
    return true;
  }
};
using RawStream = ClientStream<RawMessage, RawMessage>;

// JSON is larger than the message: base64, names, quotes.
net::http1::ParserLimits limits_for(const RegistryOptions& options) {
  return {.header_size_max = limits::kHeaderListSizeMax, .body_size_max = 2 * options.request_size_max + (64u << 10)};
}

// What the gateway of etcd passes on: the token of `/v3/auth/authenticate`.
CallOptions options_for(const Request& request) {
  CallOptions options;
  std::string_view token = request.header("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  if (token.starts_with(kBearer)) token.remove_prefix(kBearer.size());
  if (!token.empty()) options.metadata.add("token", token);
  return options;
}

// A stream takes any number of documents, any other method one.
Result<std::vector<std::string>> messages_of(const google::protobuf::MethodDescriptor& method, std::string_view body) {
  std::vector<std::string_view> documents{body};
  if (method.client_streaming()) documents = split_documents(body);
  std::vector<std::string> messages;
  for (const std::string_view document : documents) {
    Result<std::string> message = json_to_message(*method.input_type(), document);
    if (!message) return message.error();
    messages.push_back(*std::move(message));
  }
  return messages;
}

Task<void> send_all(RawStream& stream, std::vector<std::string> messages) {
  for (std::string& bytes : messages) {
    const RawMessage message{std::move(bytes)};
    auto writing = stream.write(message);
    const bool taken = co_await writing;
    if (!taken) co_return;
  }
  auto ending = stream.writes_done();
  co_await ending;
}

}  // namespace

// Awaited: whether there are more bytes in received_; false when the connection is closed.
struct HttpConnection::ReadableAwaiter {
  HttpConnection& connection;
  bool await_ready() const noexcept { return connection.closed_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection.reader_ = waiter;
    connection.arm_read();
  }
  bool await_resume() const noexcept { return !connection.closed_; }
};

// Awaited: until there is room to write, or the connection is closed.
struct HttpConnection::WritableAwaiter {
  HttpConnection& connection;
  bool await_ready() const noexcept { return connection.closed_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection.transport_.wait_writable(
        [keep = connection.shared_from_this(), waiter](const boost::system::error_code&) { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

HttpConnection::HttpConnection(Member& member, const Channel& own_services, std::shared_ptr<rpc::ServerImpl> server,
                               rpc::ServerImpl::LoopShare& share, net::Transport transport, std::string received)
    : member_(member),
      own_services_(own_services),
      server_(std::move(server)),
      share_(share),
      transport_(std::move(transport)),
      received_(std::move(received)),
      parser_(limits_for(member.options())),
      context_(share.loop) {}

void HttpConnection::start() {
  server_->joined(share_, *this);
  self_ = shared_from_this();
  detail::run_detached(serve()).start(
      context_,
      [](void* connection) noexcept {
        auto* over = static_cast<HttpConnection*>(connection);
        const auto keep = std::move(over->self_);
        over->close();
        over->server_->left(over->share_, *over);
      },
      this);
}

void HttpConnection::drain() {
  draining_ = true;
  if (waiting_for_request_) close();
}

void HttpConnection::abort() { close(); }

void HttpConnection::on_timer() noexcept { close(); }

void HttpConnection::close() {
  if (std::exchange(closed_, true)) return;
  if (armed()) share_.loop.disarm(*this);
  transport_.close();
  if (reader_) share_.loop.post(std::exchange(reader_, nullptr));
  context_.cancel();
}

// ---- reading ----

void HttpConnection::arm_read() {
  if (read_armed_ || closed_) return;
  read_armed_ = true;
  transport_.wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
    self->read_armed_ = false;
    if (!error && !self->closed_) self->on_readable();
  });
}

// Reads also while a request is answered: so it is seen when the client is gone, and what waits for it ends.
void HttpConnection::on_readable() {
  const std::span<std::byte> buffer = share_.loop.receive_buffer();
  const net::Transport::IoResult read = transport_.receive(buffer);
  if (read.state == net::Transport::IoState::kClosed) return close();
  if (read.state == net::Transport::IoState::kWouldBlock) return arm_read();
  received_.append(reinterpret_cast<const char*>(buffer.data()), read.size);
  if (reader_) return std::exchange(reader_, nullptr).resume();
  if (received_.size() < kPipelinedMax) arm_read();
}

Task<std::optional<Request>> HttpConnection::read_request() {
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

Task<bool> HttpConnection::send(std::string bytes) {
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

net::http1::ResponseHead HttpConnection::head_for(const Request& request, int status,
                                                  std::string_view content_type) const {
  net::http1::ResponseHead head{.status = status, .content_type = content_type};
  head.keep_alive = request.keep_alive && !draining_;
  const std::vector<std::string>& cors = member_.options().cors;
  const std::string origin(request.header("origin"));
  const bool any = std::ranges::find(cors, "*") != cors.end();
  if (any || std::ranges::find(cors, origin) != cors.end()) {
    head.headers = {{"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
                    {"Access-Control-Allow-Origin", any ? "*" : origin},
                    {"Access-Control-Allow-Headers", "accept, content-type, authorization"}};
  }
  return head;
}

// ---- answering ----

Task<void> HttpConnection::serve() {
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

// Against pages that make a browser speak to this machine under a name of theirs (CVE-2018-5702).
bool HttpConnection::host_allowed(const Request& request) const {
  const std::vector<std::string>& allowed = member_.options().host_whitelist;
  std::string_view host = request.header("host");
  host = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
  return allowed.empty() || std::ranges::find(allowed, "*") != allowed.end() ||
         std::ranges::find(allowed, host) != allowed.end();
}

Task<HttpConnection::Outcome> HttpConnection::respond(Request request) {
  const std::string path(request.path());
  const bool of_gateway = path.starts_with("/v3/") || path.starts_with("/v3beta/");
  HttpPage page{.status = 404, .body = of_gateway ? "Not Found\n" : "404 page not found\n"};
  if (!host_allowed(request)) {
    page = {.status = 421, .body = "minigrpcd received your request, but the Host header was unrecognized: see "
                                   "--host-whitelist\n"};
  } else if (request.method == "OPTIONS") {
    page = {};
  } else if (of_gateway && member_.options().http_gateway) {
    const HttpRoute* route = find_route(path);
    if (route != nullptr && request.method == "POST") {
      Task<Outcome> calling = respond_call(request, *route);
      const Outcome outcome = co_await calling;
      co_return outcome;
    }
    if (route != nullptr) page = {.status = 405, .body = "Method Not Allowed\n"};
  } else if (request.method == "GET" || request.method == "HEAD") {
    Task<std::optional<HttpPage>> making = make_page(member_, path, std::string(request.query()));
    std::optional<HttpPage> made = co_await making;
    if (made) page = *std::move(made);
  }
  Task<Outcome> sending = respond_page(request, std::move(page));
  const Outcome outcome = co_await sending;
  co_return outcome;
}

Task<HttpConnection::Outcome> HttpConnection::respond_page(const Request& request, HttpPage page) {
  net::http1::ResponseHead head = head_for(request, page.status, page.content_type);
  head.length = page.body.size();
  const bool keep_alive = head.keep_alive;
  std::string bytes = net::http1::encode(head);
  if (request.method != "HEAD") bytes += page.body;
  Task<bool> sending = send(std::move(bytes));
  const bool sent = co_await sending;
  co_return sent && keep_alive ? Outcome::kGoOn : Outcome::kClose;
}

Task<HttpConnection::Outcome> HttpConnection::respond_call(const Request& request, const HttpRoute& route) {
  const google::protobuf::MethodDescriptor* method = route.descriptor();
  Status failure;
  if (method == nullptr)
    failure = Status(StatusCode::kUnimplemented, "unknown method " + std::string(route.method.path));
  else if (method->server_streaming()) {
    Task<Outcome> streaming = respond_stream(request, route);
    const Outcome outcome = co_await streaming;
    co_return outcome;
  }
  Result<std::string> message = failure.ok() ? json_to_message(*method->input_type(), request.body) : failure;
  if (message) {
    Task<Outcome> calling = respond_once(request, route, *std::move(message));
    const Outcome outcome = co_await calling;
    co_return outcome;
  }
  HttpPage page{.status = http_status_of(message.error().code()),
                .content_type = std::string(kJson),
                .body = error_json(message.error())};
  Task<Outcome> refusing = respond_page(request, std::move(page));
  const Outcome outcome = co_await refusing;
  co_return outcome;
}

Task<HttpConnection::Outcome> HttpConnection::respond_once(const Request& request, const HttpRoute& route,
                                                           std::string message) {
  RawStream stream(detail::ClientCall(own_services_, route.method, options_for(request)));
  std::vector<std::string> messages;
  messages.push_back(std::move(message));
  Task<void> sending = send_all(stream, std::move(messages));
  co_await sending;
  auto reading = stream.read();
  const std::optional<RawMessage> response = co_await reading;
  auto finishing = stream.finish();
  const Status status = co_await finishing;
  if (closed_) co_return Outcome::kClose;
  Result<std::string> json = Status(StatusCode::kInternal, "the call ended without a response");
  if (!status.ok())
    json = status;
  else if (response)
    json = message_to_json(*route.descriptor()->output_type(), response->bytes);
  HttpPage page{.content_type = std::string(kJson)};
  if (json) {
    page.body = *std::move(json);
  } else {
    page.status = http_status_of(json.error().code());
    page.body = error_json(json.error());
  }
  Task<Outcome> answering = respond_page(request, std::move(page));
  const Outcome outcome = co_await answering;
  co_return outcome;
}

// One line of JSON for each message. The connection ends with the stream.
Task<HttpConnection::Outcome> HttpConnection::respond_stream(const Request& request, const HttpRoute& route) {
  const google::protobuf::MethodDescriptor& method = *route.descriptor();
  Result<std::vector<std::string>> messages = messages_of(method, request.body);
  RawStream stream(detail::ClientCall(own_services_, route.method, options_for(request)));
  Status status = messages.status();
  if (messages) {
    Task<void> sending = send_all(stream, *std::move(messages));
    co_await sending;
  }
  net::http1::ResponseHead head = head_for(request, 200, kJson);
  head.framing = request.is_http10 ? Framing::kToEnd : Framing::kChunked;
  head.keep_alive = false;
  const auto framed = [&](const std::string& line) {
    std::string bytes;
    if (head.framing == Framing::kToEnd) return line;
    net::http1::append_chunk(line, bytes);
    return bytes;
  };
  bool begun = false;
  while (status.ok()) {
    auto reading = stream.read();
    const std::optional<RawMessage> message = co_await reading;
    if (closed_) co_return Outcome::kClose;
    if (!message) {
      auto finishing = stream.finish();
      status = co_await finishing;
      break;
    }
    const Result<std::string> json = message_to_json(*method.output_type(), message->bytes);
    if (!json) {
      status = json.error();
      break;
    }
    std::string bytes = begun ? std::string() : net::http1::encode(head);
    begun = true;
    bytes += framed(R"({"result":)" + *json + "}\n");
    Task<bool> sending = send(std::move(bytes));
    const bool sent = co_await sending;
    if (!sent) co_return Outcome::kClose;
  }
  head.status = http_status_of(status.code());
  std::string end = begun ? std::string() : net::http1::encode(head);
  if (!status.ok()) end += framed(stream_error_json(status));
  if (head.framing == Framing::kChunked) net::http1::append_chunk({}, end);
  Task<bool> ending = send(std::move(end));
  co_await ending;
  co_return Outcome::kClose;
}

}  // namespace minigrpc::registry
