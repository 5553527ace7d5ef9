#include <minigrpc/discovery.h>

#include <algorithm>

#include "base/limits.h"
#include "fuzz/target.h"

using namespace minigrpc;

// A value that anybody has put into the registry, in whatever format.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Result<discovery::Instance> instance = discovery::parse_instance(fuzz::text_of(data, size));
  if (!instance) {
    fuzz::expect(instance.error().code() == StatusCode::kInvalidArgument, "a refusal is INVALID_ARGUMENT");
    return 0;
  }
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  fuzz::expect(!instance->address.empty() && std::ranges::all_of(instance->address, printable),
               "an address is printable");
  fuzz::expect(instance->weight > 0, "every instance has a share");

  // Ours can say what any format says.
  const std::string written = discovery::format_instance(*instance);
  if (written.size() > limits::kInstanceValueSizeMax) return 0;
  Result<discovery::Instance> again = discovery::parse_instance(written);
  instance->format = discovery::Format::kEtcd;
  fuzz::expect(again && *again == *instance, "what was written is read back");
  return 0;
}
