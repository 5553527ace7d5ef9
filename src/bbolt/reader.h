// Reader: the buckets and records of a bbolt database. It trusts nothing: a page that contradicts another, or
// leads out of the file or round in a circle, is DATA_LOSS.
//
//   Result<Reader> reader = Reader::open(file);
//   reader->walk(reader->root(), [&](const Entry& entry) -> Status { … entry.bucket … });
//
// Pure. Thread rule: one thread at a time. `file` is borrowed for the life of the reader, and everything that is
// handed out is borrowed from it.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "bbolt/page.h"

namespace minigrpc::bbolt {

struct Bucket {
  std::uint64_t root = 0;
  std::string_view inline_page{};  // where root is 0
};

struct Entry {
  std::string_view key;
  std::string_view value;        // empty if it is a bucket
  std::optional<Bucket> bucket;  // of that name, inside the one that is walked
};

class Reader {
 public:
  // DATA_LOSS when there is no valid meta page, or the file ends before the last page.
  static Result<Reader> open(std::string_view file);

  Bucket root() const { return {meta_.root, {}}; }
  const Meta& meta() const { return meta_; }

  using Visit = std::function<Status(const Entry&)>;
  // All of a bucket in byte order. Ends with the first error of `visit`.
  Status walk(const Bucket& bucket, const Visit& visit) const;
  // nullopt: there is no bucket of that name at the top.
  Result<std::optional<Bucket>> find_bucket(std::string_view name) const;

 private:
  struct Walk {
    const Visit& visit;
    std::uint64_t pages_left;
    std::optional<std::string_view> last_key{};
  };

  Reader(std::string_view file, Meta meta) : file_(file), meta_(meta) {}
  // The page with its overflow pages.
  Result<std::string_view> page(std::uint64_t id) const;
  Status walk_page(std::string_view page, int depth, Walk& walk) const;
  Status walk_leaf(std::string_view page, std::size_t count, Walk& walk) const;
  Status walk_branch(std::string_view page, std::size_t count, int depth, Walk& walk) const;

  std::string_view file_;
  Meta meta_;
};

}  // namespace minigrpc::bbolt
