// One header field of HTTP/2: a lower-case name and its value, as the layers hand it to each other.
//
// Borrows both. Thread rule: like std::string_view.
#pragma once

#include <string_view>

#include "base/header_name.h"

namespace minigrpc {

struct HeaderView {
  std::string_view name;
  std::string_view value;
  HeaderName known = HeaderName::kOther;  // what `name` is: only of a field that a server received
  friend bool operator==(const HeaderView& a, const HeaderView& b) {
    return a.name == b.name && a.value == b.value;
  }
};

}  // namespace minigrpc
