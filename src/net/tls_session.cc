#include "net/tls_session.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace minigrpc::net {

// ---- the socket below OpenSSL ----

struct WireMethods {
  static TlsSession::Wire& wire_of(BIO* bio) { return *static_cast<TlsSession::Wire*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, int size) {
    TlsSession::Wire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    if (wire.drained) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const ssize_t part = ::recv(wire.descriptor, out, static_cast<std::size_t>(size), 0);
    wire.ended = part == 0;
    wire.drained = (part > 0 && part < size) || (part < 0 && would_block());
    if (part >= 0) return static_cast<int>(part);
    if (would_block())
      BIO_set_retry_read(bio);
    else
      wire.error = errno;
    return -1;
  }

  static int write(BIO* bio, const char* bytes, int size) {
    TlsSession::Wire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    // The socket's own method would raise SIGPIPE.
    const ssize_t part = ::send(wire.descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (part >= 0) return static_cast<int>(part);
    if (would_block())
      BIO_set_retry_write(bio);
    else
      wire.error = errno;
    return -1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* make(TlsSession::Wire& wire) {
    static BIO_METHOD* const methods = make_methods();
    BIO* bio = BIO_new(methods);
    detail::require(bio != nullptr, "out of memory");
    BIO_set_data(bio, &wire);
    BIO_set_init(bio, 1);
    return bio;
  }

 private:
  static bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

  static BIO_METHOD* make_methods() {
    BIO_METHOD* methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "minigrpc socket");
    detail::require(methods != nullptr, "out of memory");
    BIO_meth_set_read(methods, read);
    BIO_meth_set_write(methods, write);
    BIO_meth_set_ctrl(methods, control);
    return methods;
  }
};

// ---- making one ----

namespace {

constexpr unsigned char kOfferedByClient[] = "\x02h2";

bool is_ip_address(const std::string& name) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// What the server's certificate has to be for.
void expect_name(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
  if (is_ip_address(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str());
    return;  // SNI carries no addresses (RFC 6066, 3)
  }
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size());
  SSL_set_tlsext_host_name(ssl, name.c_str());
}

}  // namespace

TlsSession::TlsSession(ssl_st* ssl, int descriptor, bool verifies, Options options)
    : ssl_(ssl), wire_{.descriptor = descriptor}, verifies_(verifies), options_(std::move(options)) {
  BIO* bio = WireMethods::make(wire_);
  SSL_set_bio(ssl_, bio, bio);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

Result<std::unique_ptr<TlsSession>> TlsSession::make(TlsContext& context, int descriptor, Options options) {
  Result<SslContext> rules = context.current();
  if (!rules) return std::move(rules).error();
  SSL* ssl = SSL_new(rules->get());
  detail::require(ssl != nullptr, "out of memory");
  std::unique_ptr<TlsSession> session(new TlsSession(ssl, descriptor, context.verifies(), std::move(options)));
  SSL_set_app_data(ssl, session.get());
  if (context.is_server()) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
    SSL_set_alpn_protos(ssl, kOfferedByClient, sizeof kOfferedByClient - 1);
    expect_name(ssl, session->options_.server_name);
  }
  return session;
}

int TlsSession::choose_protocol(ssl_st* ssl, const unsigned char** out, unsigned char* out_size,
                                const unsigned char* in, unsigned in_size, void*) {
  const auto& self = *static_cast<TlsSession*>(SSL_get_app_data(ssl));
  const auto find = [&](std::string_view wanted) {
    for (unsigned at = 0; at < in_size; at += 1u + in[at]) {
      if (std::string_view(reinterpret_cast<const char*>(in) + at + 1, in[at]) != wanted) continue;
      *out = in + at + 1;
      *out_size = in[at];
      return true;
    }
    return false;
  };
  const bool found = find("h2") || (self.options_.http11 && find("http/1.1"));
  return found ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// ---- the handshake ----

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    established_ = true;
    more_ = true;  // what came with the peer's last message lies in OpenSSL's buffer
    return Step::kDone;
  }
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ) return Step::kWantRead;
  if (error == SSL_ERROR_WANT_WRITE) return Step::kWantWrite;
  failure_ = why_failed();
  return Step::kFailed;
}

// Clears OpenSSL's queue of errors.
std::string TlsSession::why_failed() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  const bool early = !established_ && !SSL_is_server(ssl_);
  if (wire_.error != 0 || wire_.ended || code == 0) {
    std::string text = wire_.error != 0 ? error_text(wire_.error) : "connection closed";
    return early ? text + ": is the server speaking TLS?" : text;
  }
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "failed";
  switch (ERR_GET_REASON(code)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED: {
      const long verdict = SSL_get_verify_result(ssl_);
      std::string text = std::string("the peer's certificate is not accepted: ") + X509_verify_cert_error_string(verdict);
      if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
        text += ", it is not for '" + options_.server_name + "'";
      return text;
    }
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the client presented no certificate";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
      if (early) return "the answer is not TLS: is the server speaking TLS?";
      break;
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "failed";
}

TlsSession::Protocol TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  const std::string_view chosen(reinterpret_cast<const char*>(name), size);
  if (chosen == "h2") return Protocol::kHttp2;
  return chosen == "http/1.1" ? Protocol::kHttp11 : Protocol::kNone;
}

// ---- bytes ----

Socket::IoResult TlsSession::closed(int error) {
  const bool broken = error != SSL_ERROR_ZERO_RETURN && !wire_.ended && wire_.error == 0;
  if (broken && failure_.empty()) failure_ = why_failed();
  ERR_clear_error();
  return {Socket::IoState::kClosed, 0, wire_.error};
}

Socket::IoResult TlsSession::receive(std::span<std::byte> buffer) {
  std::size_t size = 0;
  ERR_clear_error();
  receive_wants_write_ = false;
  more_ = true;
  while (size < buffer.size()) {
    std::size_t part = 0;
    const int result = SSL_read_ex(ssl_, buffer.data() + size, buffer.size() - size, &part);
    size += part;
    if (result == 1) continue;
    const int error = SSL_get_error(ssl_, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      receive_wants_write_ = error == SSL_ERROR_WANT_WRITE;
      more_ = false;
      if (size == 0) return {Socket::IoState::kWouldBlock};
      break;
    }
    const Socket::IoResult end = closed(error);
    if (size == 0) return end;
    break;  // what came before the end first; the next call says it again
  }
  return {Socket::IoState::kDone, size};
}

Socket::IoResult TlsSession::send(std::span<const std::byte> bytes) {
  ERR_clear_error();
  send_wants_read_ = false;
  std::size_t size = 0;
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &size);
  if (result == 1) return {Socket::IoState::kDone, size};
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    send_wants_read_ = error == SSL_ERROR_WANT_READ;
    return {Socket::IoState::kWouldBlock};
  }
  return closed(error);
}

void TlsSession::send_close_notify() {
  if (!established_ || !failure_.empty() || wire_.error != 0) return;
  SSL_shutdown(ssl_);  // where it cannot go out now, the socket's own end has to do
  ERR_clear_error();
}

// ---- who the peer is ----

namespace {

std::string text_of(const ASN1_STRING* string) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, string);
  if (size < 0) return {};
  std::string text(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return text;
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN];
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16) return {};
  return inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
}

void add_names(X509* certificate, PeerIdentity& identity) {
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) identity.dns_names.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_URI) identity.uris.push_back(text_of(name->d.uniformResourceIdentifier));
    if (name->type == GEN_EMAIL) identity.email_addresses.push_back(text_of(name->d.rfc822Name));
    if (name->type == GEN_IPADD) identity.ip_addresses.push_back(address_of(name->d.iPAddress));
  }
  GENERAL_NAMES_free(names);
}

std::string pem_of(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  std::string text;
  char* bytes = nullptr;
  if (PEM_write_bio_X509(bio, certificate) == 1) {
    const long size = BIO_get_mem_data(bio, &bytes);
    text.assign(bytes, static_cast<std::size_t>(size));
  }
  BIO_free(bio);
  return text;
}

}  // namespace

std::optional<PeerIdentity> TlsSession::peer_identity() const {
  X509* certificate = verifies_ ? SSL_get0_peer_certificate(ssl_) : nullptr;
  if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return std::nullopt;
  PeerIdentity identity;
  X509_NAME* subject = X509_get_subject_name(certificate);
  if (const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0)
    identity.common_name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  add_names(certificate, identity);
  identity.certificate_chain = pem_of(certificate);
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_);  // of a server, it begins with the server's own
  for (int i = SSL_is_server(ssl_) ? 0 : 1; i < sk_X509_num(chain); ++i)
    identity.certificate_chain += pem_of(sk_X509_value(chain, i));
  ERR_clear_error();
  return identity;
}

// ---- what is known of it ----

TlsFacts::TlsFacts(const ssl_st* ssl) : peer_(SSL_get1_peer_certificate(ssl)) {
  if (X509* own = SSL_get_certificate(ssl); own != nullptr && X509_up_ref(own) == 1) local_.reset(own);
  const char* name = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
  if (name != nullptr) cipher_suite_ = name;  // static storage
}

void TlsFacts::Release::operator()(x509_st* certificate) const { X509_free(certificate); }

std::string TlsFacts::encode(x509_st* certificate) {
  if (certificate == nullptr) return {};
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::string bytes(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(bytes.data());
  i2d_X509(certificate, &out);
  return bytes;
}

}  // namespace minigrpc::net
