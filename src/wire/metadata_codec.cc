#include "wire/metadata_codec.h"

#include <optional>
#include <vector>

#include "wire/base64.h"
#include "wire/metadata_rules.h"

namespace minigrpc::wire {

namespace {

Status refused(const Metadata::Entry& entry, const char* why) {
  return Status(StatusCode::kInternal, "metadata '" + entry.name + "' cannot be sent: " + why);
}

}  // namespace

Status check_metadata(const Metadata& metadata) {
  for (const Metadata::Entry& entry : metadata) {
    if (is_reserved_metadata_name(entry.name)) return refused(entry, "the name is reserved");
    if (!is_legal_metadata_name(entry.name)) return refused(entry, "a name is made of 0-9 a-z _ - .");
    if (!is_binary_metadata_name(entry.name) && !is_legal_metadata_value(entry.value)) {
      return refused(entry, "its value is not printable ASCII, and its name does not end in -bin");
    }
  }
  return Status();
}

HeaderView encode_metadata(const Metadata::Entry& entry, std::string& storage) {
  if (!is_binary_metadata_name(entry.name)) return {entry.name, trim_metadata_value(entry.value)};
  storage = base64_encode(entry.value);
  return {entry.name, storage};
}

Status append_received(HeaderView header, Metadata& metadata) {
  if (is_transport_header(header.name)) return Status();
  if (!is_binary_metadata_name(header.name)) {
    metadata.add(header.name, trim_metadata_value(header.value));
    return Status();
  }
  const std::optional<std::vector<std::string>> values = base64_decode_list(header.value);
  if (!values) {
    return Status(StatusCode::kInternal, "metadata '" + std::string(header.name) + "' is not valid base64");
  }
  for (const std::string& value : *values) metadata.add(header.name, value);
  return Status();
}

}  // namespace minigrpc::wire
