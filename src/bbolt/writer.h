// Writer: makes a bbolt database of buckets and records that come in byte order, a page at a time.
//
//   Writer writer(append_to_file);                 // takes the pages from the third on
//   writer.begin_bucket("key");   writer.put(k, v);   writer.put(l, w);
//   writer.begin_bucket("meta");  ...
//   Result<std::string> front = writer.finish();   // the first two pages
//
// The trees are built from the bottom: a page is written once it is full, so that what is held is one page for
// each level, and the largest value. Pages are packed; there is no free page.
//
// Pure. Thread rule: one thread at a time.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bbolt/page.h"

namespace minigrpc::bbolt {

class Writer {
 public:
  // Called with whole pages; the bytes are borrowed until it returns. An error ends the writing, and is what the
  // writer's calls return from then on.
  using Sink = std::function<Status(std::string_view pages)>;

  explicit Writer(Sink sink) : sink_(std::move(sink)) {}

  // The next bucket; its name sorts behind that of the one before, asserted.
  Status begin_bucket(std::string_view name);
  // A record of the bucket; the key is not empty and sorts behind the one before, asserted.
  Status put(std::string_view key, std::string_view value);
  // Ends the database. The two pages that stand in front of those that the sink took.
  Result<std::string> finish();

 private:
  struct Element {
    std::uint64_t number = 0;  // a leaf's flags, a branch's child
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
  };
  // A page that is being filled.
  struct Node {
    std::vector<Element> elements{};
    std::string bytes{};  // keys and values, one after the other

    std::size_t size() const { return kPageHeaderSize + kElementSize * elements.size() + bytes.size(); }
    void add(std::uint64_t number, std::string_view key, std::string_view value);
    std::string_view first_key() const { return std::string_view(bytes).substr(0, elements.front().key_size); }
    void clear();
  };
  // levels[0] is the leaf.
  using Tree = std::vector<Node>;

  Status add(Tree& tree, std::size_t level, const Element& element, std::string_view key, std::string_view value);
  // Writes the page of that level and enters it in the level above.
  Status close_page(Tree& tree, std::size_t level);
  // Writes what is left; the id of the root.
  Result<std::uint64_t> close_tree(Tree& tree);
  Status end_bucket();
  Result<std::uint64_t> write(const Node& node, PageFlag kind);
  static std::string page_of(const Node& node, PageFlag kind, std::uint64_t id);

  Sink sink_;
  Status failure_;
  std::uint64_t next_page_ = 2;
  Tree buckets_ = Tree(1);
  Tree records_ = Tree(1);
  std::optional<std::string> bucket_;
  std::string last_key_;
};

}  // namespace minigrpc::bbolt
