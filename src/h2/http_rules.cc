#include "h2/http_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace minigrpc::h2 {

namespace {

// RFC 9110's token, without upper case.
bool is_legal_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [kMarks](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_legal_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool is_legal_regular_field(const HeaderView& field) {
  constexpr std::array<std::string_view, 5> kOfConnections = {"connection", "keep-alive", "proxy-connection",
                                                              "transfer-encoding", "upgrade"};
  if (!is_legal_name(field.name) || !is_legal_value(field.value)) return false;
  if (field.name == "te") return field.value == "trailers";
  return std::find(kOfConnections.begin(), kOfConnections.end(), field.name) == kOfConnections.end();
}

}  // namespace

bool is_legal_request(std::span<const HeaderView> fields) {
  std::array<const HeaderView*, 4> pseudo{};  // :method, :scheme, :path, :authority
  constexpr std::array<std::string_view, 4> kNames = {":method", ":scheme", ":path", ":authority"};
  bool regular_seen = false;
  for (const HeaderView& field : fields) {
    if (!field.name.starts_with(':')) {
      regular_seen = true;
      if (!is_legal_regular_field(field)) return false;
      continue;
    }
    const auto* known = std::find(kNames.begin(), kNames.end(), field.name);
    if (regular_seen || known == kNames.end() || !is_legal_value(field.value)) return false;
    const HeaderView*& slot = pseudo[static_cast<std::size_t>(known - kNames.begin())];
    if (slot != nullptr) return false;
    slot = &field;
  }
  const HeaderView* method = pseudo[0];
  if (method == nullptr || method->value.empty()) return false;
  if (method->value == "CONNECT") return pseudo[1] == nullptr && pseudo[2] == nullptr && pseudo[3] != nullptr;
  return pseudo[1] != nullptr && pseudo[2] != nullptr && !pseudo[1]->value.empty() && !pseudo[2]->value.empty();
}

bool is_legal_trailers(std::span<const HeaderView> fields) {
  return std::all_of(fields.begin(), fields.end(), is_legal_regular_field);
}

std::optional<std::int64_t> promised_length(std::span<const HeaderView> fields) {
  std::int64_t promised = -1;
  for (const HeaderView& field : fields) {
    if (field.name != "content-length") continue;
    std::int64_t length = 0;
    const char* end = field.value.data() + field.value.size();
    const auto parsed = std::from_chars(field.value.data(), end, length);
    if (parsed.ec != std::errc() || parsed.ptr != end || length < 0) return std::nullopt;
    if (promised >= 0 && promised != length) return std::nullopt;
    promised = length;
  }
  return promised;
}

}  // namespace minigrpc::h2
