// Base64 for metadata whose name ends in "-bin" (RFC 4648, the standard alphabet).
//
// Thread rule: free functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::wire {

// The encoding of any bytes without padding, which is what gRPC asks senders for.
std::string base64_encode(std::string_view bytes);

// The bytes that `text` encodes, padded or not; nothing if it is not exactly that. A foreign character, a
// wrong number of '=', a length that no bytes encode to, or left-over bits that are not zero are all refused:
// two texts never stand for the same value, except by their padding.
std::optional<std::string> base64_decode(std::string_view text);

// The values of one header field into which a proxy may have joined several, separated by commas (RFC
// 9110, 5.3). Blanks around a value are dropped. Nothing if any of them is malformed: a part of the truth is
// not the truth.
std::optional<std::vector<std::string>> base64_decode_list(std::string_view text);

}  // namespace minigrpc::wire
