// What channelz tells of real servers, channels and connections. The program looked at has one runtime, who
// looks another: looking must not change what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <minigrpc/channel.h>
#include <minigrpc/channelz.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <thread>

#include "grpc/channelz/v1/channelz.minigrpc.h"
#include "rpc/test_echo.h"
#include "support/certificates.h"
#include "support/raw_peer.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using minigrpc::testing::CertificateAndKey;
using minigrpc::testing::CertificateAuthority;
using minigrpc::testing::RawListener;
using test::call_unary;
using test::Text;
using ::testing::Contains;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;
namespace pb = grpc::channelz::v1;

class ChannelzServiceTest : public ::testing::Test {
 protected:
  ChannelzServiceTest() {
    server_.add(echo_);
    admin_server_.add(channelz_.service());
    admin_.emplace(admin_runtime_, "127.0.0.1:" + std::to_string(*admin_server_.listen("127.0.0.1:0")));
  }
  std::string listen(const std::string& address = "127.0.0.1:0", const ServerCredentials& credentials = {}) {
    const Result<std::uint16_t> port = server_.listen(address, credentials);
    EXPECT_TRUE(port) << port.status().to_string();
    return *port == 0 ? address : "127.0.0.1:" + std::to_string(*port);
  }

  template <class Response, class Request>
  Result<Response> ask(Task<Result<Response>> (pb::Channelz::Client::*method)(const Request&, CallOptions)
                           const,
                       const Request& request) {
    const pb::Channelz::Client client(*admin_);
    return sync_wait((client.*method)(request, CallOptions{.timeout = 20s}));
  }
  std::vector<pb::Channel> channels() {
    const auto page = ask(&pb::Channelz::Client::GetTopChannels, pb::GetTopChannelsRequest());
    EXPECT_TRUE(page) << page.status().to_string();
    return page ? std::vector<pb::Channel>(page->channel().begin(), page->channel().end())
                : std::vector<pb::Channel>();
  }
  pb::Server server() {
    const auto page = ask(&pb::Channelz::Client::GetServers, pb::GetServersRequest());
    EXPECT_TRUE(page && page->server_size() == 1 && page->end());
    return page && page->server_size() == 1 ? page->server(0) : pb::Server();
  }
  std::vector<std::int64_t> server_sockets() {
    pb::GetServerSocketsRequest request;
    request.set_server_id(server().ref().server_id());
    const auto page = ask(&pb::Channelz::Client::GetServerSockets, request);
    std::vector<std::int64_t> ids;
    if (page)
      for (const pb::SocketRef& socket : page->socket_ref()) ids.push_back(socket.socket_id());
    return ids;
  }
  Result<pb::GetSubchannelResponse> subchannel(std::int64_t id) {
    pb::GetSubchannelRequest request;
    request.set_subchannel_id(id);
    return ask(&pb::Channelz::Client::GetSubchannel, request);
  }
  pb::Socket socket(std::int64_t id, bool summary = false) {
    pb::GetSocketRequest request;
    request.set_socket_id(id);
    request.set_summary(summary);
    const auto found = ask(&pb::Channelz::Client::GetSocket, request);
    EXPECT_TRUE(found) << found.status().to_string();
    return found ? found->socket() : pb::Socket();
  }
  // The connection of the only channel, as that sees it.
  pb::Socket client_socket() {
    const auto all = channels();
    EXPECT_EQ(all.size(), 1u);
    const auto found = subchannel(all.at(0).subchannel_ref(0).subchannel_id());
    EXPECT_TRUE(found && found->subchannel().socket_ref_size() == 1);
    return socket(found->subchannel().socket_ref(0).socket_id());
  }
  // The answer arrives before the server has come to the end of its turn.
  static bool becomes_true(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  Runtime runtime_{{.loops = 2}};
  test::Echo echo_{runtime_};
  Server server_{runtime_};
  Runtime admin_runtime_{{.loops = 1}};
  Channelz channelz_{runtime_};
  Server admin_server_{admin_runtime_};
  std::optional<Channel> admin_;
};

std::vector<std::string> descriptions(const pb::ChannelTrace& trace) {
  std::vector<std::string> texts;
  for (const pb::ChannelTraceEvent& event : trace.events()) texts.push_back(event.description());
  return texts;
}

bool is_recent(const google::protobuf::Timestamp& time) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = now - std::chrono::seconds(time.seconds()) - std::chrono::nanoseconds(time.nanos());
  return age > -1s && age < 60s;
}

enum class Leaving { kOrderly, kAbrupt };

Task<int> chat(const Channel* channel, int messages, Leaving leaving) {
  CallOptions options{.timeout = 20s};
  auto stream = detail::bidirectional<Text, Text>(*channel, test::kChat, std::move(options));
  const Text question{"hello"};
  int answers = 0;
  for (int i = 0; i < messages; ++i) {
    co_await stream.write(question);
    const std::optional<Text> answer = co_await stream.read();
    if (answer) ++answers;
  }
  if (leaving == Leaving::kAbrupt) co_return answers;
  co_await stream.writes_done();
  co_await stream.finish();
  co_return answers;
}

// ---- calls ----

TEST_F(ChannelzServiceTest, ServerAndChannelCountTheirCalls) {
  Channel channel(runtime_, listen());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
  ASSERT_EQ(call_unary(channel, "sleep", {.timeout = 50ms}).status().code(), StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(becomes_true([&] { return server().data().calls_failed() == 1; }));
  const pb::ServerData seen = server().data();
  EXPECT_EQ(seen.calls_started(), 4);
  EXPECT_EQ(seen.calls_succeeded(), 3);
  EXPECT_TRUE(is_recent(seen.last_call_started_timestamp()));
  const pb::Channel one = channels().at(0);
  EXPECT_EQ(one.data().calls_started(), 4);
  EXPECT_EQ(one.data().calls_succeeded(), 3);
  EXPECT_EQ(one.data().calls_failed(), 1);
  EXPECT_TRUE(is_recent(one.data().last_call_started_timestamp()));
  const auto below = subchannel(one.subchannel_ref(0).subchannel_id());
  ASSERT_TRUE(below);
  EXPECT_EQ(below->subchannel().data().calls_started(), 4);
  EXPECT_EQ(below->subchannel().data().calls_succeeded(), 3);
  EXPECT_EQ(below->subchannel().data().calls_failed(), 1);
  EXPECT_TRUE(is_recent(below->subchannel().data().last_call_started_timestamp()));
}

TEST_F(ChannelzServiceTest, BothEndsOfAConnectionCountStreamsAndMessages) {
  Channel channel(runtime_, listen());
  ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
  ASSERT_EQ(sync_wait(chat(&channel, 3, Leaving::kOrderly)), 3);
  ASSERT_EQ(sync_wait(chat(&channel, 1, Leaving::kAbrupt)), 1);
  const std::vector<std::int64_t> accepted = server_sockets();
  ASSERT_EQ(accepted.size(), 1u);
  ASSERT_TRUE(becomes_true([&] { return socket(accepted[0]).data().streams_failed() == 1; }));
  const pb::SocketData theirs = socket(accepted[0]).data();
  EXPECT_EQ(theirs.streams_started(), 3);
  EXPECT_EQ(theirs.streams_succeeded(), 2);
  EXPECT_EQ(theirs.messages_received(), 5);
  EXPECT_EQ(theirs.messages_sent(), 5);
  EXPECT_TRUE(is_recent(theirs.last_remote_stream_created_timestamp()));
  EXPECT_FALSE(theirs.has_last_local_stream_created_timestamp());
  EXPECT_TRUE(is_recent(theirs.last_message_sent_timestamp()));
  EXPECT_TRUE(is_recent(theirs.last_message_received_timestamp()));
  const pb::SocketData ours = client_socket().data();
  EXPECT_EQ(ours.streams_started(), 3);
  EXPECT_EQ(ours.streams_succeeded(), 2);
  EXPECT_EQ(ours.streams_failed(), 1);
  EXPECT_EQ(ours.messages_sent(), 5);
  EXPECT_EQ(ours.messages_received(), 5);
  EXPECT_TRUE(is_recent(ours.last_local_stream_created_timestamp()));
  EXPECT_FALSE(ours.has_last_remote_stream_created_timestamp());
  EXPECT_GT(ours.local_flow_control_window().value(), 1 << 20);
  EXPECT_GT(ours.remote_flow_control_window().value(), 1 << 20);
}

TEST_F(ChannelzServiceTest, AClosedConnectionsCallsHaveFailed) {
  const std::string address = listen();
  Channel channel(runtime_, address);
  std::thread caller([&] { EXPECT_FALSE(call_unary(channel, "sleep", {.timeout = 20s})); });
  ASSERT_TRUE(becomes_true([&] { return server().data().calls_started() == 1; }));
  sync_wait(server_.shutdown(0s));
  caller.join();
  const pb::ServerData seen = server().data();
  EXPECT_EQ(seen.calls_failed(), 1);
  EXPECT_TRUE(server_sockets().empty());
  EXPECT_EQ(server().listen_socket_size(), 0);
  EXPECT_THAT(descriptions(seen.trace()), IsSupersetOf({"created", "shutting down"}));
  ASSERT_TRUE(becomes_true([&] {
    const auto below = subchannel(channels().at(0).subchannel_ref(0).subchannel_id());
    return below && below->subchannel().data().calls_failed() == 1 &&
           below->subchannel().socket_ref_size() == 0;
  }));
}

// ---- who is there ----

TEST_F(ChannelzServiceTest, AChannelLeadsToItsSocket) {
  const std::string address = listen();
  {
    Channel channel(runtime_, address);
    EXPECT_EQ(channels().at(0).data().state().state(), pb::ChannelConnectivityState::IDLE);
    ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
    const pb::Channel one = channels().at(0);
    EXPECT_EQ(one.data().state().state(), pb::ChannelConnectivityState::READY);
    EXPECT_EQ(one.data().target(), address);
    EXPECT_EQ(one.ref().name(), address);
    EXPECT_TRUE(is_recent(one.data().trace().creation_timestamp()));
    EXPECT_THAT(descriptions(one.data().trace()),
                IsSupersetOf({"created", "subchannel created", "state READY"}));
    const auto below = subchannel(one.subchannel_ref(0).subchannel_id());
    ASSERT_TRUE(below);
    EXPECT_EQ(below->subchannel().data().target(), address);
    EXPECT_EQ(below->subchannel().data().state().state(), pb::ChannelConnectivityState::READY);
    const pb::Socket ours = client_socket();
    const pb::Socket theirs = socket(server_sockets().at(0));
    EXPECT_EQ(ours.local().SerializeAsString(), theirs.remote().SerializeAsString());
    EXPECT_EQ(ours.remote().SerializeAsString(), theirs.local().SerializeAsString());
    EXPECT_EQ(ours.remote().tcpip_address().ip_address(), std::string("\x7f\0\0\1", 4));
    EXPECT_EQ("127.0.0.1:" + std::to_string(ours.remote().tcpip_address().port()), address);
    EXPECT_EQ(ours.remote_name(), address);
    EXPECT_FALSE(ours.has_security());
    const pb::Socket listening = socket(server().listen_socket(0).socket_id());
    EXPECT_EQ(listening.local().SerializeAsString(), ours.remote().SerializeAsString());
    EXPECT_FALSE(listening.has_remote());
  }
  EXPECT_TRUE(becomes_true([&] { return channels().empty() && server_sockets().empty(); }));
}

TEST_F(ChannelzServiceTest, AFailureIsInTheTrace) {
  std::string nobody;
  {
    RawListener listener;
    nobody = listener.endpoint();
  }
  Channel channel(runtime_, nobody);
  ASSERT_FALSE(call_unary(channel, "x", {.timeout = 20s}));
  const pb::Channel one = channels().at(0);
  EXPECT_EQ(one.data().state().state(), pb::ChannelConnectivityState::TRANSIENT_FAILURE);
  EXPECT_THAT(descriptions(one.data().trace()),
              Contains(StartsWith("state TRANSIENT_FAILURE: cannot connect to " + nobody)));
  for (const pb::ChannelTraceEvent& event : one.data().trace().events())
    EXPECT_EQ(event.severity(), event.description().find("FAILURE") != std::string::npos
                                    ? pb::ChannelTraceEvent::CT_WARNING
                                    : pb::ChannelTraceEvent::CT_INFO)
        << event.description();
  EXPECT_EQ(one.data().calls_failed(), 1);
}

TEST_F(ChannelzServiceTest, UnixAndInProcessAddressesAreTold) {
  const std::string path = "unix:" + ::testing::TempDir() + "channelz-" + std::to_string(getpid()) + ".sock";
  listen(path);
  listen("in-process:channelz");
  {
    Channel channel(runtime_, path);
    ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
    EXPECT_EQ("unix:" + client_socket().remote().uds_address().filename(), path);
  }
  ASSERT_TRUE(becomes_true([&] { return channels().empty(); }));
  Channel channel(runtime_, "in-process:channelz");
  ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
  EXPECT_EQ(client_socket().remote().other_address().name(), "in-process:channelz");
}

TEST_F(ChannelzServiceTest, TlsIsToldWithItsCertificates) {
  const CertificateAuthority authority("test authority");
  const CertificateAndKey own = authority.issue({.common_name = "server", .names = {"IP:127.0.0.1"}});
  const CertificateAndKey clerk = authority.issue({.common_name = "clerk"});
  const std::string address =
      listen("127.0.0.1:0", ServerCredentials::tls({.certificate_chain = Pem::text(own.certificate),
                                                    .private_key = Pem::text(own.private_key),
                                                    .client_certificate = ClientCertificate::kRequired,
                                                    .client_ca = Pem::text(authority.certificate())}));
  Channel channel(runtime_, address,
                  {.credentials = ChannelCredentials::tls({.server_ca = Pem::text(authority.certificate()),
                                                           .certificate_chain = Pem::text(clerk.certificate),
                                                           .private_key = Pem::text(clerk.private_key)})});
  ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
  const pb::Security::Tls ours = client_socket().security().tls();
  const pb::Security::Tls theirs = socket(server_sockets().at(0)).security().tls();
  EXPECT_THAT(ours.standard_name(), StartsWith("TLS_"));
  EXPECT_EQ(ours.standard_name(), theirs.standard_name());
  EXPECT_THAT(ours.remote_certificate(), StartsWith("\x30"));  // DER: a SEQUENCE
  EXPECT_EQ(ours.remote_certificate(), theirs.local_certificate());
  EXPECT_THAT(theirs.remote_certificate(), StartsWith("\x30"));
  EXPECT_EQ(theirs.remote_certificate(), ours.local_certificate());
  EXPECT_NE(theirs.remote_certificate(), ours.remote_certificate());
}

TEST_F(ChannelzServiceTest, OptionsOfASocketAreLeftOutOfASummary) {
  Channel channel(runtime_, listen());
  ASSERT_TRUE(call_unary(channel, "x", {.timeout = 20s}));
  const std::int64_t id = server_sockets().at(0);
  EXPECT_EQ(socket(id, true).data().option_size(), 0);
  std::vector<std::string> names;
  const pb::Socket whole = socket(id);
  for (const pb::SocketOption& option : whole.data().option()) {
    names.push_back(option.name());
    pb::SocketOptionTcpInfo info;
    if (option.name() != "TCP_INFO") continue;
    ASSERT_TRUE(option.additional().UnpackTo(&info));
    EXPECT_EQ(info.tcpi_state(), 1u);  // ESTABLISHED
    EXPECT_GT(info.tcpi_snd_mss(), 0u);
  }
  EXPECT_THAT(names, IsSupersetOf({"SO_LINGER", "TCP_USER_TIMEOUT", "TCP_INFO"}));
}

// ---- pages ----

TEST_F(ChannelzServiceTest, PagesGoThroughAll) {
  const std::string address = listen();
  std::deque<Channel> channels;
  for (int i = 0; i < 5; ++i) {
    channels.emplace_back(runtime_, address);
    ASSERT_TRUE(call_unary(channels.back(), "x", {.timeout = 20s}));
  }
  pb::GetServerSocketsRequest request;
  request.set_server_id(server().ref().server_id());
  request.set_max_results(2);
  std::vector<std::int64_t> ids;
  std::vector<int> sizes;
  for (bool end = false; !end;) {
    const auto page = ask(&pb::Channelz::Client::GetServerSockets, request);
    ASSERT_TRUE(page) << page.status().to_string();
    for (const pb::SocketRef& socket : page->socket_ref()) ids.push_back(socket.socket_id());
    sizes.push_back(page->socket_ref_size());
    end = page->end();
    request.set_start_socket_id(ids.back() + 1);
  }
  EXPECT_EQ(sizes, (std::vector{2, 2, 1}));
  EXPECT_EQ(ids, server_sockets());
  pb::GetTopChannelsRequest top;
  top.set_max_results(4);
  const auto first = ask(&pb::Channelz::Client::GetTopChannels, top);
  ASSERT_TRUE(first && first->channel_size() == 4);
  EXPECT_FALSE(first->end());
  pb::GetChannelRequest one;
  one.set_channel_id(first->channel(3).ref().channel_id());
  const auto found = ask(&pb::Channelz::Client::GetChannel, one);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->channel().ref().SerializeAsString(), first->channel(3).ref().SerializeAsString());
}

TEST_F(ChannelzServiceTest, WhatIsNotThereIsNotFound) {
  listen();
  const std::int64_t id = server().ref().server_id();
  pb::GetServerRequest the_server;
  the_server.set_server_id(id);
  EXPECT_TRUE(ask(&pb::Channelz::Client::GetServer, the_server));
  pb::GetChannelRequest channel;
  channel.set_channel_id(id);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetChannel, channel).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(subchannel(id).status().code(), StatusCode::kNotFound);
  pb::GetSocketRequest socket;
  socket.set_socket_id(id);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetSocket, socket).status().code(), StatusCode::kNotFound);
  the_server.set_server_id(123456);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetServer, the_server).status().code(), StatusCode::kNotFound);
  pb::GetServerSocketsRequest sockets;
  sockets.set_server_id(123456);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetServerSockets, sockets).status().code(), StatusCode::kNotFound);
}

TEST_F(ChannelzServiceTest, NegativeNumbersAreInvalid) {
  pb::GetTopChannelsRequest channels;
  channels.set_max_results(-1);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetTopChannels, channels).status().code(),
            StatusCode::kInvalidArgument);
  pb::GetServersRequest servers;
  servers.set_start_server_id(-1);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetServers, servers).status().code(), StatusCode::kInvalidArgument);
  pb::GetServerSocketsRequest sockets;
  sockets.set_server_id(server().ref().server_id());
  sockets.set_max_results(-1);
  EXPECT_EQ(ask(&pb::Channelz::Client::GetServerSockets, sockets).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(subchannel(-1).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace minigrpc
