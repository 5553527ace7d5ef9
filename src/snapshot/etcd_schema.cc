#include "snapshot/etcd_schema.h"

#include <limits>

namespace minigrpc::snapshot {

namespace {
constexpr std::size_t kRevisionSize = 8 + 1 + 8;
}

std::string number(std::uint64_t value) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string revision_key(RevisionKey key) {
  std::string bytes = number(static_cast<std::uint64_t>(key.revision.main));
  bytes.append(1, '_').append(number(key.revision.sub));
  if (key.tombstone) bytes.push_back('t');
  return bytes;
}

std::optional<std::uint64_t> decode_number(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::optional<RevisionKey> decode_revision_key(std::string_view bytes) {
  RevisionKey key;
  if (bytes.size() == kRevisionSize + 1 && bytes.back() == 't') {
    key.tombstone = true;
    bytes.remove_suffix(1);
  }
  if (bytes.size() != kRevisionSize || bytes[8] != '_') return std::nullopt;
  const auto main = static_cast<std::int64_t>(*decode_number(bytes.substr(0, 8)));
  const std::uint64_t sub = *decode_number(bytes.substr(9));
  if (main < 0 || sub > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  key.revision = {main, static_cast<std::uint32_t>(sub)};
  return key;
}

}  // namespace minigrpc::snapshot
