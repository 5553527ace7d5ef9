// One header field of HTTP/2: a lower-case name and its value, as the layers hand it to each other.
//
// Borrows both. Thread rule: like std::string_view.
#pragma once

#include <string_view>

namespace minigrpc {

struct HeaderView {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const HeaderView&, const HeaderView&) = default;
};

}  // namespace minigrpc
