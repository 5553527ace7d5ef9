#include "store/checkpoints.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace minigrpc::store {

namespace {

constexpr std::string_view kAppliedKey = "applied";
// How long a checkpoint that found no room waits for the next try, unless somebody asks.
constexpr std::chrono::seconds kRetryAfter{1};
constexpr std::size_t kSpareSizeMin = std::size_t{1} << 20;

}  // namespace

Status write_applied(lmdb::Txn& txn, const Tables& tables, std::uint64_t sequence) {
  std::string bytes;
  append_big_endian(sequence, bytes);
  return txn.put(tables.meta, kAppliedKey, bytes);
}

Result<std::uint64_t> read_applied(const lmdb::Txn& txn, const Tables& tables) {
  Result<std::optional<std::string_view>> bytes = txn.get(tables.meta, kAppliedKey);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) return 0;
  if ((*bytes)->size() != 8) return damaged(kAppliedKey);
  return decode_big_endian(**bytes);
}

Result<std::uint64_t> replay_journal(lmdb::Txn& txn, const Tables& tables, const Journal& journal,
                                     const Identity& identity) {
  Result<std::uint64_t> applied = read_applied(txn, tables);
  if (!applied) return applied;
  Result<std::array<std::string, 2>> segments = journal.read();
  if (!segments) return segments.error();
  const std::array<std::string_view, 2> views{(*segments)[0], (*segments)[1]};
  Result<std::vector<JournalEntry>> entries = journal_entries_after(*applied, identity, views);
  if (!entries)
    return Status(entries.error().code(),
                  entries.error().message() +
                      "; without journal.0 and journal.1 the database opens, and lacks what was "
                      "written since the last checkpoint");
  for (const JournalEntry& entry : *entries) {
    const std::optional<std::vector<JournalChange>> changes = decode_journal_body(entry.body);
    if (!changes) return damaged("a batch of the journal");
    for (const JournalChange& change : *changes) {
      if (!tables.has(change.table)) return damaged("a batch of the journal");
      const Status status = change.value ? txn.put(change.table, change.key, *change.value)
                                         : txn.erase(change.table, change.key).status();
      if (!status.ok()) return status;
    }
    applied = entry.sequence;
  }
  if (!entries->empty())
    if (Status status = write_applied(txn, tables, *applied); !status.ok()) return status;
  return applied;
}

Checkpoints::Checkpoints(const lmdb::Env& env, const Tables& tables, Journal journal,
                         const CheckpointOptions& options)
    : env_(env), tables_(tables), options_(options), journal_(std::move(journal)), applied_(options.applied) {
  layers_.active = std::make_shared<Overlay>();
  layers_.sequence = options.applied;
  frozen_sequence_ = options.applied;
  thread_ = std::thread([this] { run(); });
}

Checkpoints::~Checkpoints() { stop(); }

void Checkpoints::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

Layers Checkpoints::layers() const {
  const std::lock_guard lock(mutex_);
  return layers_;
}

Status Checkpoints::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

// With the lock held, where can_freeze().
void Checkpoints::freeze() {
  wanted_ = false;
  journal_.rotate();
  spare_goal_ = journal_.spare_size();
  frozen_sequence_ = layers_.sequence;
  if (layers_.active->empty()) return;
  layers_.frozen = std::exchange(layers_.active, std::make_shared<Overlay>());
  work_.notify_one();
}

Result<TableTxn> Checkpoints::begin() {
  Layers layers;
  {
    Lock lock(mutex_);
    if (!failure_.ok()) return failure_;
    // Memory is bounded: an overlay may become twice as large as it should while the one before it is on its
    // way.
    if (journal_.size() >= 2 * options_.journal_size && layers_.frozen) {
      retry_ = true;
      work_.notify_one();
      const std::uint64_t attempts = attempts_;
      attempt_.wait(lock, [&] { return attempts_ != attempts; });
      if (!failure_.ok()) return failure_;
      if (layers_.frozen) return trouble_;
    }
    if ((wanted_ || full()) && can_freeze()) freeze();
    batch_is_open_ = true;
    layers = layers_;
  }
  Result<lmdb::Txn> base = env_.begin_read();
  if (!base) {
    end();
    return base.error();
  }
  batch_.clear();
  return TableTxn(std::move(*base), std::move(layers), &batch_, options_.faults);
}

Status Checkpoints::commit(TableTxn& txn) {
  const std::uint64_t sequence = txn.layers().sequence;
  if (Status status = journal_.append(batch_, sequence, options_.identity); !status.ok()) {
    // Perhaps there is room in the other segment, once LMDB has what it holds.
    if (status.code() == StatusCode::kResourceExhausted) request();
    return status;
  }
  txn.keep();
  const std::lock_guard lock(mutex_);
  if (!gathers()) {
    gathers_since_ = std::chrono::steady_clock::now();
    work_.notify_one();
  }
  layers_.sequence = sequence;
  // The spare segment keeps ahead of this one.
  if (journal_.size() * 2 > std::max(spare_goal_, kSpareSizeMin) && spare_goal_ < options_.journal_size) {
    spare_goal_ =
        std::clamp(journal_.size() * 4, kSpareSizeMin, std::max(kSpareSizeMin, options_.journal_size));
    spare_wanted_ = true;
    work_.notify_one();
  }
  return {};
}

void Checkpoints::end() {
  const std::lock_guard lock(mutex_);
  batch_is_open_ = false;
  if (wanted_ && can_freeze()) freeze();
}

void Checkpoints::request() {
  const std::lock_guard lock(mutex_);
  wanted_ = true;
}

Status Checkpoints::checkpoint() {
  Lock lock(mutex_);
  const std::uint64_t wanted = layers_.sequence;
  while (applied_ < wanted && failure_.ok()) {
    // Where it cannot be frozen now it will be at the end of what is in the way.
    if (!layers_.frozen) wanted_ = true;
    if (can_freeze()) freeze();
    retry_ = true;
    work_.notify_one();
    const std::uint64_t attempts = attempts_;
    attempt_.wait(lock, [&] { return attempts_ != attempts; });
    if (!trouble_.ok()) return trouble_;
  }
  return failure_;
}

Status Checkpoints::close() {
  if (Status status = checkpoint(); !status.ok()) return status;
  stop();
  return journal_.clear();
}

void Checkpoints::run() {
  Lock lock(mutex_);
  while (failure_.ok()) {
    wait_for_work(lock);
    if (stopping_) return;
    if (layers_.frozen)
      attempt(lock);
    else if (spare_wanted_)
      allocate_spare(lock);
  }
}

void Checkpoints::wait_for_work(Lock& lock) {
  const auto is_work = [this] { return stopping_ || layers_.frozen || spare_wanted_; };
  const auto is_timed = [this] { return gathers() && !wanted_; };
  work_.wait(lock, [&] { return is_work() || is_timed(); });
  if (is_work() || work_.wait_until(lock, gathers_since_ + options_.journal_time, [&] { return is_work() || !is_timed(); })) return;
  wanted_ = true;
  if (can_freeze()) freeze();
}

void Checkpoints::allocate_spare(Lock& lock) {
  const std::size_t size = spare_goal_;
  spare_wanted_ = false;
  allocating_ = true;
  lock.unlock();
  // Where there is no room for it the segment will grow, or not, when it is used.
  (void)journal_.allocate_spare(size);
  lock.lock();
  allocating_ = false;
  if (wanted_ && can_freeze()) freeze();
}

void Checkpoints::attempt(Lock& lock) {
  if (!trouble_.ok()) work_.wait_for(lock, kRetryAfter, [this] { return stopping_ || retry_; });
  if (stopping_) return;
  retry_ = false;
  std::shared_ptr<Overlay> overlay = layers_.frozen;
  const std::uint64_t sequence = frozen_sequence_;
  lock.unlock();
  const Status status = apply(*overlay, sequence);
  lock.lock();
  ++attempts_;
  trouble_ = {};
  if (status.ok()) {
    layers_.frozen.reset();
    applied_ = sequence;
  } else if (status.code() == StatusCode::kResourceExhausted) {
    trouble_ = status;
  } else {
    failure_ = status;
  }
  attempt_.notify_all();
  // The system takes its time over an overlay's memory; nobody else waits for that.
  lock.unlock();
  overlay.reset();
  lock.lock();
}

Status Checkpoints::apply(const Overlay& overlay, std::uint64_t sequence) const {
  Result<lmdb::Txn> txn = env_.begin_write();
  if (!txn) return txn.error();
  // What lies beyond all that a table has is appended, which fills its pages: events always, and keys that are written
  // in order. LMDB would leave each half empty otherwise.
  std::optional<MDB_dbi> table;
  std::string last;
  for (const Overlay::Entry* entry = overlay.first(); entry != nullptr; entry = overlay.next_key(entry)) {
    Status status;
    if (table != entry->table()) {
      table = entry->table();
      lmdb::Cursor cursor(*txn, *table);
      cursor.seek_last();
      if (!cursor.status().ok()) return cursor.status();
      last = cursor.valid() ? cursor.key() : std::string_view();
    }
    if (entry->erased())
      status = txn->erase(entry->table(), entry->key()).status();
    else if (entry->key() > last)
      status = txn->append(entry->table(), entry->key(), entry->value());
    else
      status = txn->put(entry->table(), entry->key(), entry->value());
    if (!status.ok()) return status;
  }
  if (Status status = write_applied(*txn, tables_, sequence); !status.ok()) return status;
  if (Status status = txn->commit(); !status.ok()) return env_.after_failed_commit(status);
  return {};
}

}  // namespace minigrpc::store
