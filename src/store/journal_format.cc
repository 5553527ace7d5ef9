#include "store/journal_format.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "store/record.h"

namespace minigrpc::store {

namespace {

constexpr std::string_view kMagic = "mgjrnl01";
constexpr char kPut = 1;
constexpr char kErase = 2;

std::size_t padded(std::size_t size) {
  return (size + kJournalAlignment - 1) / kJournalAlignment * kJournalAlignment;
}

void store_number(std::uint64_t number, char* at) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<char>(number >> (8 * i));
}
std::uint64_t load_number(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  for (int i = 7; i >= 0; --i)
    number = number << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return number;
}

std::uint64_t batch_checksum(std::uint64_t nonce, std::uint64_t sequence, std::string_view body) {
  return checksum(checksum(nonce, {}) ^ sequence, body);
}

std::optional<JournalHeader> header_at(std::string_view segment, std::size_t offset) {
  if (segment.size() < offset + kJournalHeaderSize) return std::nullopt;
  const std::string_view bytes = segment.substr(offset, kJournalHeaderSize);
  if (!bytes.starts_with(kMagic) || load_number(bytes, 40) != checksum(0, bytes.substr(0, 40)))
    return std::nullopt;
  return JournalHeader{
      {load_number(bytes, 8), load_number(bytes, 16)}, load_number(bytes, 24), load_number(bytes, 32)};
}

// nullopt: no intact batch begins here.
std::optional<JournalEntry> batch_at(std::string_view segment, std::size_t offset, std::uint64_t nonce) {
  if (offset > segment.size() || segment.size() - offset < kJournalBatchHeaderSize) return std::nullopt;
  const std::uint64_t sequence = load_number(segment, offset);
  const std::uint64_t size = load_number(segment, offset + 8);
  if (size == 0 || size > segment.size() - offset - kJournalBatchHeaderSize) return std::nullopt;
  const std::string_view body = segment.substr(offset + kJournalBatchHeaderSize, size);
  if (load_number(segment, offset + 16) != batch_checksum(nonce, sequence, body)) return std::nullopt;
  return JournalEntry{sequence, body};
}

Status journal_damaged(const std::string& what) {
  return {StatusCode::kDataLoss, "the journal is damaged (" + what + ")"};
}

// A sequence that no intact batch of this segment can have, unless a damaged one lies before it. Looking at
// every place where one may begin costs a checksum only where the number and the size make sense.
bool later_batch_exists(std::string_view segment, std::size_t offset, std::uint64_t nonce, std::uint64_t from,
                        std::uint64_t to) {
  for (; offset + kJournalBatchHeaderSize <= segment.size(); offset += kJournalAlignment) {
    const std::uint64_t sequence = load_number(segment, offset);
    if (sequence >= from && sequence <= to && batch_at(segment, offset, nonce)) return true;
  }
  return false;
}

struct Segment {
  JournalHeader header;
  std::vector<JournalEntry> entries;
};

Result<Segment> read_segment(std::uint64_t applied, const JournalHeader& header, std::string_view bytes) {
  Segment segment{header, {}};
  std::size_t offset = kJournalBatchesOffset;
  std::uint64_t next = header.first_sequence;
  for (;; ++next) {
    const std::optional<JournalEntry> entry = batch_at(bytes, offset, header.nonce);
    if (!entry || entry->sequence != next) break;
    if (next > applied) segment.entries.push_back(*entry);
    offset += padded(kJournalBatchHeaderSize + entry->body.size());
  }
  // Every batch takes its place on the disk, so a segment cannot hold more of them than it has places.
  const std::uint64_t last = next + bytes.size() / kJournalAlignment;
  if (later_batch_exists(bytes, offset, header.nonce, std::max(next, applied + 1), last))
    return journal_damaged("batch " + std::to_string(next) + " does not decode, and later ones do");
  return segment;
}

class BodyReader {
 public:
  explicit BodyReader(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }
  std::optional<unsigned> byte() {
    if (rest_.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  std::optional<std::string_view> sized() {
    std::uint64_t size = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::optional<unsigned> part = byte();
      if (!part || (shift == 63 && *part > 1)) return std::nullopt;
      size |= std::uint64_t{*part & 0x7Fu} << shift;
      if (*part < 0x80) break;
    }
    if (size > rest_.size()) return std::nullopt;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

 private:
  std::string_view rest_;
};

}  // namespace

std::string encode_journal_header(const JournalHeader& header) {
  std::string bytes(kJournalBatchesOffset, '\0');
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  store_number(header.identity.cluster_id, bytes.data() + 8);
  store_number(header.identity.member_id, bytes.data() + 16);
  store_number(header.nonce, bytes.data() + 24);
  store_number(header.first_sequence, bytes.data() + 32);
  store_number(checksum(0, std::string_view(bytes).substr(0, 40)), bytes.data() + 40);
  std::memcpy(bytes.data() + kJournalHeaderCopyOffset, bytes.data(), kJournalHeaderSize);
  return bytes;
}

std::optional<JournalHeader> decode_journal_header(std::string_view segment) {
  const std::optional<JournalHeader> first = header_at(segment, 0);
  const std::optional<JournalHeader> copy = header_at(segment, kJournalHeaderCopyOffset);
  // A power cut while a segment was begun anew may leave one of the last use, of which nothing is wanted any
  // more.
  if (first && copy) return first->first_sequence >= copy->first_sequence ? first : copy;
  return first ? first : copy;
}

void JournalBatch::change(char kind, unsigned table, std::string_view key) {
  bytes_.push_back(kind);
  bytes_.push_back(static_cast<char>(table));
  bytes(key);
}

void JournalBatch::bytes(std::string_view bytes) {
  std::size_t size = bytes.size();
  for (; size >= 0x80; size >>= 7) bytes_.push_back(static_cast<char>(size | 0x80));
  bytes_.push_back(static_cast<char>(size));
  bytes_.append(bytes);
}

void JournalBatch::put(unsigned table, std::string_view key, std::string_view value) {
  change(kPut, table, key);
  bytes(value);
}

void JournalBatch::erase(unsigned table, std::string_view key) { change(kErase, table, key); }

std::string_view JournalBatch::seal(std::uint64_t sequence, std::uint64_t nonce) {
  const std::string_view body = std::string_view(bytes_).substr(kJournalBatchHeaderSize);
  const std::size_t size = body.size();
  const std::uint64_t sum = batch_checksum(nonce, sequence, body);
  bytes_.resize(padded(bytes_.size()));
  store_number(sequence, bytes_.data());
  store_number(size, bytes_.data() + 8);
  store_number(sum, bytes_.data() + 16);
  return bytes_;
}

std::optional<std::vector<JournalChange>> decode_journal_body(std::string_view body) {
  std::vector<JournalChange> changes;
  for (BodyReader reader(body); !reader.at_end();) {
    const std::optional<unsigned> kind = reader.byte();
    const std::optional<unsigned> table = reader.byte();
    const std::optional<std::string_view> key = reader.sized();
    if (!table || !key || key->empty()) return std::nullopt;
    JournalChange change{*table, *key, std::nullopt};
    if (*kind == static_cast<unsigned>(kPut)) {
      change.value = reader.sized();
      if (!change.value) return std::nullopt;
    } else if (*kind != static_cast<unsigned>(kErase)) {
      return std::nullopt;
    }
    changes.push_back(change);
  }
  return changes;
}

Result<std::vector<JournalEntry>> journal_entries_after(std::uint64_t applied, const Identity& identity,
                                                        std::span<const std::string_view> segments) {
  std::vector<Segment> found;
  for (const std::string_view bytes : segments) {
    const std::optional<JournalHeader> header = decode_journal_header(bytes);
    if (!header) continue;
    if (header->identity != identity)
      return Status(StatusCode::kFailedPrecondition, "the journal is that of another database");
    Result<Segment> segment = read_segment(applied, *header, bytes);
    if (!segment) return segment.error();
    found.push_back(std::move(*segment));
  }
  std::sort(found.begin(), found.end(), [](const Segment& a, const Segment& b) {
    return a.header.first_sequence < b.header.first_sequence;
  });
  std::vector<JournalEntry> entries;
  for (const Segment& segment : found) {
    for (const JournalEntry& entry : segment.entries) {
      const std::uint64_t expected = applied + 1 + entries.size();
      if (entry.sequence != expected)
        return journal_damaged("batch " + std::to_string(expected) + " is missing");
      entries.push_back(entry);
    }
  }
  return entries;
}

}  // namespace minigrpc::store
