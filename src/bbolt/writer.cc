#include "bbolt/writer.h"

namespace minigrpc::bbolt {

namespace {

// bbolt keeps a bucket inside its entry while its page is not larger.
constexpr std::size_t kInlineSizeMax = kPageSize / 4;

constexpr std::size_t pages_for(std::size_t size) { return (size + kPageSize - 1) / kPageSize; }

}  // namespace

void Writer::Node::add(std::uint64_t number, std::string_view key, std::string_view value) {
  elements.push_back(
      {number, static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())});
  bytes.append(key).append(value);
}

void Writer::Node::clear() {
  elements.clear();
  bytes.clear();
}

std::string Writer::page_of(const Node& node, PageFlag kind, std::uint64_t id) {
  std::string page;
  page.reserve(pages_for(node.size()) * kPageSize);
  const std::size_t overflow = pages_for(node.size()) - 1;
  encode(PageHeader{id, kind, static_cast<std::uint16_t>(node.elements.size()),
                    static_cast<std::uint32_t>(id == 0 ? 0 : overflow)},
         page);
  std::size_t position = kElementSize * node.elements.size();
  for (const Element& element : node.elements) {
    if (kind == kLeafPage) {
      append_little_endian(element.number, 4, page);
      append_little_endian(position, 4, page);
      append_little_endian(element.key_size, 4, page);
      append_little_endian(element.value_size, 4, page);
    } else {
      append_little_endian(position, 4, page);
      append_little_endian(element.key_size, 4, page);
      append_little_endian(element.number, 8, page);
    }
    position += element.key_size + element.value_size - kElementSize;
  }
  return page.append(node.bytes);
}

Result<std::uint64_t> Writer::write(const Node& node, PageFlag kind) {
  const std::uint64_t id = next_page_;
  std::string page = page_of(node, kind, id);
  page.resize(pages_for(page.size()) * kPageSize);
  next_page_ += page.size() / kPageSize;
  failure_ = sink_(page);
  if (!failure_.ok()) return failure_;
  return id;
}

Status Writer::close_page(Tree& tree, std::size_t level) {
  Result<std::uint64_t> id = write(tree[level], level == 0 ? kLeafPage : kBranchPage);
  if (!id) return id.error();
  if (level + 1 == tree.size()) tree.emplace_back();
  const std::string key(tree[level].first_key());
  tree[level].clear();
  return add(tree, level + 1, {.number = *id}, key, {});
}

Status Writer::add(Tree& tree, std::size_t level, const Element& element, std::string_view key,
                   std::string_view value) {
  const std::size_t size = kElementSize + key.size() + value.size();
  if (!tree[level].elements.empty() && tree[level].size() + size > kPageSize)
    if (Status status = close_page(tree, level); !status.ok()) return status;
  tree[level].add(element.number, key, value);
  return {};
}

Result<std::uint64_t> Writer::close_tree(Tree& tree) {
  // The level above grows by the page of each one; the last level is the root.
  for (std::size_t level = 0; level + 1 < tree.size(); ++level)
    if (Status status = close_page(tree, level); !status.ok()) return status;
  Result<std::uint64_t> root = write(tree.back(), tree.size() == 1 ? kLeafPage : kBranchPage);
  tree = Tree(1);
  return root;
}

Status Writer::begin_bucket(std::string_view name) {
  detail::require(!bucket_ || *bucket_ < name, "buckets out of order");
  if (!failure_.ok()) return failure_;
  if (bucket_)
    if (Status status = end_bucket(); !status.ok()) return status;
  bucket_ = name;
  last_key_.clear();
  return {};
}

Status Writer::put(std::string_view key, std::string_view value) {
  detail::require(bucket_.has_value() && last_key_ < key, "records out of order");
  if (!failure_.ok()) return failure_;
  last_key_ = key;
  return add(records_, 0, {}, key, value);
}

Status Writer::end_bucket() {
  std::string entry;
  if (records_.size() == 1 && records_[0].size() <= kInlineSizeMax) {
    append_little_endian(0, 8, entry);
    append_little_endian(0, 8, entry);
    entry += page_of(records_[0], kLeafPage, 0);
    records_[0].clear();
  } else {
    Result<std::uint64_t> root = close_tree(records_);
    if (!root) return root.error();
    append_little_endian(*root, 8, entry);
    append_little_endian(0, 8, entry);
  }
  return add(buckets_, 0, {.number = kBucketElement}, *bucket_, entry);
}

Result<std::string> Writer::finish() {
  if (!failure_.ok()) return failure_;
  if (bucket_)
    if (Status status = end_bucket(); !status.ok()) return status;
  Result<std::uint64_t> root = close_tree(buckets_);
  if (!root) return root.error();
  const Result<std::uint64_t> freelist = write(Node{}, kFreelistPage);
  if (!freelist) return freelist.error();
  std::string front;
  // bbolt writes a transaction's meta to the page of its parity.
  for (const std::uint64_t page : {0, 1}) {
    encode(PageHeader{page, kMetaPage, 0, 0}, front);
    encode(Meta{kPageSize, *root, *freelist, next_page_, page}, front);
    front.resize((page + 1) * kPageSize);
  }
  return front;
}

}  // namespace minigrpc::bbolt
