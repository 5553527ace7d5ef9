#include "rpc/header_list.h"

#include "wire/base64.h"
#include "wire/metadata_rules.h"

namespace minigrpc::rpc {

void HeaderList::spill(HeaderView field) {
  if (overflow_.empty()) overflow_.assign(inline_, inline_ + count_);
  overflow_.push_back(field);
}

Status HeaderList::add_metadata(const Metadata& metadata) {
  for (const Metadata::Entry& entry : metadata) {
    if (!wire::is_legal_metadata_name(entry.name))
      return Status(StatusCode::kInternal,
                    "metadata name '" + entry.name + "' is not legal: use lower-case letters, digits, '-', '_', '.'");
    if (wire::is_reserved_metadata_name(entry.name))
      return Status(StatusCode::kInternal, "metadata name '" + entry.name + "' is reserved");
    if (wire::is_binary_metadata_name(entry.name)) {
      encoded_.push_front(wire::base64_encode(entry.value));
      add({entry.name, encoded_.front()});
      continue;
    }
    if (!wire::is_legal_metadata_value(entry.value))
      return Status(StatusCode::kInternal,
                    "the value of metadata '" + entry.name + "' is not printable ASCII: use a name that ends in -bin");
    add({entry.name, wire::trim_metadata_value(entry.value)});
  }
  return Status();
}

bool receive_metadata(HeaderView field, Metadata& metadata) {
  if (wire::is_transport_header(field.name)) return true;
  if (!wire::is_binary_metadata_name(field.name)) {
    metadata.add(field.name, field.value);
    return true;
  }
  const auto values = wire::base64_decode_list(field.value);
  if (!values) return false;
  for (const std::string& value : *values) metadata.add(field.name, value);
  return true;
}

}  // namespace minigrpc::rpc
