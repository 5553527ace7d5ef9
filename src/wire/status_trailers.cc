#include "wire/status_trailers.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "wire/base64.h"
#include "wire/percent.h"
#include "wire/status_mapping.h"

namespace minigrpc::wire {

namespace {

constexpr std::array<std::string_view, 17> kNumbers = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                       "9", "10", "11", "12", "13", "14", "15", "16"};

std::optional<std::string_view> find(std::span<const HeaderView> headers, std::string_view name) {
  const auto found = std::ranges::find(headers, name, &HeaderView::name);
  if (found == headers.end()) return std::nullopt;
  return found->value;
}

StatusCode code_from(std::string_view number) {
  if (number.empty() || number.size() > 2) return StatusCode::kUnknown;
  std::uint32_t value = 0;
  for (char c : number) {
    if (c < '0' || c > '9') return StatusCode::kUnknown;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return status_code_from_number(value);
}

Status inferred(int http_status) {
  std::string message = "the response ended without grpc-status";
  if (http_status != 200) message += ", its HTTP status is " + std::to_string(http_status);
  return Status(status_code_from_http(http_status), std::move(message));
}

}  // namespace

StatusTrailers::StatusTrailers(const Status& status) {
  add({"grpc-status", kNumbers[static_cast<std::size_t>(status.code())]});
  if (status.ok()) return;
  if (!status.message().empty()) {
    if (is_percent_plain(status.message())) {
      add({"grpc-message", status.message()});
    } else {
      message_ = percent_encode(status.message());
      add({"grpc-message", message_});
    }
  }
  if (!status.details().empty()) {
    details_ = base64_encode(status.details());
    add({"grpc-status-details-bin", details_});
  }
}

Status status_from_trailers(std::span<const HeaderView> trailers, int http_status) {
  const std::optional<std::string_view> number = find(trailers, "grpc-status");
  if (!number) return inferred(http_status);
  const StatusCode code = code_from(*number);
  if (code == StatusCode::kOk) return Status(code, {}, {}, StatusOrigin::kPeer);

  std::string message = percent_decode(find(trailers, "grpc-message").value_or(std::string_view()));
  std::string details = base64_decode(find(trailers, "grpc-status-details-bin").value_or(std::string_view()))
                            .value_or(std::string());
  return Status(code, std::move(message), std::move(details), StatusOrigin::kPeer);
}

}  // namespace minigrpc::wire
