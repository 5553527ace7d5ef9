#include "net/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "net/tls_session.h"

namespace minigrpc::net {

namespace {

template <auto F>
struct Free {
  template <class T>
  void operator()(T* object) const {
    F(object);
  }
};
using BioPointer = std::unique_ptr<BIO, Free<BIO_free>>;
using CertificatePointer = std::unique_ptr<X509, Free<X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

std::string name_of(const Pem& pem, const char* what) {
  return pem.is_file() ? std::string(what) + " file '" + pem.value() + "'" : std::string(what);
}

Status wrong(std::string message) { return Status(StatusCode::kInvalidArgument, "TLS: " + std::move(message)); }

Result<std::string> text_of(const Pem& pem, const char* what) {
  if (!pem.is_file()) return pem.value();
  const int descriptor = ::open(pem.value().c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return wrong("cannot read the " + name_of(pem, what) + ": " + std::strerror(errno));
  std::string text(limits::kPemSizeMax + 1, '\0');
  std::size_t size = 0;
  ssize_t part = 1;
  while (part > 0 && size < text.size()) {
    part = ::read(descriptor, text.data() + size, text.size() - size);
    if (part > 0) size += static_cast<std::size_t>(part);
  }
  const int error = part < 0 ? errno : 0;
  ::close(descriptor);
  if (error != 0) return wrong("cannot read the " + name_of(pem, what) + ": " + std::strerror(error));
  if (size > limits::kPemSizeMax) return wrong("the " + name_of(pem, what) + " is too large");
  text.resize(size);
  return text;
}

BioPointer reader_of(const std::string& text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

// Every certificate of a text; INVALID_ARGUMENT where there is none, or one that cannot be read.
Result<std::vector<CertificatePointer>> certificates_of(const Pem& pem, const char* what) {
  Result<std::string> text = text_of(pem, what);
  if (!text) return std::move(text).error();
  const BioPointer reader = reader_of(*text);
  std::vector<CertificatePointer> found;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509_AUX(reader.get(), nullptr, no_passphrase, nullptr))
    found.emplace_back(certificate);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return wrong("the " + name_of(pem, what) + " holds a certificate that cannot be read");
  if (found.empty()) return wrong("the " + name_of(pem, what) + " holds no certificate in PEM form");
  return found;
}

Status use_own(SSL_CTX* context, const Pem& chain, const Pem& key) {
  Result<std::vector<CertificatePointer>> certificates = certificates_of(chain, "certificate");
  if (!certificates) return std::move(certificates).error();
  if (SSL_CTX_use_certificate(context, certificates->front().get()) != 1)
    return wrong("the " + name_of(chain, "certificate") + " cannot be used: " + ERR_reason_error_string(ERR_get_error()));
  for (std::size_t i = 1; i < certificates->size(); ++i)
    if (SSL_CTX_add1_chain_cert(context, (*certificates)[i].get()) != 1)
      return wrong("the " + name_of(chain, "certificate") + " holds a chain that cannot be used");
  Result<std::string> text = text_of(key, "private key");
  if (!text) return std::move(text).error();
  const KeyPointer parsed(PEM_read_bio_PrivateKey(reader_of(*text).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!parsed) return wrong("the " + name_of(key, "private key") + " holds no key in PEM form without a passphrase");
  if (SSL_CTX_use_PrivateKey(context, parsed.get()) != 1) {
    ERR_clear_error();
    return wrong("the " + name_of(key, "private key") + " does not belong to the " + name_of(chain, "certificate"));
  }
  return Status();
}

Status trust(SSL_CTX* context, const Pem& authority, bool server) {
  Result<std::vector<CertificatePointer>> certificates = certificates_of(authority, "CA");
  if (!certificates) return std::move(certificates).error();
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const CertificatePointer& certificate : *certificates) {
    X509_STORE_add_cert(store, certificate.get());  // one that is there already is no error that matters
    if (server) SSL_CTX_add_client_CA(context, certificate.get());
  }
  ERR_clear_error();
  return Status();
}

int number_of(TlsVersion version) { return version == TlsVersion::k1_2 ? TLS1_2_VERSION : TLS1_3_VERSION; }

// What HTTP/2 allows of TLS 1.2 (RFC 9113, 9.2.2): ephemeral keys and authenticated encryption.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

// INVALID_ARGUMENT for a suite that OpenSSL does not know, or HTTP/2 does not allow.
Status allow_ciphers(SSL_CTX* context, const std::vector<std::string>& suites) {
  std::string allowed;
  for (const std::string& suite : suites) {
    if (suite == "TLS_AES_128_GCM_SHA256" || suite == "TLS_AES_256_GCM_SHA384" || suite == "TLS_CHACHA20_POLY1305_SHA256")
      continue;
    const std::string name = OPENSSL_cipher_name(suite.c_str());  // "(NONE)" when it is unknown
    if (!name.starts_with("ECDHE-") || (name.find("GCM") == std::string::npos && name.find("CHACHA20") == std::string::npos))
      return wrong("the cipher suite '" + suite + "' is unknown, or not one that HTTP/2 allows: "
                   "ECDHE with AES-GCM or ChaCha20-Poly1305");
    allowed += (allowed.empty() ? "" : ":") + name;
  }
  if (!allowed.empty() && SSL_CTX_set_cipher_list(context, allowed.c_str()) != 1) {
    ERR_clear_error();
    return wrong("none of the cipher suites can be used");
  }
  return Status();
}

void set_rules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kCiphers);
  // Sessions are not resumed: connections live long, and a resumed one would not look at certificates again.
  // HTTP/2 says itself where a stream or the connection ends, so a missing close_notify hides nothing.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  // Several records with one system call; an idle connection gives the buffer back.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, limits::kTlsReadBufferSize);
}

}  // namespace

TlsContext::TlsContext(TlsServerOptions options)
    : server_(true),
      verifies_(options.client_certificate != ClientCertificate::kNotRequested),
      client_certificate_(options.client_certificate),
      version_min_(options.version_min),
      version_max_(options.version_max),
      cipher_suites_(std::move(options.cipher_suites)),
      on_reload_(std::move(options.on_reload)),
      chain_{std::move(options.certificate_chain), {}},
      key_{std::move(options.private_key), {}},
      authority_{std::move(options.client_ca), {}} {}

TlsContext::TlsContext(TlsChannelOptions options)
    : server_(false),
      verifies_(options.verification == ServerVerification::kFull),
      on_reload_(std::move(options.on_reload)),
      chain_{std::move(options.certificate_chain), {}},
      key_{std::move(options.private_key), {}},
      authority_{std::move(options.server_ca), {}} {}

bool TlsContext::note_changes() {
  bool changed = !tried_;
  tried_ = true;
  for (Source* source : {&chain_, &key_, &authority_}) {
    if (!source->pem.is_file()) continue;
    struct stat info {};
    Stamp now;
    if (::stat(source->pem.value().c_str(), &info) == 0) now = {true, info.st_mtim, info.st_size, info.st_ino};
    changed = changed || !(now == source->stamp);
    source->stamp = now;
  }
  return changed;
}

Result<SslContext> TlsContext::current() {
  std::unique_lock lock(mutex_);
  if (!note_changes()) {
    if (context_) return context_;
    return failure_;
  }
  const bool first = context_ == nullptr;
  Result<SslContext> fresh = read();
  failure_ = fresh.status();
  if (fresh) context_ = *fresh;
  if (first) return fresh;
  const SslContext in_use = context_;
  lock.unlock();
  if (on_reload_) on_reload_(fresh.status());
  return in_use;
}

Result<SslContext> TlsContext::read() const {
  if (server_ && (chain_.pem.empty() || key_.pem.empty()))
    return wrong("a server needs a certificate and its private key");
  if (chain_.pem.empty() != key_.pem.empty()) return wrong("a certificate and its private key come together");
  if (server_ && verifies_ && authority_.pem.empty())
    return wrong("clients' certificates can only be verified with the CA that signs them (client_ca)");
  const SslContext context(SSL_CTX_new(server_ ? TLS_server_method() : TLS_client_method()), SSL_CTX_free);
  detail::require(context != nullptr, "out of memory");
  if (version_min_ > version_max_) return wrong("the least version is greater than the greatest");
  set_rules(context.get());
  SSL_CTX_set_min_proto_version(context.get(), number_of(version_min_));
  SSL_CTX_set_max_proto_version(context.get(), number_of(version_max_));
  if (Status allowed = allow_ciphers(context.get(), cipher_suites_); !allowed.ok()) return allowed;
  if (!chain_.pem.empty())
    if (Status own = use_own(context.get(), chain_.pem, key_.pem); !own.ok()) return own;
  if (!authority_.pem.empty()) {
    if (Status trusted = trust(context.get(), authority_.pem, server_); !trusted.ok()) return trusted;
  } else if (!server_ && verifies_ && SSL_CTX_set_default_verify_paths(context.get()) != 1) {
    return wrong("the system's root certificates cannot be read");
  }
  int mode = verifies_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
  if (client_certificate_ == ClientCertificate::kRequired) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context.get(), mode, nullptr);
  if (server_) SSL_CTX_set_alpn_select_cb(context.get(), TlsSession::choose_protocol, nullptr);
  return context;
}

}  // namespace minigrpc::net
