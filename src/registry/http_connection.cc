#include "registry/http_connection.h"

#include <google/protobuf/descriptor.h>
#include <minigrpc/stream.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "registry/http_json.h"

namespace minigrpc::registry {

namespace {

using net::http1::Framing;
using net::http1::Request;

constexpr std::string_view kJson = "application/json";

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

HttpConnection::HttpConnection(Member& member, const Channel& own_services,
                               std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share,
                               net::Transport transport, std::string received)
    : rpc::Http1Connection(std::move(server), share, std::move(transport), std::move(received),
                           limits_for(member.options())),
      member_(member),
      own_services_(own_services) {}

net::http1::ResponseHead HttpConnection::head_for(const Request& request, int status,
                                                  std::string_view content_type) const {
  net::http1::ResponseHead head = Http1Connection::head_for(request, status, content_type);
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
  Page page{.status = 404, .body = of_gateway ? "Not Found\n" : "404 page not found\n"};
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
    Task<std::optional<Page>> making = make_page(member_, path, std::string(request.query()));
    std::optional<Page> made = co_await making;
    if (made) page = *std::move(made);
  }
  Task<Outcome> sending = respond_page(request, std::move(page));
  const Outcome outcome = co_await sending;
  co_return outcome;
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
  Page page{.status = http_status_of(message.error().code()),
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
  if (is_closed()) co_return Outcome::kClose;
  Result<std::string> json = Status(StatusCode::kInternal, "the call ended without a response");
  if (!status.ok())
    json = status;
  else if (response)
    json = message_to_json(*route.descriptor()->output_type(), response->bytes);
  Page page{.content_type = std::string(kJson)};
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
    if (is_closed()) co_return Outcome::kClose;
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
