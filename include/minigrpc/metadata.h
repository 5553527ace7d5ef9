// gRPC's custom metadata: an ordered multimap of lower-case names to values (gRPC over HTTP/2, "Custom-Metadata").
//
// A value type. Thread rule: like std::vector.
//
//   Metadata metadata{{"x-request-id", "17"}, {"trace-bin", raw_bytes}};
//
// A name ending in "-bin" carries any bytes; it holds them raw here, base64 is the wire's business. Other values are
// printable ASCII. Names are checked when the call is made: an illegal or reserved one (":path", "grpc-…") ends the
// call with INTERNAL and a message that names it, and nothing is sent.
#pragma once

#include <minigrpc/detail/memory.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minigrpc {

class Metadata {
 public:
  struct Entry {
    std::string name;
    std::string value;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  Metadata() = default;
  Metadata(std::initializer_list<Entry> entries) : entries_(entries) {}

  // Appends; a name that is there already is repeated, in order.
  void add(std::string_view name, std::string_view value) {
    entries_.push_back({std::string(name), std::string(value)});
  }
  // The first value of that name. Borrowed until the metadata changes.
  std::optional<std::string_view> get(std::string_view name) const {
    for (const Entry& entry : entries_)
      if (entry.name == name) return entry.value;
    return std::nullopt;
  }
  // Every value of that name, in order. Borrowed until the metadata changes.
  std::vector<std::string_view> get_all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const Entry& entry : entries_)
      if (entry.name == name) values.push_back(entry.value);
    return values;
  }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  friend bool operator==(const Metadata&, const Metadata&) = default;

 private:
  std::vector<Entry, detail::BlockAllocator<Entry>> entries_;
};

}  // namespace minigrpc
