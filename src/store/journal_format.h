// The journal's bytes: what a commit appends to a segment, and how it is found again after a crash.
//
// Pure. Thread rule: free functions. What is decoded borrows from the bytes that it was decoded from.
//
//   segment = header at 0, its copy at 4096, batches from 8192 on       the copy outlives a bad sector
//   header  = magic cluster member nonce first_sequence checksum        8 bytes each
//   batch   = sequence size checksum body, padded to 512 bytes          sequence, size, checksum: 8 bytes
//   each body    = change* change  = kind table key-size key [value-size value]                kind, table:
//   one byte; sizes: LEB128 Numbers are little-endian unless said otherwise. A batch's checksum covers its
//   segment's nonce, too.
//
// A segment is written over and over. Its nonce is drawn anew each time and told to nobody, so what is left
// of an earlier use does not pass for a batch of this one, nor does a value that a client made up. A batch is
// appended after the one before it is on the disk, and shares no sector with it: only the last one can be
// torn.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace minigrpc::store {

inline constexpr std::size_t kJournalAlignment = 512;
inline constexpr std::size_t kJournalHeaderSize = 48;
inline constexpr std::size_t kJournalHeaderCopyOffset = 4096;
inline constexpr std::size_t kJournalBatchesOffset = 8192;
inline constexpr std::size_t kJournalBatchHeaderSize = 24;

struct JournalHeader {
  Identity identity;
  std::uint64_t nonce = 0;
  std::uint64_t first_sequence = 0;  // of the segment's first batch; each of the next is one more
};

// All that comes before the first batch.
std::string encode_journal_header(const JournalHeader& header);
// nullopt: neither the header nor its copy is intact.
std::optional<JournalHeader> decode_journal_header(std::string_view segment);

// Changes to LMDB's tables as bytes, gathered in order.
class JournalBatch {
 public:
  JournalBatch() { clear(); }
  void put(unsigned table, std::string_view key, std::string_view value);
  void erase(unsigned table, std::string_view key);
  void clear() { bytes_.assign(kJournalBatchHeaderSize, '\0'); }
  bool empty() const { return bytes_.size() == kJournalBatchHeaderSize; }
  // The whole of it, as it is written. Borrowed until the next call.
  std::string_view seal(std::uint64_t sequence, std::uint64_t nonce);

 private:
  void change(char kind, unsigned table, std::string_view key);
  void bytes(std::string_view bytes);
  std::string bytes_;
};

struct JournalChange {
  unsigned table = 0;
  std::string_view key;
  std::optional<std::string_view> value;  // none: erased
};

// The changes of a body; nullopt when it does not decode.
std::optional<std::vector<JournalChange>> decode_journal_body(std::string_view body);

struct JournalEntry {
  std::uint64_t sequence = 0;
  std::string_view body;
};

// The batches after `applied`, in order, that the segments of one journal hold. A torn batch at the end is
// none: nobody was told that it is there. DATA_LOSS when a batch is missing or damaged that somebody was told
// of, FAILED_PRECONDITION when the journal is that of another database.
Result<std::vector<JournalEntry>> journal_entries_after(std::uint64_t applied, const Identity& identity,
                                                        std::span<const std::string_view> segments);

}  // namespace minigrpc::store
