// The percent-encoding of `grpc-message`, which carries any text through an ASCII header.
//
// Thread rule: free functions without state.
//
// Printable ASCII except '%' stands for itself, every other byte becomes '%' and two hexadecimal digits
// (grpc: doc/PROTOCOL-HTTP2.md, Responses: Percent-Encoded). So does a space at either end of the text, where
// HTTP/2 forbids it (RFC 9113, 8.2.1) and peers may refuse or strip it.
#pragma once

#include <string>
#include <string_view>

namespace minigrpc::wire {

// Whether `text` is its own encoding, as most messages are.
bool is_percent_plain(std::string_view text);

// The encoding of any bytes, with upper-case digits.
std::string percent_encode(std::string_view text);

// What `text` says. Never fails: an escape that is no escape stands for itself, as the specification asks
// for, since a half-readable message helps more than none. The result may hold any bytes.
std::string percent_decode(std::string_view text);

}  // namespace minigrpc::wire
