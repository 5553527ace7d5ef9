#include <minigrpc/status.h>

#include <array>

namespace minigrpc {

namespace {
constexpr std::array<std::string_view, 17> kNames = {
    "OK",           "CANCELLED",           "UNKNOWN",   "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED",       "INTERNAL",  "UNAVAILABLE",      "DATA_LOSS",         "UNAUTHENTICATED"};
}

std::string_view status_code_name(StatusCode code) { return kNames[static_cast<std::size_t>(code)]; }

std::string_view status_code_go_name(StatusCode code) {
  static constexpr std::array<std::string_view, 17> kGoNames{
      "OK",           "Canceled",           "Unknown",  "InvalidArgument", "DeadlineExceeded", "NotFound",
      "AlreadyExists", "PermissionDenied",  "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
      "Unimplemented", "Internal",          "Unavailable", "DataLoss",     "Unauthenticated"};
  return kGoNames[static_cast<std::size_t>(code)];
}

StatusCode status_code_from_number(std::uint32_t number) {
  return number < kNames.size() ? static_cast<StatusCode>(number) : StatusCode::kUnknown;
}

const std::string& Status::no_words() {
  static const std::string none;
  return none;
}

std::string Status::to_string() const {
  std::string text(status_code_name(code_));
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

}  // namespace minigrpc
