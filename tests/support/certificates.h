// Certificates made for one test run: an authority, and what it signs.
//
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace minigrpc::testing {

struct CertificateAndKey {
  std::string certificate;  // PEM
  std::string private_key;
};

class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& common_name);

  const std::string& certificate() const { return certificate_; }

  struct Request {
    std::string common_name{};
    // As OpenSSL writes them: "DNS:shop.example", "IP:127.0.0.1", "URI:spiffe://shop/stock", "email:a@b.example".
    std::vector<std::string> names{};
    int valid_for_days = 1;  // negative: until that long ago
  };
  CertificateAndKey issue(const Request& request) const;

 private:
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> self_;
  std::string certificate_;
};

}  // namespace minigrpc::testing
