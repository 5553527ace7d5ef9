// The header field that gRPC's rules look at is HTTP/2's.
//
// Thread rule: like std::string_view.
#pragma once

#include "base/header_view.h"

namespace minigrpc::wire {

using minigrpc::HeaderView;

}  // namespace minigrpc::wire
