// HeaderList: the fields of one header block under construction, with gRPC's custom metadata checked and encoded.
//
// Thread rule: a local variable's.
#pragma once

#include <minigrpc/metadata.h>
#include <minigrpc/status.h>

#include <forward_list>
#include <span>
#include <string>
#include <vector>

#include "base/header_view.h"

namespace minigrpc::rpc {

class HeaderList {
 public:
  // Borrows what it views until the list is gone.
  void add(HeaderView field) {
    if (count_ < kInlineCount && overflow_.empty())
      inline_[count_++] = field;
    else
      spill(field);
  }
  // Borrows `metadata` likewise. INTERNAL that names the field which may not be sent; the list is then unusable until
  // clear().
  Status add_metadata(const Metadata& metadata);
  void clear() {
    count_ = 0;
    overflow_.clear();
  }
  std::span<const HeaderView> views() const {
    return overflow_.empty() ? std::span<const HeaderView>(inline_, count_) : std::span<const HeaderView>(overflow_);
  }

 private:
  static constexpr std::size_t kInlineCount = 12;  // no allocation for a call without metadata
  void spill(HeaderView field);

  HeaderView inline_[kInlineCount];
  std::size_t count_ = 0;
  std::vector<HeaderView> overflow_;
  std::forward_list<std::string> encoded_;
};

// Adds a received field to `metadata`; false for a "-bin" value that is not base64. Transport headers are skipped.
bool receive_metadata(HeaderView field, Metadata& metadata);

}  // namespace minigrpc::rpc
