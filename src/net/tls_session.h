// TlsSession: TLS on one connected socket. As with Socket, reads and writes are plain calls that never wait.
//
// Thread rule: the loop's. Stays where it was made.
#pragma once

#include <minigrpc/credentials.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/socket.h"
#include "net/tls_context.h"

struct ssl_st;
struct x509_st;

namespace minigrpc::net {

// What secures a connection: little to keep, and any thread may ask.
class TlsFacts {
 public:
  // Of a session after its handshake; independent of it from then on.
  explicit TlsFacts(const ssl_st* ssl);
  TlsFacts(TlsFacts&&) noexcept = default;

  // IANA's name: "TLS_AES_128_GCM_SHA256".
  std::string_view cipher_suite() const { return cipher_suite_; }
  // In DER form; empty without one.
  std::string local_certificate() const { return encode(local_.get()); }
  std::string peer_certificate() const { return encode(peer_.get()); }

 private:
  struct Release {
    void operator()(x509_st* certificate) const;
  };
  static std::string encode(x509_st* certificate);

  std::string_view cipher_suite_;
  std::unique_ptr<x509_st, Release> local_;
  std::unique_ptr<x509_st, Release> peer_;
};

class TlsSession {
 public:
  // What both sides agree on by ALPN (RFC 7301).
  enum class Protocol : std::uint8_t { kNone, kHttp2, kHttp11 };
  struct Options {
    std::string server_name{};  // client: a DNS name or an IP address; what the certificate must be for
    bool http11 = false;        // server: takes clients that do not speak HTTP/2, too
  };

  // `descriptor` is borrowed for the session's life: a connected, non-blocking socket.
  static Result<std::unique_ptr<TlsSession>> make(TlsContext& context, int descriptor, Options options);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Step : std::uint8_t { kDone, kWantRead, kWantWrite, kFailed };
  // Until kDone or kFailed. failure() then says why.
  Step handshake();
  const std::string& failure() const { return failure_; }
  Protocol protocol() const;
  // Of a peer that presented a certificate, where this side verifies.
  std::optional<PeerIdentity> peer_identity() const;
  // After the handshake.
  TlsFacts facts() const { return TlsFacts(ssl_); }

  // For the context of a server (SSL_CTX_set_alpn_select_cb).
  static int choose_protocol(ssl_st* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                             unsigned in_size, void* unused);

  // After the handshake. kClosed with error 0 and a failure() where TLS itself failed.
  Socket::IoResult receive(std::span<std::byte> buffer);
  Socket::IoResult send(std::span<const std::byte> bytes);
  // Says that no more is sent.
  void send_close_notify();

  // Whether receive() could go on without the socket being readable.
  bool has_buffered() const { return more_; }
  // What to wait for before the next receive() or send(): TLS may want the other direction first.
  bool receive_wants_write() const { return receive_wants_write_; }
  bool send_wants_read() const { return send_wants_read_; }
  // The socket may have become readable: what was known of it is void.
  void expect_bytes() { wire_.drained = false; }

 private:
  // The socket as OpenSSL sees it.
  struct Wire {
    int descriptor;
    bool drained = false;  // the last read came up short: another one now would only say so again
    bool ended = false;    // the peer sent its end
    int error = 0;
  };
  friend struct WireMethods;

  TlsSession(ssl_st* ssl, int descriptor, bool verifies, Options options);
  std::string why_failed();
  Socket::IoResult closed(int error);

  ssl_st* ssl_;
  Wire wire_;
  const bool verifies_;
  const Options options_;
  bool established_ = false;
  bool more_ = false;  // the last receive() did not end for want of bytes
  bool receive_wants_write_ = false;
  bool send_wants_read_ = false;
  std::string failure_;
};

}  // namespace minigrpc::net
