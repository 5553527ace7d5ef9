// gRPC's naming syntax (grpc: doc/naming.md).
#include <minigrpc/resolver.h>

#include <cctype>

namespace minigrpc {

namespace {

bool is_scheme(std::string_view text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return false;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '+' && c != '-' && c != '.') return false;
  return true;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  if (text.empty()) return Status(StatusCode::kInvalidArgument, "the target is empty");
  const std::size_t colon = text.find(':');
  const std::string_view scheme = colon == std::string_view::npos ? "" : text.substr(0, colon);
  const bool has_authority = text.substr(scheme.size()).starts_with("://");
  // "unix:path" and "dns:host:port" need no slashes; of other names before a colon, "host:port" is the likelier one.
  const bool known = scheme == "unix" || scheme == "unix-abstract" || scheme == "dns" || scheme == "ipv4" ||
                     scheme == "ipv6" || scheme == "in-process";
  if (!is_scheme(scheme) || (!has_authority && !known)) {
    if (has_authority) return Status(StatusCode::kInvalidArgument, "bad scheme in target '" + std::string(text) + "'");
    return Target{"dns", "", std::string(text)};
  }
  Target target{std::string(scheme), "", ""};
  std::string_view rest = text.substr(colon + 1);
  if (has_authority) {
    rest.remove_prefix(2);
    const std::size_t slash = rest.find('/');
    target.authority = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? "" : rest.substr(slash + (target.scheme == "unix" ? 0 : 1));
  }
  target.path = rest;
  if (target.path.empty())
    return Status(StatusCode::kInvalidArgument, "target '" + std::string(text) + "' names nothing after its scheme");
  return target;
}

}  // namespace minigrpc
