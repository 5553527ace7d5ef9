// FieldMemory: the fields of the latest header block, for the next one that has them again.
//
// HPACK sends a field that the peer knows from before as an index (RFC 7541, 2.3), and nghttp2 then hands out
// the very buffers of before. They are held here, so what was found out about the field holds as well, and
// none of it is done again: nearly all fields of nearly all calls are of this kind. Thread rule: the
// connection's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/header_view.h"
#include "base/limits.h"

struct nghttp2_rcbuf;

namespace minigrpc::h2 {

struct ReceivedField {
  nghttp2_rcbuf* name = nullptr;  // null: none
  nghttp2_rcbuf* value = nullptr;
  const char* name_text = nullptr;  // their bytes
  const char* value_text = nullptr;
  std::uint32_t name_size = 0;
  std::uint32_t value_size = 0;
  HeaderName known = HeaderName::kOther;
  bool legal = false;

  // As SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113, 6.5.2).
  std::size_t size() const { return std::size_t{name_size} + value_size + 32; }
};

class FieldMemory {
 public:
  // What was remembered of the field at `position` of a block, if it is that; else null. Borrowed until
  // remember().
  const ReceivedField* find(std::size_t position, const nghttp2_rcbuf* name,
                            const nghttp2_rcbuf* value) const {
    if (position >= fields_.size()) return nullptr;
    const ReceivedField& field = fields_[position];
    return field.name == name && field.value == value ? &field : nullptr;
  }
  // Whether `field` may be remembered there.
  static bool takes(std::size_t position, const ReceivedField& field) {
    return position < limits::kFieldsRememberedMax && field.size() <= limits::kFieldRememberedSizeMax;
  }
  // Takes `field` with its references, and gives up what it remembered there.
  ReceivedField remember(std::size_t position, const ReceivedField& field) {
    if (position >= fields_.size()) {
      fields_.reserve(position + 1);  // no more than that: there is one of these for each connection
      fields_.resize(position + 1);
    }
    return std::exchange(fields_[position], field);
  }
  const std::vector<ReceivedField>& fields() const { return fields_; }

 private:
  std::vector<ReceivedField> fields_;  // by their positions
};

}  // namespace minigrpc::h2
