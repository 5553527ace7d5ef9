// One header field of HTTP/2 as gRPC looks at it: a lower-case name and its value.
//
// Borrows both. Thread rule: like std::string_view.
#pragma once

#include <string_view>

namespace minigrpc::wire {

struct HeaderView {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const HeaderView&, const HeaderView&) = default;
};

}  // namespace minigrpc::wire
