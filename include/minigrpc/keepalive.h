// How connections are kept alive, and when they are given up (grpc: doc/keepalive.md).
//
// Thread rule: value types.
#pragma once

#include <chrono>

namespace minigrpc {

inline constexpr std::chrono::milliseconds kNever = std::chrono::milliseconds::max();

// A channel's. The defaults never earn a GOAWAY "too_many_pings": the strictest usual servers take one PING in five
// minutes, and only while there is a call. Where a server says so all the same, the channel doubles its `time`.
struct ChannelKeepaliveOptions {
  // How long a connection with calls may hear nothing before it asks by PING whether the server is there; kNever.
  std::chrono::milliseconds time = std::chrono::minutes(6);
  // How long the answer may take before the connection, and its calls with UNAVAILABLE, are given up.
  std::chrono::milliseconds timeout = std::chrono::seconds(20);
  // Asks without calls, too. Servers must be told to permit it.
  bool without_calls = false;
};

// A server's.
struct ServerKeepaliveOptions {
  // As a channel's; with and without calls.
  std::chrono::milliseconds time = std::chrono::hours(2);
  std::chrono::milliseconds timeout = std::chrono::seconds(20);
  // Clients that ask more often than this, more than twice without being sent anything in between, are sent off with
  // GOAWAY ENHANCE_YOUR_CALM "too_many_pings".
  std::chrono::milliseconds ping_interval_min = std::chrono::minutes(5);
  // Whether that interval holds without calls, too; otherwise it is two hours then.
  bool permit_pings_without_calls = false;
};

}  // namespace minigrpc
