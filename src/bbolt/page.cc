#include "bbolt/page.h"

namespace minigrpc::bbolt {

namespace {

constexpr std::uint32_t kMagic = 0xED0CDAED;
constexpr std::uint32_t kVersion = 2;

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001B3;
  }
  return hash;
}

std::uint64_t number_at(std::string_view bytes, std::size_t offset, std::size_t size) {
  return decode_little_endian(bytes.substr(offset, size));
}

}  // namespace

void append_little_endian(std::uint64_t number, std::size_t size, std::string& out) {
  for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint64_t decode_little_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) number = number << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return number;
}

void encode(const PageHeader& header, std::string& out) {
  append_little_endian(header.id, 8, out);
  append_little_endian(header.flags, 2, out);
  append_little_endian(header.count, 2, out);
  append_little_endian(header.overflow, 4, out);
}

std::optional<PageHeader> decode_page_header(std::string_view bytes) {
  if (bytes.size() < kPageHeaderSize) return std::nullopt;
  return PageHeader{number_at(bytes, 0, 8), static_cast<std::uint16_t>(number_at(bytes, 8, 2)),
                    static_cast<std::uint16_t>(number_at(bytes, 10, 2)),
                    static_cast<std::uint32_t>(number_at(bytes, 12, 4))};
}

void encode(const Meta& meta, std::string& out) {
  const std::size_t begin = out.size();
  append_little_endian(kMagic, 4, out);
  append_little_endian(kVersion, 4, out);
  append_little_endian(meta.page_size, 4, out);
  append_little_endian(0, 4, out);
  append_little_endian(meta.root, 8, out);
  append_little_endian(0, 8, out);
  append_little_endian(meta.freelist, 8, out);
  append_little_endian(meta.end, 8, out);
  append_little_endian(meta.txid, 8, out);
  append_little_endian(fnv1a(std::string_view(out).substr(begin)), 8, out);
}

std::optional<Meta> decode_meta(std::string_view bytes) {
  if (bytes.size() < kMetaSize) return std::nullopt;
  bytes = bytes.substr(0, kMetaSize);
  if (number_at(bytes, 0, 4) != kMagic || number_at(bytes, 4, 4) != kVersion) return std::nullopt;
  if (number_at(bytes, kMetaSize - 8, 8) != fnv1a(bytes.substr(0, kMetaSize - 8))) return std::nullopt;
  return Meta{static_cast<std::uint32_t>(number_at(bytes, 8, 4)), number_at(bytes, 16, 8),
              number_at(bytes, 32, 8), number_at(bytes, 40, 8), number_at(bytes, 48, 8)};
}

}  // namespace minigrpc::bbolt
