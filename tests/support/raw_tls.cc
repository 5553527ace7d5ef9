#include "support/raw_tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <csignal>

namespace minigrpc::testing {

RawTls::RawTls(RawPeer& peer, const std::string& alpn, Version version_max) : context_(SSL_CTX_new(TLS_client_method())) {
  std::signal(SIGPIPE, SIG_IGN);  // the other side may be gone when OpenSSL has still something to say
  if (version_max != Version::kNewest)
    SSL_CTX_set_max_proto_version(context_, version_max == Version::k1_1 ? TLS1_1_VERSION : TLS1_2_VERSION);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, peer.descriptor());
  const std::string offer = static_cast<char>(alpn.size()) + alpn;
  if (!alpn.empty())
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(offer.data()), static_cast<unsigned>(offer.size()));
  established_ = SSL_connect(ssl_) == 1;
}

RawTls::RawTls(RawPeer& peer, const CertificateAndKey& own) : context_(SSL_CTX_new(TLS_server_method())) {
  std::signal(SIGPIPE, SIG_IGN);
  BIO* certificate = BIO_new_mem_buf(own.certificate.data(), -1);
  X509* parsed = PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(context_, parsed);
  X509_free(parsed);
  BIO_free(certificate);
  BIO* key = BIO_new_mem_buf(own.private_key.data(), -1);
  EVP_PKEY* parsed_key = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
  SSL_CTX_use_PrivateKey(context_, parsed_key);
  EVP_PKEY_free(parsed_key);
  BIO_free(key);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, peer.descriptor());
  established_ = SSL_accept(ssl_) == 1;
}

RawTls::~RawTls() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void RawTls::write(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }

std::string RawTls::read() {
  std::string text;
  char byte;
  while (!text.ends_with(']') && SSL_read(ssl_, &byte, 1) == 1) text += byte;
  return text;
}

}  // namespace minigrpc::testing
