// TlsContext: the certificates, keys and rules of one side of TLS, read from their files again when those change.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/credentials.h>
#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace minigrpc::net {

using SslContext = std::shared_ptr<ssl_ctx_st>;

class TlsContext {
 public:
  explicit TlsContext(TlsServerOptions options);
  explicit TlsContext(TlsChannelOptions options);

  bool is_server() const { return server_; }
  bool verifies() const { return verifies_; }
  // What new connections use. Where changed files are no good, what was read before stays; where there is nothing before,
  // INVALID_ARGUMENT that names the file.
  Result<SslContext> current();

 private:
  // When a file was last changed, as far as one can see from outside.
  struct Stamp {
    bool exists = false;
    timespec modified{};
    off_t size = 0;
    ino_t inode = 0;
    friend bool operator==(const Stamp& a, const Stamp& b) {
      return a.exists == b.exists && a.modified.tv_sec == b.modified.tv_sec &&
             a.modified.tv_nsec == b.modified.tv_nsec && a.size == b.size && a.inode == b.inode;
    }
  };
  struct Source {
    Pem pem;
    Stamp stamp;
  };
  bool note_changes();
  Result<SslContext> read() const;

  const bool server_;
  bool verifies_ = true;
  ClientCertificate client_certificate_ = ClientCertificate::kNotRequested;
  TlsVersion version_min_ = TlsVersion::k1_2;
  TlsVersion version_max_ = TlsVersion::k1_3;
  std::vector<std::string> cipher_suites_;
  TlsReloaded on_reload_;

  std::mutex mutex_;
  Source chain_;
  Source key_;
  Source authority_;
  bool tried_ = false;
  SslContext context_;
  Status failure_;
};

}  // namespace minigrpc::net
