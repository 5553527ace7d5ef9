#include "h2/http_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace minigrpc::h2 {

namespace {

using Characters = std::array<bool, 256>;

// RFC 9110's token, without upper case.
constexpr Characters kOfNames = [] {
  Characters legal{};
  for (unsigned c = 'a'; c <= 'z'; ++c) legal[c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) legal[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) legal[static_cast<unsigned char>(c)] = true;
  return legal;
}();

constexpr Characters kOfValues = [] {
  Characters legal{};
  for (unsigned c = 0x20; c < legal.size(); ++c) legal[c] = c != 0x7f;
  legal['\t'] = true;
  return legal;
}();

bool consists_of(std::string_view text, const Characters& legal) {
  return std::all_of(text.begin(), text.end(),
                     [&legal](char c) { return legal[static_cast<unsigned char>(c)]; });
}

constexpr std::uint8_t bit(HeaderName name) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(name));
}

}  // namespace

bool is_legal_field(const HeaderView& field) {
  if (!consists_of(field.value, kOfValues)) return false;
  switch (field.known) {
    case HeaderName::kMethod:
    case HeaderName::kScheme:
    case HeaderName::kPath:
      return !field.value.empty();
    case HeaderName::kOfConnections:
      return false;
    case HeaderName::kTe:
      return field.value == "trailers";
    case HeaderName::kOther:
      return !field.name.empty() && consists_of(field.name, kOfNames);
    case HeaderName::kAuthority:
    case HeaderName::kHost:
    case HeaderName::kContentType:
    case HeaderName::kContentLength:
    case HeaderName::kUserAgent:
    case HeaderName::kGrpcTimeout:
    case HeaderName::kGrpcEncoding:
    case HeaderName::kGrpcAcceptEncoding:
      return true;
  }
  return false;
}

void BlockRules::add_pseudo(const HeaderView& field) {
  legal_ = legal_ && !regular_seen_ && (pseudo_seen_ & bit(field.known)) == 0;
  pseudo_seen_ = static_cast<std::uint8_t>(pseudo_seen_ | bit(field.known));
  connect_ = connect_ || (field.known == HeaderName::kMethod && field.value == "CONNECT");
}

void BlockRules::add_length(std::string_view value) {
  std::int64_t length = 0;
  const char* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, length);
  const bool number = parsed.ec == std::errc() && parsed.ptr == end && length >= 0;
  if (!number || (promised_length_ >= 0 && promised_length_ != length)) length_legal_ = false;
  promised_length_ = length;
}

bool BlockRules::is_legal_request() const {
  constexpr std::uint8_t kOfConnect = bit(HeaderName::kMethod) | bit(HeaderName::kAuthority);
  constexpr std::uint8_t kNeeded =
      bit(HeaderName::kMethod) | bit(HeaderName::kScheme) | bit(HeaderName::kPath);
  if (!legal_) return false;
  return connect_ ? pseudo_seen_ == kOfConnect : (pseudo_seen_ & kNeeded) == kNeeded;
}

}  // namespace minigrpc::h2
