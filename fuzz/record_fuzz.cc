#include <string>

#include "fuzz/target.h"
#include "store/record.h"

using namespace minigrpc;

namespace {

constexpr std::string_view kKey = "key";

// What decodes is encoded again, and then decodes to the same: nothing of it was misread.
template <class Record>
void check(std::optional<Record> (*decode)(std::string_view, std::string_view), std::string_view bytes) {
  const std::optional<Record> record = decode(kKey, bytes);
  if (!record) return;
  std::string again;
  encode(*record, kKey, again);
  const std::optional<Record> copy = decode(kKey, again);
  fuzz::expect(copy.has_value(), "what was encoded decodes");
  std::string third;
  encode(*copy, kKey, third);
  fuzz::expect(third == again, "encoding is the inverse of decoding");
  fuzz::expect(again.size() <= bytes.size(), "the shortest form is what we write");
}

void check_all(std::string_view bytes) {
  check(store::decode_live, bytes);
  check(store::decode_dead, bytes);
  check(store::decode_log, bytes);
  check(store::decode_state, bytes);
  check(store::decode_lease, bytes);
}

}  // namespace

// The bytes as a record, and as the body of one whose checksum is right.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = fuzz::text_of(data, size);
  check_all(body);
  const std::uint32_t sum = store::record_checksum(kKey, body);
  std::string sealed;
  for (int shift = 0; shift < 32; shift += 8) sealed.push_back(static_cast<char>(sum >> shift));
  check_all(sealed.append(body));
  store::decode_log_key(body);
  store::decode_lease_key(body);
  return 0;
}
