// channelz: what a program has of servers, channels and connections, by grpc.channelz.v1.
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "grpc/channelz/v1/channelz.minigrpc.h"
#include "invocation.h"
#include "remote.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

namespace pb = grpc::channelz::v1;

constexpr std::chrono::seconds kTimeoutUnlessGiven{10};

// Reads from one server, and writes as it reads. The first failure ends it.
class Overview {
 public:
  Overview(const Channel& channel, CallOptions options, std::ostream& out)
      : client_(channel), options_(std::move(options)), out_(out) {}

  Status print_all() {
    if (Status servers = print_servers(); !servers.ok()) return servers;
    return print_channels();
  }
  // What has that id, all of it; NOT_FOUND where nothing has.
  Status print_one(std::int64_t id);

 private:
  using Client = pb::Channelz::Client;

  template <class Response, class Request>
  Result<Response> ask(Task<Result<Response>> (Client::*method)(const Request&, CallOptions) const,
                       const Request& request) {
    return sync_wait((client_.*method)(request, options_));
  }
  Status print_servers();
  Status print_server(const pb::Server& server);
  Status print_channels();
  Status print_subchannel(std::int64_t id);
  // What has gone since its name was heard is left out.
  Status print_socket(std::string_view indent, std::int64_t id);
  template <class Data>
  void print_calls(const Data& data);
  template <class Response>
  Status print_json(const Result<Response>& response);

  Client client_;
  const CallOptions options_;
  std::ostream& out_;
};

std::string age_of(const google::protobuf::Timestamp& time) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age =
      std::chrono::duration_cast<std::chrono::seconds>(now) - std::chrono::seconds(time.seconds());
  return std::to_string(std::max<std::int64_t>(age.count(), 0)) + " s ago";
}

template <class Data>
void Overview::print_calls(const Data& data) {
  out_ << ": " << data.calls_started() << " calls, " << data.calls_succeeded() << " OK, "
       << data.calls_failed() << " failed";
  if (data.has_last_call_started_timestamp())
    out_ << ", the last " << age_of(data.last_call_started_timestamp());
  out_ << "\n";
}

Status Overview::print_servers() {
  pb::GetServersRequest request;
  for (;;) {
    const auto page = ask(&Client::GetServers, request);
    if (!page) return page.error();
    for (const pb::Server& server : page->server()) {
      if (Status printed = print_server(server); !printed.ok()) return printed;
      request.set_start_server_id(server.ref().server_id() + 1);
    }
    if (page->end() || page->server().empty()) return Status();
  }
}

Status Overview::print_server(const pb::Server& server) {
  out_ << "server " << server.ref().server_id() << " " << server.ref().name();
  print_calls(server.data());
  for (const pb::SocketRef& socket : server.listen_socket())
    out_ << "  listening socket " << socket.socket_id() << " " << socket.name() << "\n";
  pb::GetServerSocketsRequest request;
  request.set_server_id(server.ref().server_id());
  for (;;) {
    const auto page = ask(&Client::GetServerSockets, request);
    if (!page) return page.error().code() == StatusCode::kNotFound ? Status() : page.error();
    for (const pb::SocketRef& socket : page->socket_ref()) {
      if (Status printed = print_socket("  ", socket.socket_id()); !printed.ok()) return printed;
      request.set_start_socket_id(socket.socket_id() + 1);
    }
    if (page->end() || page->socket_ref().empty()) return Status();
  }
}

Status Overview::print_channels() {
  pb::GetTopChannelsRequest request;
  for (;;) {
    const auto page = ask(&Client::GetTopChannels, request);
    if (!page) return page.error();
    for (const pb::Channel& channel : page->channel()) {
      const auto state = channel.data().state().state();
      out_ << "channel " << channel.ref().channel_id() << " " << channel.data().target() << " "
           << pb::ChannelConnectivityState::State_Name(state);
      print_calls(channel.data());
      for (const pb::SubchannelRef& subchannel : channel.subchannel_ref())
        if (Status printed = print_subchannel(subchannel.subchannel_id()); !printed.ok()) return printed;
      for (const pb::SocketRef& socket : channel.socket_ref())
        if (Status printed = print_socket("  ", socket.socket_id()); !printed.ok()) return printed;
      request.set_start_channel_id(channel.ref().channel_id() + 1);
    }
    if (page->end() || page->channel().empty()) return Status();
  }
}

Status Overview::print_subchannel(std::int64_t id) {
  pb::GetSubchannelRequest request;
  request.set_subchannel_id(id);
  const auto found = ask(&Client::GetSubchannel, request);
  if (!found) return found.error().code() == StatusCode::kNotFound ? Status() : found.error();
  const pb::Subchannel& subchannel = found->subchannel();
  out_ << "  subchannel " << id << " " << subchannel.data().target() << " "
       << pb::ChannelConnectivityState::State_Name(subchannel.data().state().state());
  print_calls(subchannel.data());
  for (const pb::SocketRef& socket : subchannel.socket_ref())
    if (Status printed = print_socket("    ", socket.socket_id()); !printed.ok()) return printed;
  return Status();
}

Status Overview::print_socket(std::string_view indent, std::int64_t id) {
  pb::GetSocketRequest request;
  request.set_socket_id(id);
  request.set_summary(true);
  const auto found = ask(&Client::GetSocket, request);
  if (!found) return found.error().code() == StatusCode::kNotFound ? Status() : found.error();
  const pb::SocketData& data = found->socket().data();
  out_ << indent << "socket " << id << " " << found->socket().ref().name();
  const pb::Security::Tls& tls = found->socket().security().tls();
  if (found->socket().has_security()) out_ << " " << tls.standard_name() << tls.other_name();
  out_ << ": " << data.streams_started() << " streams, " << data.streams_succeeded() << " OK, "
       << data.streams_failed() << " failed; " << data.messages_sent() << " messages sent, "
       << data.messages_received() << " received\n";
  return Status();
}

template <class Response>
Status Overview::print_json(const Result<Response>& response) {
  if (!response) return response.error();
  google::protobuf::util::JsonPrintOptions format;
  format.add_whitespace = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(*response, &text, format).ok())
    return Status(StatusCode::kInternal, "the answer cannot be written as JSON");
  out_ << text;
  return Status();
}

Status Overview::print_one(std::int64_t id) {
  pb::GetServerRequest server;
  server.set_server_id(id);
  Status printed = print_json(ask(&Client::GetServer, server));
  // Servers that follow an older schema have no GetServer.
  if (printed.code() != StatusCode::kNotFound && printed.code() != StatusCode::kUnimplemented) return printed;
  pb::GetChannelRequest channel;
  channel.set_channel_id(id);
  printed = print_json(ask(&Client::GetChannel, channel));
  if (printed.code() != StatusCode::kNotFound) return printed;
  pb::GetSubchannelRequest subchannel;
  subchannel.set_subchannel_id(id);
  printed = print_json(ask(&Client::GetSubchannel, subchannel));
  if (printed.code() != StatusCode::kNotFound) return printed;
  pb::GetSocketRequest socket;
  socket.set_socket_id(id);
  printed = print_json(ask(&Client::GetSocket, socket));
  if (printed.code() != StatusCode::kNotFound) return printed;
  return Status(StatusCode::kNotFound, "nothing has the id " + std::to_string(id));
}

std::optional<std::int64_t> id_of(const std::string& text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 1) return std::nullopt;
  return id;
}

int channelz(Invocation& invocation, const RemoteFlags& remote, const Arguments& arguments) {
  if (arguments.size() < 1 || arguments.size() > 2)
    return invocation.fail(Exit::kBadArguments,
                           "whom to ask? Give an address, and an id to see all of one thing");
  std::optional<std::int64_t> id;
  if (arguments.size() == 2 && !(id = id_of(arguments[1])))
    return invocation.fail(Exit::kBadArguments, "'" + arguments[1] + "' is no id: a number from 1 on");
  Result<Metadata> metadata = parse_headers(remote.headers);
  if (!metadata) return invocation.fail(Exit::kBadArguments, metadata.error().message());
  CallOptions options{.metadata = *std::move(metadata)};
  if (remote.timeout.count() > 0) options.timeout = remote.timeout;
  const std::unique_ptr<Channel> channel = open_channel(invocation, remote, arguments[0]);
  Overview overview(*channel, std::move(options), invocation.out());
  const Status printed = id ? overview.print_one(*id) : overview.print_all();
  if (printed.ok()) return 0;
  if (printed.code() == StatusCode::kUnimplemented)
    return invocation.fail(Exit::kError, "the server has no channelz (grpc.channelz.v1.Channelz)");
  return fail(invocation, printed);
}

}  // namespace

Verb channelz_verb() {
  Verb verb{
      .path = "channelz",
      .arguments = "<target> [id]",
      .summary = "Show the servers, channels and connections of a program",
      .description =
          "Its server must offer grpc.channelz.v1.Channelz. With an id, all is shown of what has it, as "
          "JSON: events,\naddresses, flow-control windows, certificates.",
      .examples =
          "minigrpc channelz 127.0.0.1:5051\n"
          "minigrpc channelz 127.0.0.1:5051 7"};
  auto flags = std::make_shared<RemoteFlags>();
  flags->timeout = kTimeoutUnlessGiven;
  add_target_flags(verb.flags, *flags);
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return channelz(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
