// A page of a bbolt database, the file format of etcd's backend and of its snapshots.
//
// Pure. Thread rule: free functions and plain values.
//
//   file    = meta(page 0) meta(page 1) page ...      a page of n overflow pages is n + 1 pages long
//   page    = id(8) flags(2) count(2) overflow(4) body
//   meta    = magic(4) version(4) page_size(4) flags(4) root(8) sequence(8) freelist(8) end(8) txid(8) checksum(8)
//   leaf    = count × { flags(4) pos(4) key_size(4) value_size(4) }  then the keys and values
//   branch  = count × { pos(4) key_size(4) child(8) }                then the first key of each child
//   bucket  = root(8) sequence(8) [page]     a leaf's value with flag 1; root 0: its only page follows, inline
//
// Numbers are little-endian; `pos` counts from its own element. Of the two metas the valid one with the greater
// txid counts; its checksum is FNV-1a (64 bits) of what stands before it. `end` is the first page id never used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace minigrpc::bbolt {

inline constexpr std::size_t kPageHeaderSize = 16;
inline constexpr std::size_t kElementSize = 16;
inline constexpr std::size_t kBucketHeaderSize = 16;
inline constexpr std::size_t kMetaSize = 64;

// Of the files that we write; others may have another power of two.
inline constexpr std::size_t kPageSize = 4096;

enum PageFlag : std::uint16_t { kBranchPage = 0x01, kLeafPage = 0x02, kMetaPage = 0x04, kFreelistPage = 0x10 };
inline constexpr std::uint32_t kBucketElement = 0x01;
// In place of the freelist's page where none is kept; etcd's files have this.
inline constexpr std::uint64_t kNoFreelist = ~std::uint64_t{0};

struct PageHeader {
  std::uint64_t id = 0;
  std::uint16_t flags = 0;
  std::uint16_t count = 0;
  std::uint32_t overflow = 0;
};

struct Meta {
  std::uint32_t page_size = kPageSize;
  std::uint64_t root = 0;
  std::uint64_t freelist = kNoFreelist;
  std::uint64_t end = 0;
  std::uint64_t txid = 0;
};

// Each appends.
void encode(const PageHeader& header, std::string& out);
void encode(const Meta& meta, std::string& out);
void append_little_endian(std::uint64_t number, std::size_t size, std::string& out);

// Of the first bytes; nullopt when there are too few, or, of a meta, when magic, version or checksum are wrong.
std::optional<PageHeader> decode_page_header(std::string_view bytes);
std::optional<Meta> decode_meta(std::string_view bytes);
// Of exactly 2, 4 or 8 bytes.
std::uint64_t decode_little_endian(std::string_view bytes);

}  // namespace minigrpc::bbolt
