#include "rpc/load_report.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace minigrpc::rpc {

namespace {

// Of protobuf's wire format, what such a message is made of.
enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

bool take_varint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7fu) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool take_fixed(std::string_view& bytes, std::size_t size, std::uint64_t& value) {
  if (bytes.size() < size) return false;
  value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  bytes.remove_prefix(size);
  return true;
}

bool take_value(std::string_view& bytes, WireType type, std::uint64_t& value) {
  switch (type) {
    case WireType::kVarint:
      return take_varint(bytes, value);
    case WireType::kFixed64:
      return take_fixed(bytes, 8, value);
    case WireType::kFixed32:
      return take_fixed(bytes, 4, value);
    case WireType::kLengthDelimited:
      if (!take_varint(bytes, value) || value > bytes.size()) return false;
      bytes.remove_prefix(static_cast<std::size_t>(value));
      return true;
  }
  return false;  // groups, and what is no wire type
}

double* field_of(LoadReport& report, std::uint64_t number) {
  switch (number) {
    case 1:
      return &report.cpu_utilization;
    case 2:
      return &report.memory_utilization;
    case 6:
      return &report.requests_per_second;
    case 7:
      return &report.errors_per_second;
    case 9:
      return &report.application_utilization;
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<LoadReport> parse_load_report(std::string_view bytes) {
  LoadReport report;
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t value = 0;
    if (!take_varint(bytes, tag) || tag >> 3 == 0) return std::nullopt;
    const auto type = static_cast<WireType>(tag & 7);
    if (!take_value(bytes, type, value)) return std::nullopt;
    double* field = type == WireType::kFixed64 ? field_of(report, tag >> 3) : nullptr;
    if (field == nullptr) continue;
    const double number = std::bit_cast<double>(value);
    *field = std::isfinite(number) && number >= 0 ? number : 0;
  }
  return report;
}

}  // namespace minigrpc::rpc
