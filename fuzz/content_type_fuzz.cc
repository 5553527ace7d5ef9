#include "fuzz/target.h"
#include "wire/status_mapping.h"

using namespace minigrpc;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const std::optional<std::string_view> subtype = wire::grpc_content_subtype(text);
  if (wire::is_grpc_proto_content_type(text)) {
    fuzz::expect(subtype && (subtype->empty() || subtype->size() == 5), "protobuf is a subtype of gRPC");
  }
  if (subtype) {
    fuzz::expect(subtype->empty() || (subtype->data() >= text.data() &&
                                      subtype->data() + subtype->size() <= text.data() + text.size()),
                 "the subtype lies in the text");
    fuzz::expect(subtype->find(';') == std::string_view::npos, "parameters are no part of the subtype");
  }
  return 0;
}
