// Credentials: what secures a connection (TLS and its certificates), and what a call carries to say who makes it.
//
//   server.listen("0.0.0.0:443", ServerCredentials::tls({.certificate_chain = Pem::file("shop.pem"),
//                                                        .private_key = Pem::file("shop.key")}));
//   Channel channel(runtime, "shop.example:443", {.credentials = ChannelCredentials::tls()});
//   client.GetProdStock(request, {.credentials = CallCredentials::bearer_token(token)});
//
// TLS is 1.2 or later, with HTTP/2 agreed on by ALPN. Files are looked at again whenever a connection is made, and read
// again when they have changed: a renewed certificate needs no restart, and the connections that there are go on.
//
// Thread rule: value types; copies share what they hold and may be used from any thread.
#pragma once

#include <minigrpc/metadata.h>
#include <minigrpc/result.h>
#include <minigrpc/task.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc {

namespace net {
class TlsContext;
}

// Certificates or a private key (without a passphrase) in PEM form: a file, or the text itself.
class Pem {
 public:
  Pem() = default;
  static Pem file(std::string path) { return Pem(std::move(path), true); }
  static Pem text(std::string pem) { return Pem(std::move(pem), false); }

  bool empty() const { return value_.empty(); }
  bool is_file() const { return is_file_; }
  // The path or the text.
  const std::string& value() const { return value_; }

 private:
  Pem(std::string value, bool is_file) : value_(std::move(value)), is_file_(is_file) {}
  std::string value_;
  bool is_file_ = false;
};

// Told what came of reading changed files: OK, or why the ones before stay in use. Called on an event loop, from several
// threads at a time; must not block.
using TlsReloaded = std::function<void(const Status&)>;

// What a server wants of its clients' certificates.
enum class ClientCertificate : std::uint8_t {
  kNotRequested,
  kOptional,  // one that is presented must be valid
  kRequired,
};

enum class TlsVersion : std::uint8_t { k1_2, k1_3 };

struct TlsServerOptions {
  Pem certificate_chain{};  // the server's own certificate first
  Pem private_key{};
  ClientCertificate client_certificate = ClientCertificate::kNotRequested;
  Pem client_ca{};  // who signs the clients' certificates; needed where they are requested
  TlsVersion version_min = TlsVersion::k1_2;
  TlsVersion version_max = TlsVersion::k1_3;
  // What TLS 1.2 may use, by IANA's names ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), of those that HTTP/2 allows; empty =
  // all of those. TLS 1.3 has its own, which are always allowed.
  std::vector<std::string> cipher_suites{};
  TlsReloaded on_reload{};
};

enum class ServerVerification : std::uint8_t {
  kFull,
  kNone,  // whoever answers is believed: for tests and diagnosis only
};

struct TlsChannelOptions {
  Pem server_ca{};          // who signs the server's certificate; empty = the system's roots
  Pem certificate_chain{};  // the client's own, for servers that ask for one
  Pem private_key{};
  // The name that the server's certificate must be for, also sent as SNI; empty = the host of the channel's authority.
  std::string server_name{};
  ServerVerification verification = ServerVerification::kFull;
  TlsReloaded on_reload{};
};

// How a port of a server is secured.
class ServerCredentials {
 public:
  ServerCredentials() = default;  // cleartext
  // Never fails: what is wrong with the options or their files is what listen() returns.
  static ServerCredentials tls(TlsServerOptions options);

  const std::shared_ptr<net::TlsContext>& impl() const { return tls_; }  // null for cleartext

 private:
  std::shared_ptr<net::TlsContext> tls_;
};

// How a channel's connections are secured.
class ChannelCredentials {
 public:
  ChannelCredentials() = default;  // cleartext
  // Never fails: what is wrong with the options or their files shows in the first call's status.
  static ChannelCredentials tls(TlsChannelOptions options = {});

  bool is_tls() const { return tls_ != nullptr; }
  const std::shared_ptr<net::TlsContext>& impl() const { return tls_; }  // null for cleartext
  const std::string& server_name() const { return server_name_; }

 private:
  std::shared_ptr<net::TlsContext> tls_;
  std::string server_name_;
};

// Which call a plugin is asked to speak for.
struct CallCredentialsRequest {
  std::string service_url;  // "https://shop.example:443/shop.ProdService": what a token may be bound to
  std::string method;       // "/shop.ProdService/GetProdStock"
};

// What a call carries to say who makes it. It goes out over TLS only: on a cleartext channel the call ends with
// UNAUTHENTICATED, and nothing is sent.
class CallCredentials {
 public:
  // Run for each call, under its deadline and cancellation, on the channel's loop: it must not block. A failure is what
  // the call ends with.
  using Plugin = std::function<Task<Result<Metadata>>(CallCredentialsRequest)>;

  CallCredentials() = default;  // none
  // "authorization: Bearer <token>" (RFC 6750).
  static CallCredentials bearer_token(std::string_view token);
  static CallCredentials plugin(Plugin plugin);
  // Both: `first`'s metadata, then `second`'s.
  static CallCredentials combine(CallCredentials first, CallCredentials second);

  bool empty() const { return plugins_.empty(); }
  const std::vector<std::shared_ptr<const Plugin>>& plugins() const { return plugins_; }

 private:
  std::vector<std::shared_ptr<const Plugin>> plugins_;
};

// Who a peer is, by the certificate that it presented and that was verified.
struct PeerIdentity {
  std::string common_name;  // the subject's CN; empty without one
  std::vector<std::string> dns_names;  // subject alternative names, by kind
  std::vector<std::string> uris;
  std::vector<std::string> email_addresses;
  std::vector<std::string> ip_addresses;  // "10.0.0.1", "::1"
  std::string certificate_chain;          // as presented, in PEM form, the peer's own first
};

}  // namespace minigrpc
