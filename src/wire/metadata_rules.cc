#include "wire/metadata_rules.h"

#include <algorithm>

namespace minigrpc::wire {

namespace {

constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

constexpr bool is_value_character(char c) { return c >= 0x20 && c <= 0x7e; }

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

// `name` begins with "grpc-".
bool is_left_to_applications(std::string_view name) {
  return name == "grpc-trace-bin" || name == "grpc-tags-bin" || name == "grpc-retry-pushback-ms";
}

}  // namespace

bool is_legal_metadata_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, is_name_character);
}

bool is_legal_metadata_value(std::string_view value) {
  return std::ranges::all_of(value, is_value_character);
}

std::string_view trim_metadata_value(std::string_view value) {
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  return value;
}

bool is_reserved_metadata_name(std::string_view name) {
  if (name.empty()) return false;
  // Asked for every header of every call: the first letter settles most.
  switch (name.front()) {
    case ':':
      return true;
    case 'c':
      return name == "content-type" || name == "content-length" || name == "connection";
    case 'g':
      return name.starts_with("grpc-") && !is_left_to_applications(name);
    case 'h':
      return name == "host";
    case 'k':
      return name == "keep-alive";
    case 'p':
      return name == "proxy-connection";
    case 't':
      return name == "te" || name == "transfer-encoding";
    case 'u':
      return name == "user-agent" || name == "upgrade";
    default:
      return false;
  }
}

bool is_transport_header(std::string_view name) {
  return is_reserved_metadata_name(name) && name != "user-agent" && name != "grpc-previous-rpc-attempts";
}

}  // namespace minigrpc::wire
