// What HTTP/2 asks of a request's header fields (RFC 9113, 8.1 to 8.3), checked here instead of by nghttp2.
//
// nghttp2 checks all this too, and more: it refuses an :authority with a '/' in it, which etcdctl sends when
// an endpoint is given as http://host:port. Go's server takes it, so ours must. Pure; a block's rules belong
// to its connection.
//
//   rules.begin();
//   for (each field of the block) rules.add(field, is_legal_field(field));
//   if (!rules.is_legal_request()) …
#pragma once

#include <cstdint>
#include <optional>

#include "base/header_view.h"

namespace minigrpc::h2 {

// Whether the field, whose name was recognized, may stand in a request at all: a known pseudo-header field or
// a name in lower case; no field of HTTP/1.1's connections; no control characters in its value.
bool is_legal_field(const HeaderView& field);

// One header block, field by field.
class BlockRules {
 public:
  void begin() { *this = BlockRules(); }
  void add(const HeaderView& field, bool legal) {
    legal_ = legal_ && legal;
    if (field.known >= HeaderName::kMethod && field.known <= HeaderName::kAuthority)
      add_pseudo(field);
    else
      regular_seen_ = true;
    if (field.known == HeaderName::kContentLength) add_length(field.value);
  }

  // Whether the fields may begin a request: all legal; the pseudo-header fields first, once each and
  // complete.
  bool is_legal_request() const;
  // Whether they may end one: no pseudo-header fields.
  bool is_legal_trailers() const { return legal_ && pseudo_seen_ == 0; }
  // The content-length that they promise; -1 for none, nothing for one that is malformed or contradicts
  // itself.
  std::optional<std::int64_t> promised_length() const {
    return length_legal_ ? std::optional(promised_length_) : std::nullopt;
  }

 private:
  void add_pseudo(const HeaderView& field);
  void add_length(std::string_view value);

  bool legal_ = true;
  bool regular_seen_ = false;
  bool connect_ = false;
  bool length_legal_ = true;
  std::uint8_t pseudo_seen_ = 0;  // a bit for each
  std::int64_t promised_length_ = -1;
};

}  // namespace minigrpc::h2
