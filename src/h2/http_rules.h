// What HTTP/2 asks of a request's header fields (RFC 9113, 8.1 to 8.3), checked here instead of by nghttp2.
//
// nghttp2 checks all this too, and more: it refuses an :authority with a '/' in it, which etcdctl sends when an endpoint
// is given as http://host:port. Go's server takes it, so ours must. Pure; free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/header_view.h"

namespace minigrpc::h2 {

// Whether the fields may begin a request: pseudo-header fields first, known, once each and complete; names in lower
// case; no field of HTTP/1.1's connections; no control characters in values.
bool is_legal_request(std::span<const HeaderView> fields);

// Whether the fields may end one: no pseudo-header fields, and the same rules for the others.
bool is_legal_trailers(std::span<const HeaderView> fields);

// The content-length that the fields promise; -1 for none, nothing for one that is malformed or contradicts itself.
std::optional<std::int64_t> promised_length(std::span<const HeaderView> fields);

}  // namespace minigrpc::h2
