#include "rpc/load_report.h"

#include <minigrpc/server_context.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace minigrpc {

namespace rpc {

namespace {

// Of protobuf's wire format, what such a message is made of.
enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  WireType type{};
  std::uint64_t value = 0;   // of kLengthDelimited: the size
  std::string_view bytes{};  // of kLengthDelimited
};

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

// The next field; false where there is none.
bool take_field(std::string_view& bytes, Field& field) {
  std::uint64_t tag = 0;
  if (!take_varint(bytes, tag) || tag >> 3 == 0) return false;
  field.number = tag >> 3;
  field.type = static_cast<WireType>(tag & 7);
  switch (field.type) {
    case WireType::kVarint:
      return take_varint(bytes, field.value);
    case WireType::kFixed64:
      return take_fixed(bytes, 8, field.value);
    case WireType::kFixed32:
      return take_fixed(bytes, 4, field.value);
    case WireType::kLengthDelimited:
      if (!take_varint(bytes, field.value) || field.value > bytes.size()) return false;
      field.bytes = bytes.substr(0, static_cast<std::size_t>(field.value));
      bytes.remove_prefix(field.bytes.size());
      return true;
  }
  return false;  // groups, and what is no wire type
}

double number_of(const Field& field) {
  const double number = std::bit_cast<double>(field.value);
  return std::isfinite(number) && number >= 0 ? number : 0;
}

// An entry of a map: the name is field 1, the number field 2.
bool take_entry(std::string_view bytes, LoadReport::Numbers& numbers) {
  std::string_view name;
  double number = 0;
  while (!bytes.empty()) {
    Field field;
    if (!take_field(bytes, field)) return false;
    if (field.number == 1 && field.type == WireType::kLengthDelimited) name = field.bytes;
    if (field.number == 2 && field.type == WireType::kFixed64) number = number_of(field);
  }
  numbers.insert_or_assign(std::string(name), number);
  return true;
}

// Both name what is in `report`; null for what is not.
double* number_at(LoadReport& report, std::uint64_t number) {
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

LoadReport::Numbers* numbers_at(LoadReport& report, std::uint64_t number) {
  switch (number) {
    case 4:
      return &report.request_cost;
    case 5:
      return &report.utilization;
    case 8:
      return &report.named_metrics;
    default:
      return nullptr;
  }
}

void put_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  bytes += static_cast<char>(value);
}

void put_tag(std::string& bytes, std::uint64_t number, WireType type) {
  put_varint(bytes, number << 3 | static_cast<std::uint64_t>(type));
}

void put_bytes(std::string& bytes, std::uint64_t number, std::string_view value) {
  put_tag(bytes, number, WireType::kLengthDelimited);
  put_varint(bytes, value.size());
  bytes += value;
}

void put_number(std::string& bytes, std::uint64_t number, double value) {
  put_tag(bytes, number, WireType::kFixed64);
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(std::bit_cast<std::uint64_t>(value) >> (8 * i));
}

}  // namespace

std::optional<LoadReport> parse_load_report(std::string_view bytes) {
  LoadReport report;
  while (!bytes.empty()) {
    Field field;
    if (!take_field(bytes, field)) return std::nullopt;
    if (field.type == WireType::kFixed64) {
      if (double* number = number_at(report, field.number)) *number = number_of(field);
    } else if (field.type == WireType::kLengthDelimited) {
      LoadReport::Numbers* numbers = numbers_at(report, field.number);
      if (numbers != nullptr && !take_entry(field.bytes, *numbers)) return std::nullopt;
    }
  }
  return report;
}

std::string serialize_load_report(const LoadReport& report) {
  LoadReport fields = report;
  std::string bytes;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    if (const double* number = number_at(fields, i); number != nullptr && *number != 0)
      put_number(bytes, i, *number);
    const LoadReport::Numbers* numbers = numbers_at(fields, i);
    if (numbers == nullptr) continue;
    for (const auto& [name, value] : *numbers) {
      std::string entry;
      put_bytes(entry, 1, name);
      put_number(entry, 2, value);
      put_bytes(bytes, i, entry);
    }
  }
  return bytes;
}

std::string serialize_load_request(std::chrono::nanoseconds period) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(period);
  std::string duration;
  put_tag(duration, 1, WireType::kVarint);
  put_varint(duration, static_cast<std::uint64_t>(seconds.count()));
  put_tag(duration, 2, WireType::kVarint);
  put_varint(duration, static_cast<std::uint64_t>((period - seconds).count()));
  std::string bytes;
  put_bytes(bytes, 1, duration);
  return bytes;
}

}  // namespace rpc

void report_load(ServerContext& context, const LoadReport& report) {
  context.trailers().add(std::string(rpc::kLoadReportHeader), rpc::serialize_load_report(report));
}

}  // namespace minigrpc
