// The two checksums of etcd's snapshots: SHA-256 at the end of the file, CRC-32C as what `snapshot status` calls hash.
//
// Thread rule: one thread at a time for each object.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace minigrpc::snapshot {

inline constexpr std::size_t kSha256Size = 32;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  void add(std::string_view bytes);
  // Once, at the end.
  std::string digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Crc32c {
 public:
  void add(std::string_view bytes);
  std::uint32_t value() const { return ~crc_; }

 private:
  std::uint32_t crc_ = ~0u;
};

}  // namespace minigrpc::snapshot
