// Calls over TLS: who is believed, who is refused and what they are told, and certificates that change underway.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "rpc/other_protocol.h"
#include "rpc/test_echo.h"
#include "support/certificates.h"
#include "support/raw_peer.h"
#include "support/raw_tls.h"

namespace minigrpc {
namespace {

using namespace std::chrono_literals;
using minigrpc::testing::CertificateAndKey;
using minigrpc::testing::CertificateAuthority;
using minigrpc::testing::RawListener;
using minigrpc::testing::RawPeer;
using minigrpc::testing::RawTls;
using test::call_unary;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const CertificateAuthority& authority() {
  static const CertificateAuthority made("test authority");
  return made;
}
const CertificateAuthority& stranger() {
  static const CertificateAuthority made("somebody else");
  return made;
}
const CertificateAndKey& server_certificate() {
  static const CertificateAndKey made =
      authority().issue({.common_name = "server", .names = {"DNS:shop.example", "IP:127.0.0.1"}});
  return made;
}
const CertificateAndKey& client_certificate() {
  static const CertificateAndKey made = authority().issue(
      {.common_name = "clerk", .names = {"DNS:clerk.example", "URI:spiffe://shop/clerk", "email:clerk@shop.example",
                                         "IP:10.0.0.7", "IP:::1"}});
  return made;
}

TlsServerOptions server_options(const CertificateAndKey& own = server_certificate()) {
  return {.certificate_chain = Pem::text(own.certificate), .private_key = Pem::text(own.private_key)};
}
TlsChannelOptions channel_options() { return {.server_ca = Pem::text(authority().certificate())}; }
TlsChannelOptions channel_options_with_certificate(const CertificateAndKey& own = client_certificate()) {
  TlsChannelOptions options = channel_options();
  options.certificate_chain = Pem::text(own.certificate);
  options.private_key = Pem::text(own.private_key);
  return options;
}

// Echo, and who asked for it.
class Identity final : public Service {
 public:
  std::string_view service_name() const override { return "test.Identity"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {
        {kWho, &detail::serve_unary<Identity, test::Text, test::Text, &Identity::Who>}};
    return kMethods;
  }
  Task<Result<test::Text>> Who(ServerContext& context, test::Text) {
    std::lock_guard lock(mutex_);
    last_.reset();
    if (context.peer_identity() != nullptr) last_ = *context.peer_identity();
    test::Text answer;
    for (const std::string_view value : context.metadata().get_all("authorization")) answer.value += std::string(value) + ";";
    for (const std::string_view value : context.metadata().get_all("x-plugin")) answer.value += std::string(value) + ";";
    co_return answer;
  }
  std::optional<PeerIdentity> last() {
    std::lock_guard lock(mutex_);
    return last_;
  }
  static constexpr MethodDescriptor kWho{"/test.Identity/Who", MethodKind::kUnary};

 private:
  std::mutex mutex_;
  std::optional<PeerIdentity> last_;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : runtime_({.loops = 2}), echo_(runtime_), server_(runtime_) {
    server_.add(echo_);
    server_.add(identity_);
  }
  std::uint16_t listen(TlsServerOptions options = server_options()) {
    const Result<std::uint16_t> port = server_.listen("127.0.0.1:0", ServerCredentials::tls(std::move(options)));
    EXPECT_TRUE(port) << port.status().to_string();
    return port.value_or(0);
  }
  Channel channel(std::uint16_t port, TlsChannelOptions options = channel_options()) {
    return Channel(runtime_, "127.0.0.1:" + std::to_string(port),
                   {.credentials = ChannelCredentials::tls(std::move(options))});
  }
  Status try_call(std::uint16_t port, TlsChannelOptions options = channel_options()) {
    Channel made = channel(port, std::move(options));
    return call_unary(made, "x", {.timeout = 20s}).status();
  }
  Result<test::Text> who(Channel& through, CallOptions options = {}) {
    return sync_wait(detail::unary<test::Text>(through, Identity::kWho, test::Text{}, std::move(options)));
  }

  Runtime runtime_;
  test::Echo echo_;
  Identity identity_;
  Server server_;
};

// ---- calls ----

TEST_F(TlsTest, CallsAreServed) {
  Channel secure = channel(listen());
  const Result<test::Text> answer = call_unary(secure, "hello");
  ASSERT_TRUE(answer) << answer.status().to_string();
  EXPECT_EQ(answer->value, "echo hello");
  EXPECT_TRUE(who(secure));
  EXPECT_FALSE(identity_.last()) << "no certificate was asked for";
}

TEST_F(TlsTest, MessagesOfManyRecordsPassBothWays) {
  Channel secure = channel(listen());
  std::string large(3 << 20, 'a');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
  const Result<test::Text> answer = call_unary(secure, large);
  ASSERT_TRUE(answer) << answer.status().to_string();
  EXPECT_EQ(answer->value, "echo " + large);
}

TEST_F(TlsTest, ManyCallsShareAConnection) {
  Channel secure = channel(listen());
  std::vector<Task<Result<test::Text>>> calls;
  for (int i = 0; i < 300; ++i)
    calls.push_back(detail::unary<test::Text>(secure, test::kUnary, test::Text{std::string(static_cast<std::size_t>(i) * 97, 'x')},
                                              CallOptions{}));
  const auto answers = sync_wait(when_all(std::move(calls)));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i]) << answers[i].status().to_string();
    EXPECT_EQ(answers[i]->value.size(), 5 + i * 97);
  }
}

TEST_F(TlsTest, ShutdownEndsConnectionsAndHandshakes) {
  const std::uint16_t port = listen();
  Channel secure = channel(port);
  ASSERT_TRUE(call_unary(secure, "x"));
  RawPeer silent(port);  // never begins its handshake
  sync_wait(server_.shutdown(20s));
  EXPECT_TRUE(silent.ends_within(5s));
}

// ---- whom a client believes ----

TEST_F(TlsTest, ACertificateOfAnotherAuthorityIsRefused) {
  TlsChannelOptions options;
  options.server_ca = Pem::text(stranger().certificate());
  const Status status = try_call(listen(), options);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("the peer's certificate is not accepted"));
  // The system's roots do not know it either.
  EXPECT_THAT(try_call(listen(), TlsChannelOptions{}).message(), HasSubstr("the peer's certificate is not accepted"));
}

// It waits for the server to read why it was refused, with a timer in the loop that goes.
TEST_F(TlsTest, ARuntimeMayEndWhileARefusedHandshakeLingers) {
  RawListener listener;
  std::promise<void> ended;
  std::thread server([&] {
    RawPeer peer = listener.accept();
    RawTls tls(peer, server_certificate());
    ended.get_future().wait();
  });
  {
    Runtime client({.loops = 1});
    TlsChannelOptions options;
    options.server_ca = Pem::text(stranger().certificate());
    Channel made(client, "127.0.0.1:" + std::to_string(listener.port()),
                 {.credentials = ChannelCredentials::tls(std::move(options))});
    EXPECT_THAT(call_unary(made, "x", {.timeout = 20s}).status().message(),
                HasSubstr("certificate is not accepted"));
  }
  ended.set_value();
  server.join();
}

TEST_F(TlsTest, ACertificateForAnotherNameIsRefused) {
  TlsChannelOptions options = channel_options();
  options.server_name = "other.example";
  const std::uint16_t port = listen();
  EXPECT_THAT(try_call(port, options).message(), HasSubstr("it is not for 'other.example'"));
  options.server_name = "shop.example";
  EXPECT_TRUE(try_call(port, options).ok());
}

TEST_F(TlsTest, AnExpiredCertificateIsRefused) {
  const CertificateAndKey old =
      authority().issue({.common_name = "server", .names = {"IP:127.0.0.1"}, .valid_for_days = -1});
  EXPECT_THAT(try_call(listen(server_options(old))).message(), HasSubstr("certificate has expired"));
}

TEST_F(TlsTest, VerificationCanBeLeftOut) {
  TlsChannelOptions options;
  options.verification = ServerVerification::kNone;
  EXPECT_TRUE(try_call(listen(), options).ok());
}

TEST_F(TlsTest, AServerWithoutHttp2IsRefused) {
  RawListener listener;
  std::thread server([&] {
    RawPeer peer = listener.accept();
    RawTls tls(peer, server_certificate());  // answers no ALPN
    tls.read();
  });
  const Status status = try_call(listener.port());
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("the server did not agree on HTTP/2"));
  server.join();
}

// ---- whom a server believes ----

TlsServerOptions mutual(ClientCertificate wanted) {
  TlsServerOptions options = server_options();
  options.client_certificate = wanted;
  options.client_ca = Pem::text(authority().certificate());
  return options;
}

TEST_F(TlsTest, TheClientsIdentityIsVisible) {
  for (const ClientCertificate wanted : {ClientCertificate::kOptional, ClientCertificate::kRequired}) {
    Channel secure = channel(listen(mutual(wanted)), channel_options_with_certificate());
    ASSERT_TRUE(who(secure)) << who(secure).status().to_string();
    const std::optional<PeerIdentity> identity = identity_.last();
    ASSERT_TRUE(identity);
    EXPECT_EQ(identity->common_name, "clerk");
    EXPECT_THAT(identity->dns_names, ElementsAre("clerk.example"));
    EXPECT_THAT(identity->uris, ElementsAre("spiffe://shop/clerk"));
    EXPECT_THAT(identity->email_addresses, ElementsAre("clerk@shop.example"));
    EXPECT_THAT(identity->ip_addresses, ElementsAre("10.0.0.7", "::1"));
    EXPECT_EQ(identity->certificate_chain, client_certificate().certificate);
  }
}

TEST_F(TlsTest, AClientWithoutCertificateIsServedUnlessOneIsRequired) {
  Channel optional = channel(listen(mutual(ClientCertificate::kOptional)));
  ASSERT_TRUE(who(optional));
  EXPECT_FALSE(identity_.last());
  const Status status = try_call(listen(mutual(ClientCertificate::kRequired)));
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("certificate required"));
}

TEST_F(TlsTest, AClientOfAnotherAuthorityIsRefused) {
  const CertificateAndKey forged = stranger().issue({.common_name = "clerk"});
  for (const ClientCertificate wanted : {ClientCertificate::kOptional, ClientCertificate::kRequired}) {
    const Status status = try_call(listen(mutual(wanted)), channel_options_with_certificate(forged));
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("alert unknown ca"));
  }
  // A server that asks for none does not look at it.
  EXPECT_TRUE(try_call(listen(), channel_options_with_certificate(forged)).ok());
}

TEST_F(TlsTest, ClientsMustOfferHttp2AndTls12) {
  const std::uint16_t port = listen();
  RawPeer http11(port);
  EXPECT_FALSE(RawTls(http11, "http/1.1").established());
  RawPeer nothing(port);
  RawTls without(nothing, "");
  without.write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(without.read(), "");
  RawPeer old(port);
  EXPECT_FALSE(RawTls(old, "h2", RawTls::Version::k1_1).established());
  RawPeer good(port);
  EXPECT_TRUE(RawTls(good, "h2", RawTls::Version::k1_2).established());
}

// ---- other protocols ----

class Brackets final : public rpc::OtherProtocol {
  class Connection final : public rpc::AcceptedConnection, public std::enable_shared_from_this<Connection> {
   public:
    Connection(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share, net::Transport transport)
        : server_(std::move(server)), share_(share), transport_(std::move(transport)) {}
    void start() {
      server_->joined(share_, *this);
      wait();
    }
    void drain() override { end(); }
    void abort() override { end(); }

   private:
    void wait() {
      transport_.wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error) self->on_readable();
      });
    }
    void on_readable() {
      std::byte bytes[256];
      const auto read = transport_.receive(bytes);
      if (read.state == net::Transport::IoState::kWouldBlock) return wait();
      if (read.state == net::Transport::IoState::kClosed) return end();
      const std::string text = "[" + std::string(reinterpret_cast<const char*>(bytes), read.size) + "]";
      transport_.send(std::as_bytes(std::span(text)));
      wait();
    }
    void end() {
      transport_.close();
      server_->left(share_, *this);
    }
    const std::shared_ptr<rpc::ServerImpl> server_;
    rpc::ServerImpl::LoopShare& share_;
    net::Transport transport_;
  };

  void take_over(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share, net::Transport transport,
                 std::string received) override {
    EXPECT_EQ(received, "");
    std::make_shared<Connection>(std::move(server), share, std::move(transport))->start();
  }
};

TEST_F(TlsTest, AnotherProtocolIsServedByAlpn) {
  server_.impl().set_other_protocol(std::make_unique<Brackets>());
  const std::uint16_t port = listen();
  for (const std::string alpn : {"http/1.1", ""}) {
    RawPeer peer(port);
    RawTls tls(peer, alpn);
    ASSERT_TRUE(tls.established());
    tls.write("GET /");
    EXPECT_EQ(tls.read(), "[GET /]");
  }
  EXPECT_TRUE(try_call(port).ok());
}

// ---- cleartext against TLS ----

TEST_F(TlsTest, ACleartextServerIsNamed) {
  const Result<std::uint16_t> port = server_.listen("127.0.0.1:0");
  const Status status = try_call(*port);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("is the server speaking TLS?"));
}

TEST_F(TlsTest, ACleartextClientIsTold) {
  Channel clear(runtime_, "127.0.0.1:" + std::to_string(listen()));
  const Status status = call_unary(clear, "x", {.timeout = 20s}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("TLS"));
}

TEST_F(TlsTest, AServerThatClosesOrHangsIsToldApart) {
  RawListener listener;
  std::thread server([&] { listener.accept(); });
  EXPECT_THAT(try_call(listener.port()).message(), HasSubstr("is the server speaking TLS?"));
  server.join();
  RawListener silent;
  Channel patient(runtime_, silent.endpoint(),
                  {.credentials = ChannelCredentials::tls(channel_options()), .connect_timeout = 50ms});
  EXPECT_THAT(call_unary(patient, "x").status().message(), HasSubstr("it took too long"));
}

// ---- files ----

class TlsFilesTest : public TlsTest {
 protected:
  TlsFilesTest() : folder_(std::filesystem::path(::testing::TempDir()) / ("tls." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    options_ = {.certificate_chain = Pem::file(path("server.pem")), .private_key = Pem::file(path("server.key"))};
  }
  ~TlsFilesTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }
  // As tools that renew certificates do: a new file takes the name.
  void write(const std::string& name, const std::string& text) {
    std::ofstream(path(name + ".new")) << text;
    std::filesystem::rename(path(name + ".new"), path(name));
  }
  void write(const CertificateAndKey& own) {
    write("server.pem", own.certificate);
    write("server.key", own.private_key);
  }
  std::filesystem::path folder_;
  TlsServerOptions options_;
};

TEST_F(TlsFilesTest, WhatIsWrongIsNamed) {
  const auto listen_error = [&] { return server_.listen("127.0.0.1:0", ServerCredentials::tls(options_)).status(); };
  EXPECT_EQ(listen_error().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(listen_error().message(), HasSubstr("certificate file '" + path("server.pem") + "': No such file"));
  write("server.pem", "nothing of the sort");
  EXPECT_THAT(listen_error().message(), HasSubstr("holds no certificate in PEM form"));
  write("server.pem", server_certificate().certificate);
  write("server.key", "nothing");
  EXPECT_THAT(listen_error().message(), HasSubstr("holds no key in PEM form"));
  write("server.key", client_certificate().private_key);
  EXPECT_THAT(listen_error().message(), HasSubstr("does not belong to"));
  write(server_certificate());
  options_.client_certificate = ClientCertificate::kRequired;
  EXPECT_THAT(listen_error().message(), HasSubstr("client_ca"));
  options_.client_certificate = ClientCertificate::kNotRequested;
  EXPECT_TRUE(listen_error().ok());

  TlsChannelOptions channel_side = channel_options();
  channel_side.server_ca = Pem::file(path("missing.pem"));
  const Status status = try_call(listen(), channel_side);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("CA file '" + path("missing.pem") + "'"));
}

TEST_F(TlsFilesTest, ChangedFilesServeNewConnectionsAndOldOnesGoOn) {
  std::mutex mutex;
  std::vector<Status> reloads;
  options_.on_reload = [&](const Status& status) {
    std::lock_guard lock(mutex);
    reloads.push_back(status);
  };
  write(server_certificate());
  const std::uint16_t port = listen(options_);
  Channel before = channel(port);
  ASSERT_TRUE(call_unary(before, "x"));

  // A half-done change: new connections are still served with what was there.
  write("server.key", client_certificate().private_key);
  EXPECT_TRUE(try_call(port).ok());
  EXPECT_TRUE(try_call(port).ok());
  {
    std::lock_guard lock(mutex);
    ASSERT_EQ(reloads.size(), 1u) << "told once for a change";
    EXPECT_THAT(reloads[0].message(), HasSubstr("does not belong to"));
  }

  write(stranger().issue({.common_name = "server", .names = {"IP:127.0.0.1"}}));
  EXPECT_THAT(try_call(port).message(), HasSubstr("the peer's certificate is not accepted"));
  TlsChannelOptions other;
  other.server_ca = Pem::text(stranger().certificate());
  EXPECT_TRUE(try_call(port, other).ok());
  EXPECT_TRUE(call_unary(before, "y")) << "the connection from before goes on";
  std::lock_guard lock(mutex);
  ASSERT_EQ(reloads.size(), 2u);
  EXPECT_TRUE(reloads[1].ok()) << reloads[1].to_string();
}

// ---- call credentials ----

TEST_F(TlsTest, TokensTravelOverTls) {
  const std::uint16_t port = listen();
  Channel secure(runtime_, "127.0.0.1:" + std::to_string(port),
                 {.credentials = ChannelCredentials::tls(channel_options()),
                  .call_credentials = CallCredentials::bearer_token("channel")});
  EXPECT_EQ(who(secure)->value, "Bearer channel;");
  EXPECT_EQ(who(secure, {.credentials = CallCredentials::bearer_token("call")})->value, "Bearer channel;Bearer call;");
}

Task<Result<Metadata>> describe(CallCredentialsRequest request) {
  Metadata metadata{{"x-plugin", request.service_url + " " + request.method}};
  co_return metadata;
}
Task<Result<Metadata>> refuse(CallCredentialsRequest) {
  co_return Status(StatusCode::kPermissionDenied, "no token for you");
}
Task<Result<Metadata>> throw_something(CallCredentialsRequest) {
  throw std::runtime_error("secret");
  co_return Metadata();
}

TEST_F(TlsTest, PluginsSpeakForEachCall) {
  Channel secure = channel(listen(), [] {
    TlsChannelOptions options = channel_options();
    options.server_name = "shop.example";
    return options;
  }());
  const Result<test::Text> answer = who(secure, {.credentials = CallCredentials::plugin(describe)});
  ASSERT_TRUE(answer) << answer.status().to_string();
  EXPECT_THAT(answer->value, HasSubstr("https://127.0.0.1:"));
  EXPECT_THAT(answer->value, HasSubstr("/test.Identity /test.Identity/Who;"));
  EXPECT_EQ(who(secure, {.credentials = CallCredentials::plugin(refuse)}).status(),
            Status(StatusCode::kPermissionDenied, "no token for you"));
  EXPECT_EQ(who(secure, {.credentials = CallCredentials::plugin(throw_something)}).status().code(),
            StatusCode::kUnavailable);
}

TEST_F(TlsTest, APluginThatWaitsEndsWithItsCall) {
  AsyncEvent never;
  AsyncEvent ended;
  struct Wait {
    static Task<Result<Metadata>> run(AsyncEvent& never, AsyncEvent& ended) {
      co_await never.wait();
      ended.set();
      co_return Status(StatusCode::kCancelled, "nobody asks any more");
    }
  };
  const CallCredentials waiting =
      CallCredentials::plugin([&](CallCredentialsRequest) { return Wait::run(never, ended); });
  Channel secure = channel(listen());
  EXPECT_EQ(who(secure, {.timeout = 50ms, .credentials = waiting}).status().code(), StatusCode::kDeadlineExceeded);
  sync_wait(ended.wait());
}

TEST_F(TlsTest, NothingTravelsInCleartext) {
  Channel clear(runtime_, "127.0.0.1:" + std::to_string(*server_.listen("127.0.0.1:0")));
  bool asked = false;
  const CallCredentials credentials = CallCredentials::plugin([&](CallCredentialsRequest request) {
    asked = true;
    return describe(std::move(request));
  });
  const Status status = who(clear, {.credentials = credentials}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(status.message(), HasSubstr("cleartext"));
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace minigrpc
