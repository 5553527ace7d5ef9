// A Status as the trailers that end a call, and back (grpc: doc/PROTOCOL-HTTP2.md, Responses).
//
// Thread rule: like the Status.
//
//   grpc-status             the code's number
//   grpc-message            for people, percent-encoded; absent if empty
//   grpc-status-details-bin a google.rpc.Status, in base64; absent if empty
#pragma once

#include <minigrpc/status.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "wire/header_view.h"

namespace minigrpc::wire {

// The trailers for a status, without an allocation when it is OK or its message needs no escape.
class StatusTrailers {
 public:
  // Borrows `status` for its own lifetime.
  explicit StatusTrailers(const Status& status);
  StatusTrailers(const StatusTrailers&) = delete;
  StatusTrailers& operator=(const StatusTrailers&) = delete;

  // One to three fields. Borrowed until *this ends.
  std::span<const HeaderView> headers() const { return {headers_.data(), count_}; }

 private:
  void add(HeaderView header) { headers_[count_++] = header; }

  std::array<HeaderView, 3> headers_;
  std::size_t count_ = 0;
  std::string message_;
  std::string details_;
};

// The outcome that a response's last header block tells; `http_status` is the response's `:status`.
//
// With grpc-status, its origin is kPeer. A code that gRPC does not define is UNKNOWN; details that are not
// base64 are left out, since code and message still hold. Without grpc-status, this side infers the status
// from `http_status`, with origin kLocal: never OK, UNKNOWN for 200. Of a field that is repeated, the first
// counts.
Status status_from_trailers(std::span<const HeaderView> trailers, int http_status);

}  // namespace minigrpc::wire
