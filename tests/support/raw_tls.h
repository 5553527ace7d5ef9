// RawTls: TLS by OpenSSL alone on a RawPeer, blocking, for peers that agree on what they should not.
//
// Thread rule: one thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "support/certificates.h"
#include "support/raw_peer.h"

struct ssl_ctx_st;
struct ssl_st;

namespace minigrpc::testing {

class RawTls {
 public:
  enum class Version { k1_1, k1_2, kNewest };
  // A client that verifies nothing and offers `alpn`, unless that is empty. `peer` is borrowed.
  RawTls(RawPeer& peer, const std::string& alpn, Version version_max = Version::kNewest);
  // A server that answers no ALPN.
  RawTls(RawPeer& peer, const CertificateAndKey& own);
  ~RawTls();
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;

  // Whether the handshake came to its end on this side.
  bool established() const { return established_; }
  void write(std::string_view text);
  // Up to the first ']', or to the end.
  std::string read();

 private:
  ssl_ctx_st* context_;
  ssl_st* ssl_;
  bool established_;
};

}  // namespace minigrpc::testing
