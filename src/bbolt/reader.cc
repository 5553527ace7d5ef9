#include "bbolt/reader.h"

#include <string>

namespace minigrpc::bbolt {

namespace {

// A tree of pages with two children each is no deeper in any file that fits a disk.
constexpr int kDepthMax = 64;
constexpr std::size_t kPageSizeMin = 1024;
constexpr std::size_t kPageSizeMax = std::size_t{16} << 20;

Status damaged(const std::string& what) { return {StatusCode::kDataLoss, "the database is damaged: " + what}; }

bool is_page_size(std::size_t size) {
  return size >= kPageSizeMin && size <= kPageSizeMax && (size & (size - 1)) == 0;
}

std::optional<Meta> meta_at(std::string_view file, std::size_t offset) {
  if (offset > file.size() || file.size() - offset < kPageHeaderSize) return std::nullopt;
  const std::optional<Meta> meta = decode_meta(file.substr(offset + kPageHeaderSize));
  return meta && is_page_size(meta->page_size) ? meta : std::nullopt;
}

// The second meta stands a page behind the first, whose size only they know.
std::optional<Meta> find_meta(std::string_view file) {
  const std::optional<Meta> first = meta_at(file, 0);
  std::optional<Meta> second;
  if (first) {
    second = meta_at(file, first->page_size);
  } else {
    for (std::size_t size = kPageSizeMin; size <= kPageSizeMax && !second; size *= 2) second = meta_at(file, size);
  }
  if (!first || !second) return first ? first : second;
  return first->txid > second->txid ? first : second;
}

std::uint64_t number_at(std::string_view page, std::size_t offset, std::size_t size) {
  return decode_little_endian(page.substr(offset, size));
}

// `size` bytes at `offset`; nullopt where the page does not have them.
std::optional<std::string_view> slice(std::string_view page, std::uint64_t offset, std::uint64_t size) {
  if (offset > page.size() || size > page.size() - offset) return std::nullopt;
  return page.substr(offset, size);
}

std::optional<Bucket> decode_bucket(std::string_view value) {
  if (value.size() < kBucketHeaderSize) return std::nullopt;
  Bucket bucket{number_at(value, 0, 8), {}};
  if (bucket.root == 0) bucket.inline_page = value.substr(kBucketHeaderSize);
  return bucket;
}

Status check_order(std::optional<std::string_view>& last_key, std::string_view key) {
  if (last_key && *last_key >= key) return damaged("keys out of order");
  last_key = key;
  return {};
}

}  // namespace

Result<Reader> Reader::open(std::string_view file) {
  const std::optional<Meta> meta = find_meta(file);
  if (!meta)
    return Status(StatusCode::kDataLoss, "it is not a bbolt database, or both of its meta pages are damaged");
  if (meta->end > file.size() / meta->page_size)
    return damaged("it should be " + std::to_string(meta->end) + " pages of " + std::to_string(meta->page_size) +
                   " bytes long, and ends after " + std::to_string(file.size()) + " bytes");
  return Reader(file, *meta);
}

Result<std::string_view> Reader::page(std::uint64_t id) const {
  const auto where = [&] { return "page " + std::to_string(id); };
  if (id < 2 || id >= meta_.end) return damaged(where() + " does not exist");
  const std::string_view from = file_.substr(id * meta_.page_size);
  const std::optional<PageHeader> header = decode_page_header(from);
  if (!header || header->id != id) return damaged(where() + " is not in its place");
  if (header->overflow >= meta_.end - id) return damaged(where() + " ends beyond the last one");
  return from.substr(0, (std::uint64_t{header->overflow} + 1) * meta_.page_size);
}

Status Reader::walk(const Bucket& bucket, const Visit& visit) const {
  Walk walk{visit, meta_.end};
  if (bucket.root == 0) {
    const std::optional<PageHeader> header = decode_page_header(bucket.inline_page);
    if (!header || header->flags != kLeafPage) return damaged("an inline bucket that is no leaf");
    return walk_page(bucket.inline_page, 0, walk);
  }
  Result<std::string_view> root = page(bucket.root);
  return root ? walk_page(*root, 0, walk) : root.error();
}

Status Reader::walk_page(std::string_view page, int depth, Walk& walk) const {
  // Pages that lead to one another more than once would be walked without end.
  if (depth > kDepthMax || walk.pages_left == 0) return damaged("its pages go round in a circle");
  --walk.pages_left;
  const std::optional<PageHeader> header = decode_page_header(page);
  if (!header || header->count > (page.size() - kPageHeaderSize) / kElementSize)
    return damaged("a page that is too short for its elements");
  if (header->flags == kLeafPage) return walk_leaf(page, header->count, walk);
  if (header->flags == kBranchPage) return walk_branch(page, header->count, depth, walk);
  return damaged("page " + std::to_string(header->id) + " is neither branch nor leaf");
}

Status Reader::walk_leaf(std::string_view page, std::size_t count, Walk& walk) const {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kPageHeaderSize + i * kElementSize;
    const std::uint64_t begin = at + number_at(page, at + 4, 4);
    const std::uint64_t key_size = number_at(page, at + 8, 4);
    const auto key = slice(page, begin, key_size);
    const auto value = slice(page, begin + key_size, number_at(page, at + 12, 4));
    if (!key || !value) return damaged("a record that leads out of its page");
    if (Status status = check_order(walk.last_key, *key); !status.ok()) return status;
    Entry entry{*key, *value, {}};
    if ((number_at(page, at, 4) & kBucketElement) != 0) {
      entry.bucket = decode_bucket(*value);
      if (!entry.bucket) return damaged("a bucket that is too short");
      entry.value = {};
    }
    if (Status status = walk.visit(entry); !status.ok()) return status;
  }
  return {};
}

Status Reader::walk_branch(std::string_view page, std::size_t count, int depth, Walk& walk) const {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kPageHeaderSize + i * kElementSize;
    Result<std::string_view> child = this->page(number_at(page, at + 8, 8));
    if (!child) return child.error();
    if (Status status = walk_page(*child, depth + 1, walk); !status.ok()) return status;
  }
  return {};
}

Result<std::optional<Bucket>> Reader::find_bucket(std::string_view name) const {
  std::optional<Bucket> found;
  const Visit look = [&](const Entry& entry) -> Status {
    if (entry.key == name) found = entry.bucket;
    return {};
  };
  if (Status status = walk(root(), look); !status.ok()) return status;
  return found;
}

}  // namespace minigrpc::bbolt
