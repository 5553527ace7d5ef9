#include "store/record.h"

#include <minigrpc/result.h>

#include <cstring>
#include <limits>

namespace minigrpc::store {

namespace {

constexpr std::size_t kChecksumSize = 4;
// Bits of a live record's form.
constexpr std::uint64_t kValueInLog = 1;
constexpr std::uint64_t kAncestry = 2;

// Detects damage, not malice: each step maps the state one to one, so that a change within one word always
// shows.
class Checksum {
 public:
  Checksum() = default;
  explicit Checksum(std::uint64_t seed) { mix(seed); }
  void add(std::string_view bytes) {
    state_ ^= bytes.size();
    while (bytes.size() >= 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data(), 8);
      mix(word);
      bytes.remove_prefix(8);
    }
    if (!bytes.empty()) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), bytes.size());
      mix(word);
    }
  }
  std::uint32_t value() const { return static_cast<std::uint32_t>(state_ ^ (state_ >> 32)); }
  std::uint64_t all() const { return state_; }

 private:
  void mix(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15u;
    state_ ^= state_ >> 29;
  }
  std::uint64_t state_ = 0x6D696E6967727063u;
};

// A record's numbers come first, and its bytes behind them.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& number(std::uint64_t n) {
    detail::require(size_ + kNumberSizeMax <= sizeof(numbers_), "a record of more numbers");
    for (; n >= 0x80; n >>= 7) numbers_[size_++] = static_cast<char>(n | 0x80);
    numbers_[size_++] = static_cast<char>(n);
    return *this;
  }
  Writer& number(std::int64_t n) { return number(static_cast<std::uint64_t>(n)); }
  Writer& revision(Revision r) { return number(r.main).number(std::uint64_t{r.sub}); }
  void seal(std::string_view lmdb_key, std::string_view first = {}, std::string_view second = {}) {
    out_.assign(numbers_, size_);
    out_.append(first);
    out_.append(second);
    const std::uint32_t sum = record_checksum(lmdb_key, std::string_view(out_).substr(kChecksumSize));
    for (std::size_t i = 0; i < kChecksumSize; ++i) out_[i] = static_cast<char>(sum >> (8 * i));
  }

 private:
  static constexpr std::size_t kNumberSizeMax = 10;
  static constexpr std::size_t kNumbersMax = 13;

  std::string& out_;
  char numbers_[kChecksumSize + kNumbersMax * kNumberSizeMax];
  std::size_t size_ = kChecksumSize;
};

void store_big_endian(std::uint64_t number, char* at) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<char>(number >> (56 - 8 * i));
}

class Reader {
 public:
  Reader(std::string_view lmdb_key, std::string_view bytes) : rest_(bytes) {
    if (rest_.size() < kChecksumSize) {
      fail();
      return;
    }
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < kChecksumSize; ++i)
      sum |= std::uint32_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    rest_.remove_prefix(kChecksumSize);
    if (sum != record_checksum(lmdb_key, rest_)) fail();
  }

  std::uint64_t number() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      n |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return n;
    }
    fail();
    return 0;
  }
  std::int64_t signed_number() { return static_cast<std::int64_t>(number()); }
  // A count or a revision: never negative.
  std::int64_t natural() {
    const std::int64_t n = signed_number();
    if (n < 0) fail();
    return n;
  }
  Revision revision() {
    const std::int64_t main = natural();
    const std::uint64_t sub = number();
    if (sub > std::numeric_limits<std::uint32_t>::max()) fail();
    return {main, static_cast<std::uint32_t>(sub)};
  }
  std::string_view bytes(std::uint64_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest() { return bytes(rest_.size()); }
  void fail() {
    failed_ = true;
    rest_ = {};
  }
  // The whole record was read, and every part of it made sense.
  bool complete() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

std::uint64_t checksum(std::uint64_t seed, std::string_view bytes) {
  Checksum sum(seed);
  sum.add(bytes);
  return sum.all();
}

std::uint32_t record_checksum(std::string_view lmdb_key, std::string_view body) {
  Checksum sum;
  sum.add(lmdb_key);
  sum.add(body);
  return sum.value();
}

void encode(const LiveRecord& record, std::string_view lmdb_key, std::string& out) {
  Writer writer(out);
  writer.number(record.create_revision).revision(record.mod).number(record.version).number(record.lease);
  writer.number((record.value_in_log ? kValueInLog : 0) | (record.ancestry ? kAncestry : 0));
  if (const auto& of = record.ancestry)
    writer.number(of->depth)
        .revision(of->jump)
        .number(of->jump_depth)
        .revision(of->second)
        .number(of->second_depth);
  writer.seal(lmdb_key, record.value);
}

std::optional<LiveRecord> decode_live(std::string_view lmdb_key, std::string_view bytes) {
  Reader reader(lmdb_key, bytes);
  LiveRecord record;
  record.create_revision = reader.natural();
  record.mod = reader.revision();
  record.version = reader.natural();
  record.lease = reader.signed_number();
  const std::uint64_t form = reader.number();
  if (form > (kValueInLog | kAncestry)) reader.fail();
  if ((form & kAncestry) != 0) {
    Ancestry& of = record.ancestry.emplace();
    of.depth = reader.number();
    of.jump = reader.revision();
    of.jump_depth = reader.number();
    of.second = reader.revision();
    of.second_depth = reader.number();
  }
  record.value_in_log = (form & kValueInLog) != 0;
  if (!record.value_in_log) record.value = reader.rest();
  if (!reader.complete()) return std::nullopt;
  return record;
}

void encode(const DeadRecord& record, std::string_view lmdb_key, std::string& out) {
  Writer(out).revision(record.tombstone).seal(lmdb_key);
}

std::optional<DeadRecord> decode_dead(std::string_view lmdb_key, std::string_view bytes) {
  Reader reader(lmdb_key, bytes);
  DeadRecord record{reader.revision()};
  if (!reader.complete()) return std::nullopt;
  return record;
}

void encode(const LogRecord& record, std::string_view lmdb_key, std::string& out) {
  Writer writer(out);
  writer.number(std::uint64_t{record.type == EventType::kDelete});
  writer.number(record.create_revision).number(record.version).number(record.lease);
  writer.number(record.links.depth).revision(record.links.prev);
  writer.revision(record.links.jump).number(record.links.jump_depth);
  writer.number(std::uint64_t{record.key.size()}).seal(lmdb_key, record.key, record.value);
}

std::optional<LogRecord> decode_log(std::string_view lmdb_key, std::string_view bytes) {
  Reader reader(lmdb_key, bytes);
  LogRecord record;
  const std::uint64_t type = reader.number();
  if (type > 1) reader.fail();
  record.type = type == 1 ? EventType::kDelete : EventType::kPut;
  record.create_revision = reader.natural();
  record.version = reader.natural();
  record.lease = reader.signed_number();
  record.links.depth = reader.number();
  record.links.prev = reader.revision();
  record.links.jump = reader.revision();
  record.links.jump_depth = reader.number();
  record.key = reader.bytes(reader.number());
  record.value = reader.rest();
  if (!reader.complete()) return std::nullopt;
  return record;
}

void encode(const State& record, std::string_view lmdb_key, std::string& out) {
  Writer writer(out);
  writer.number(record.revision)
      .number(record.compact_revision)
      .revision(record.compact_cursor)
      .seal(lmdb_key);
}

std::optional<State> decode_state(std::string_view lmdb_key, std::string_view bytes) {
  Reader reader(lmdb_key, bytes);
  State record;
  record.revision = reader.natural();
  record.compact_revision = reader.natural();
  record.compact_cursor = reader.revision();
  if (!reader.complete()) return std::nullopt;
  return record;
}

void encode(const LeaseRecord& record, std::string_view lmdb_key, std::string& out) {
  Writer(out).number(record.ttl_s).seal(lmdb_key);
}

std::optional<LeaseRecord> decode_lease(std::string_view lmdb_key, std::string_view bytes) {
  Reader reader(lmdb_key, bytes);
  LeaseRecord record{reader.natural()};
  if (!reader.complete()) return std::nullopt;
  return record;
}

void encode(const PlainRecord& record, std::string_view lmdb_key, std::string& out) {
  Writer(out).seal(lmdb_key, record.bytes);
}

std::optional<PlainRecord> decode_plain(std::string_view lmdb_key, std::string_view bytes) {
  Reader reader(lmdb_key, bytes);
  PlainRecord record{reader.rest()};
  if (!reader.complete()) return std::nullopt;
  return record;
}

std::string log_key(Revision revision) {
  char key[12];
  store_big_endian(static_cast<std::uint64_t>(revision.main), key);
  for (int i = 0; i < 4; ++i) key[8 + i] = static_cast<char>(revision.sub >> (24 - 8 * i));
  return std::string(key, sizeof(key));
}

std::optional<Revision> decode_log_key(std::string_view bytes) {
  if (bytes.size() != 12) return std::nullopt;
  Revision revision{static_cast<std::int64_t>(decode_big_endian(bytes.substr(0, 8))), 0};
  if (revision.main < 0) return std::nullopt;
  for (const char byte : bytes.substr(8)) revision.sub = revision.sub << 8 | static_cast<unsigned char>(byte);
  return revision;
}

std::string lease_key(LeaseId id) {
  std::string key;
  append_big_endian(static_cast<std::uint64_t>(id), key);
  return key;
}

std::optional<LeaseId> decode_lease_key(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return static_cast<LeaseId>(decode_big_endian(bytes));
}

void append_big_endian(std::uint64_t number, std::string& out) {
  char bytes[8];
  store_big_endian(number, bytes);
  out.append(bytes, sizeof(bytes));
}

std::uint64_t decode_big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace minigrpc::store
