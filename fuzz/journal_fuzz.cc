#include <string>

#include "fuzz/target.h"
#include "store/journal_format.h"

using namespace minigrpc;

namespace {

constexpr store::Identity kIdentity{1, 2};

// What decodes is encoded again, and then decodes to the same.
void check_body(std::string_view body) {
  const auto changes = store::decode_journal_body(body);
  if (!changes || changes->empty()) return;
  store::JournalBatch batch;
  for (const store::JournalChange& change : *changes) {
    if (change.value)
      batch.put(change.table, change.key, *change.value);
    else
      batch.erase(change.table, change.key);
  }
  const std::string segment = store::encode_journal_header({kIdentity, 3, 7}) + std::string(batch.seal(7, 3));
  const std::string_view one = segment;
  const auto entries = store::journal_entries_after(6, kIdentity, {&one, 1});
  fuzz::expect(entries.has_value() && entries->size() == 1, "what was encoded is found");
  const auto again = store::decode_journal_body(entries->front().body);
  fuzz::expect(again && again->size() == changes->size(), "and decodes");
  for (std::size_t i = 0; i < changes->size(); ++i)
    fuzz::expect((*again)[i].key == (*changes)[i].key && (*again)[i].value == (*changes)[i].value &&
                     (*again)[i].table == (*changes)[i].table,
                 "to the same changes");
}

void check_segment(std::string_view bytes) {
  const auto entries = store::journal_entries_after(6, kIdentity, {&bytes, 1});
  if (!entries) return;
  std::uint64_t expected = 7;
  for (const store::JournalEntry& entry : *entries) {
    fuzz::expect(entry.sequence == expected++, "batches follow on each other");
    check_body(entry.body);
  }
}

}  // namespace

// The bytes as a segment, as what follows an intact header, and as the body of an intact batch.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  check_segment(bytes);
  check_segment(store::encode_journal_header({kIdentity, 3, 7}).append(bytes));
  check_body(bytes);
  return 0;
}
