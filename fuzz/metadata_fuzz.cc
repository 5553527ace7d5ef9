#include "fuzz/target.h"
#include "wire/metadata_codec.h"
#include "wire/metadata_rules.h"

using namespace minigrpc;

namespace {

bool carries(std::string_view name, std::string_view value) {
  const Metadata sent{{std::string(name), std::string(value)}};
  if (!wire::check_metadata(sent).ok()) return true;
  std::string storage;
  Metadata received;
  const Status status = wire::append_received(wire::encode_metadata(*sent.begin(), storage), received);
  const std::string_view expected =
      wire::is_binary_metadata_name(name) ? value : wire::trim_metadata_value(value);
  return status.ok() && received.size() == 1 && received.get(name) == expected;
}

}  // namespace

// A name, a line feed, a value: as it is received, and as it would be sent.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const std::size_t name_size = text.find('\n');
  if (name_size == std::string_view::npos) return 0;
  const std::string_view name = text.substr(0, name_size);
  const std::string_view value = text.substr(name_size + 1);

  Metadata received;
  const Status status = wire::append_received({name, value}, received);
  fuzz::expect(status.ok() || received.empty(), "a refused header leaves nothing behind");
  fuzz::expect(!wire::is_transport_header(name) || received.empty(), "the transport's headers are not shown");
  fuzz::expect(carries(name, value), "what may be sent arrives");
  return 0;
}
