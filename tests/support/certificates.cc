#include "support/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace minigrpc::testing {

namespace {

constexpr long kDay = 24 * 60 * 60;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "OpenSSL: %s\n", what);
  std::abort();
}

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

template <class Write>
std::string pem(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  check(write(bio) == 1, "PEM");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string pem_of(const Certificate& certificate) {
  return pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}
std::string pem_of(const Key& key) {
  return pem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Key make_key() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  check(extension != nullptr, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Not signed yet.
Certificate make_certificate(const std::string& common_name, EVP_PKEY* key) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  std::uint64_t serial = 0;
  check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "RAND_bytes");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

void set_validity(X509* certificate, int days) {
  X509_gmtime_adj(X509_getm_notBefore(certificate), -30 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * kDay);
}

}  // namespace

CertificateAuthority::CertificateAuthority(const std::string& common_name)
    : key_(make_key()), self_(make_certificate(common_name, key_.get())) {
  X509_set_issuer_name(self_.get(), X509_get_subject_name(self_.get()));
  set_validity(self_.get(), 1);
  add_extension(self_.get(), self_.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(self_.get(), self_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  check(X509_sign(self_.get(), key_.get(), EVP_sha256()) > 0, "X509_sign");
  certificate_ = pem_of(self_);
}

CertificateAndKey CertificateAuthority::issue(const Request& request) const {
  const Key key = make_key();
  const Certificate certificate = make_certificate(request.common_name, key.get());
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(self_.get()));
  set_validity(certificate.get(), request.valid_for_days);
  std::string names;
  for (const std::string& name : request.names) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) add_extension(certificate.get(), self_.get(), NID_subject_alt_name, names);
  check(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0, "X509_sign");
  return {pem_of(certificate), pem_of(key)};
}

}  // namespace minigrpc::testing
