// The value of the `grpc-timeout` header: how long the caller will wait, in at most eight digits and a unit.
//
// Thread rule: free functions without state.
//
//   Timeout      → TimeoutValue TimeoutUnit       ("100m": 100 milliseconds)
//   TimeoutValue → 1 to 8 ASCII digits
//   TimeoutUnit  → "H" | "M" | "S" | "m" | "u" | "n"
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace minigrpc::wire {

// The timeout that `text` says; nothing if it is not exactly a Timeout (grpc: doc/PROTOCOL-HTTP2.md,
// Requests). Zero is accepted and means that the deadline has passed. What nanoseconds cannot hold (from
// 2562047 hours on) becomes nanoseconds::max().
std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text);

// Writes `timeout` in the finest unit that eight digits can hold, rounded up, so that the peer never gives up
// before this side does. Zero and less become "0n". The result points into `storage`.
std::string_view format_timeout(std::chrono::nanoseconds timeout, char (&storage)[12]);

}  // namespace minigrpc::wire
