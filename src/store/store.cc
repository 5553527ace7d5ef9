#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "store/errors.h"
#include "store/store_impl.h"

namespace minigrpc::store {

namespace {

constexpr std::uint64_t kSchemaVersion = 3;
// Before 2 there was no journal, and before 3 no ancestry in live records. Both are read as they are.
constexpr std::uint64_t kSchemaVersionMin = 1;
constexpr std::string_view kSchemaKey = "schema";
constexpr std::string_view kClusterKey = "cluster_id";
constexpr std::string_view kMemberKey = "member_id";
constexpr unsigned kTablesMax = 16;
// LMDB's handle of the table of tables.
constexpr MDB_dbi kNames = 1;

// Behind the quota there is room to delete and compact, for what old views still hold, and for one large
// batch.
constexpr std::size_t kHeadroomSize = std::size_t{256} << 20;
std::size_t map_size_for(std::size_t quota_bytes, std::size_t file_size) {
  constexpr std::size_t kAlignment = std::size_t{1} << 16;
  const std::size_t size = std::max(quota_bytes + quota_bytes / 2, file_size) + kHeadroomSize;
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t size_of_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
}

Result<std::uint64_t> read_number(const lmdb::Txn& txn, MDB_dbi table, std::string_view key) {
  Result<std::optional<std::string_view>> bytes = txn.get(table, key);
  if (!bytes) return bytes.error();
  if (!bytes->has_value() || (*bytes)->size() != 8) return damaged(key);
  return decode_big_endian(**bytes);
}

Status write_number(lmdb::Txn& txn, MDB_dbi table, std::string_view key, std::uint64_t number) {
  std::string bytes;
  append_big_endian(number, bytes);
  return txn.put(table, key, bytes);
}

Status cannot_open(const std::string& path, const Status& why) {
  std::string advice = "check the disk and the directory's permissions";
  if (why.code() == StatusCode::kDataLoss || why.code() == StatusCode::kFailedPrecondition)
    advice =
        "it is damaged or not a database of this program: restore a snapshot, or choose another directory";
  return {why.code(), "data directory " + path + ": " + why.message() + "; " + advice};
}

}  // namespace

Result<State> read_state(const TableTxn& txn, const Tables& tables) {
  Result<std::optional<std::string_view>> bytes = txn.get(tables.meta, kStateKey);
  if (!bytes) return bytes.error();
  const std::optional<State> state = bytes->has_value() ? decode_state(kStateKey, **bytes) : std::nullopt;
  if (!state) return damaged("the revision");
  return *state;
}

void Store::Impl::fail(const Status& why) {
  health = {StatusCode::kUnavailable, "the store takes no more writes since one failed (" + why.message() +
                                          "): check the disk, then start again"};
}

const Status& Store::Impl::check_health() {
  if (!health.ok() || !checkpoints) return health;
  if (const Status failure = checkpoints->failure(); !failure.ok()) fail(failure);
  return health;
}

Status Store::Impl::open() {
  const std::string file = directory.path() + "/data.mdb";
  const lmdb::EnvOptions env_options{.directory = directory.path(),
                                     .map_size = map_size_for(options.quota_bytes, size_of_file(file)),
                                     .tables_max = kTablesMax,
                                     .readers_max = options.readers_max + 1,  // one is the writer's
                                     .fsync = durable(),
                                     .faults = options.faults};
  Result<lmdb::Env> opened = lmdb::Env::open(env_options);
  if (!opened) return cannot_open(directory.path(), opened.error());
  env = std::move(*opened);
  // A page that the file does not have would end the process with SIGBUS once it is read. LMDB leaves pages
  // at the end unwritten when they were freed in the transaction that made them; with zeros in their place it
  // notices.
  if (const std::size_t size = env.file_size(); size_of_file(file) < size)
    if (::truncate(file.c_str(), static_cast<off_t>(size)) != 0)
      return cannot_open(directory.path(), lmdb::to_status(errno, "extending the file"));
  if (options.directory.empty()) {
    if (const Result<std::uint64_t> applied = open_tables(nullptr); !applied)
      return cannot_open(directory.path(), applied.error());
    directory.remove();
    return {};
  }
  return open_journal();
}

Status Store::Impl::open_journal() {
  Result<Journal> journal = Journal::open(directory.path());
  if (!journal) return cannot_open(directory.path(), journal.error());
  Result<std::uint64_t> applied = open_tables(&*journal);
  if (!applied) return cannot_open(directory.path(), applied.error());
  if (durable())
    if (Status status = directory.sync(); !status.ok()) return status;
  // What it held is in LMDB now, and LMDB on the disk.
  Status status = durable() ? Status() : env.sync();
  if (status.ok()) status = journal->clear();
  if (!status.ok()) return cannot_open(directory.path(), status);
  if (durable())
    checkpoints.emplace(env, tables, std::move(*journal),
                        CheckpointOptions{.identity = identity,
                                          .applied = *applied,
                                          .journal_size = options.journal_size,
                                          .journal_time = options.journal_time,
                                          .faults = options.faults});
  return {};
}

Result<std::uint64_t> Store::Impl::open_tables(const Journal* journal) {
  Result<lmdb::Txn> txn = env.begin_write();
  if (!txn) return txn.error();
  const bool is_new = txn->entries(kNames) == 0;
  Result<Tables> opened = Tables::open(*txn, is_new);
  if (!opened) return Status(StatusCode::kFailedPrecondition, opened.error().message());
  tables = *opened;
  if (is_new)
    if (Status status = create(*txn); !status.ok()) return status;
  if (Status status = load_identity(*txn); !status.ok()) return status;
  Result<std::uint64_t> applied = 0;
  if (journal != nullptr) applied = replay_journal(*txn, tables, *journal, identity);
  if (!applied) return applied;
  if (Status status = load_leases(*txn); !status.ok()) return status;
  if (Status status = txn->commit(); !status.ok()) return status;
  Result<lmdb::Txn> reading = env.begin_read();
  if (!reading) return reading.error();
  if (Result<State> state = read_state(TableTxn(std::move(*reading)), tables); !state) return state.error();
  return applied;
}

Status Store::Impl::create(lmdb::Txn& txn) {
  if (options.identity.cluster_id == 0 || options.identity.member_id == 0)
    return {StatusCode::kInvalidArgument, "a new data directory needs a cluster id and a member id"};
  struct Entry {
    std::string_view key;
    std::uint64_t number;
  };
  for (const Entry entry :
       {Entry{kSchemaKey, kSchemaVersion}, Entry{kClusterKey, options.identity.cluster_id},
        Entry{kMemberKey, options.identity.member_id}})
    if (Status status = write_number(txn, tables.meta, entry.key, entry.number); !status.ok()) return status;
  std::string state;
  encode(State{}, kStateKey, state);
  return txn.put(tables.meta, kStateKey, state);
}

Status Store::Impl::load_identity(lmdb::Txn& txn) {
  Result<std::uint64_t> schema = read_number(txn, tables.meta, kSchemaKey);
  if (!schema) return schema.error();
  if (*schema < kSchemaVersionMin || *schema > kSchemaVersion)
    return {StatusCode::kFailedPrecondition,
            "the database has schema version " + std::to_string(*schema) + ", this program reads versions " +
                std::to_string(kSchemaVersionMin) + " to " + std::to_string(kSchemaVersion)};
  // A program that knows less must not open what may have more from here on.
  if (*schema != kSchemaVersion)
    if (Status status = write_number(txn, tables.meta, kSchemaKey, kSchemaVersion); !status.ok())
      return status;
  Result<std::uint64_t> cluster = read_number(txn, tables.meta, kClusterKey);
  Result<std::uint64_t> member = read_number(txn, tables.meta, kMemberKey);
  if (!cluster) return cluster.error();
  if (!member) return member.error();
  identity = {*cluster, *member};
  return {};
}

Status Store::Impl::load_leases(const lmdb::Txn& txn) {
  lmdb::Cursor cursor(txn, tables.lease);
  for (cursor.seek({}); cursor.valid(); cursor.next()) {
    const std::optional<LeaseId> id = decode_lease_key(cursor.key());
    const std::optional<LeaseRecord> record = decode_lease(cursor.key(), cursor.value());
    if (!id || !record) return damaged("a lease");
    leases.grant(*id, record->ttl_s, options.now_ms);
  }
  return cursor.status();
}

Result<std::unique_ptr<ReadView::Impl>> Store::Impl::take_view() {
  std::unique_ptr<ReadView::Impl> view;
  {
    const std::lock_guard lock(views.mutex);
    if (!views.idle.empty()) {
      view = std::move(views.idle.back());
      views.idle.pop_back();
    }
    ++views.in_use;
  }
  if (view == nullptr) {
    view = std::make_unique<ReadView::Impl>();
    view->store = this;
  }
  Status status = take_moment(view->txn);
  if (status.ok()) {
    Result<State> state = read_state(view->txn, tables);
    if (state) {
      view->state = *state;
      return view;
    }
    status = state.error();
  }
  const std::lock_guard lock(views.mutex);
  --views.in_use;
  return status;
}

Status Store::Impl::take_moment(TableTxn& txn) {
  for (;;) {
    Layers layers = checkpoints ? checkpoints->layers() : Layers{};
    if (txn) {
      if (Status status = txn.base().renew(); !status.ok()) return status;
      txn.set_layers(std::move(layers));
    } else {
      Result<lmdb::Txn> base = env.begin_read();
      if (!base) return base.error();
      txn = TableTxn(std::move(*base), std::move(layers));
    }
    if (!checkpoints) return {};
    Result<std::uint64_t> applied = read_applied(txn.base(), tables);
    if (!applied) return applied.error();
    if (*applied <= txn.layers().sequence) return {};
    // Since then that was committed which lay over LMDB, and later things with it.
    txn.base().reset();
  }
}

void Store::Impl::give_back(std::unique_ptr<ReadView::Impl> view) {
  view->txn.base().reset();
  view->txn.set_layers({});
  const std::lock_guard lock(views.mutex);
  views.idle.push_back(std::move(view));
  --views.in_use;
}

std::size_t Store::Impl::pages_size(const TableTxn& txn) const {
  return tables.pages_in_use(txn.base()) * env.page_size();
}

Status Store::Impl::commit_nothing() {
  Result<lmdb::Txn> txn = env.begin_write();
  if (!txn) return txn.error();
  const Result<std::uint64_t> applied = read_applied(*txn, tables);
  if (!applied) return applied.error();
  if (Status status = write_applied(*txn, tables, *applied); !status.ok()) return status;
  if (Status status = txn->commit(); !status.ok()) return env.after_failed_commit(status);
  return {};
}

bool Store::Impl::quota_is_used_up(std::size_t in_use) const {
  const Size size{.in_use_bytes = in_use,
                  .quota_bytes = options.quota_bytes,
                  .refused_bytes = refused_bytes.load(std::memory_order_relaxed)};
  return size.full();
}

Result<TableTxn> Store::Impl::begin_txn() {
  if (!checkpoints) {
    Result<lmdb::Txn> txn = env.begin_write();
    if (!txn) return txn.error();
    return TableTxn(std::move(*txn));
  }
  Result<TableTxn> txn = checkpoints->begin();
  // What lies over LMDB is counted with all its versions: before that is held against anybody it is counted
  // as pages.
  if (!txn || txn->layers().data_size() == 0 || !quota_is_used_up(bytes_in_use(*txn))) return txn;
  txn->abort();
  checkpoints->end();
  if (Status status = checkpoints->checkpoint(); !status.ok()) return status;
  return checkpoints->begin();
}

void Store::Impl::end_txn() {
  if (checkpoints) checkpoints->end();
}

Status Store::Impl::close() {
  if (!checkpoints) return {};
  // After a failure the journal is all that can be trusted.
  return check_health().ok() ? checkpoints->close() : health;
}

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  Result<DataDirectory> directory =
      options.directory.empty() ? DataDirectory::open_temporary() : DataDirectory::open(options.directory);
  if (!directory) return directory.error();
  auto impl = std::make_unique<Impl>(options, std::move(*directory));
  if (Status status = impl->open(); !status.ok()) {
    if (options.directory.empty()) impl->directory.remove();
    return status;
  }
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() {
  detail::require(!impl_->batch_is_open, "a Store that ends before its WriteBatch");
  const std::lock_guard lock(impl_->views.mutex);
  detail::require(impl_->views.in_use == 0, "a Store that ends before its ReadViews");
  // Where this fails, the journal has what is missing, and the next start replays it.
  (void)impl_->close();
}

Identity Store::identity() const { return impl_->identity; }
Status Store::health() const { return impl_->check_health(); }

Result<ReadView> Store::read() {
  Result<std::unique_ptr<ReadView::Impl>> view = impl_->take_view();
  if (!view) return view.error();
  return ReadView(std::move(*view));
}

Result<LeaseInfo> Store::lease_renew(LeaseId id, std::int64_t now_ms) {
  const std::optional<LeaseInfo> info = impl_->leases.renew(id, now_ms);
  if (!info) return errors::lease_not_found();
  return *info;
}

std::optional<LeaseInfo> Store::lease_renew_in_time(LeaseId id, std::int64_t now_ms) {
  return impl_->leases.renew_in_time(id, now_ms);
}

Result<LeaseInfo> Store::lease_info(LeaseId id, std::int64_t now_ms) const {
  const std::optional<LeaseInfo> info = impl_->leases.info(id, now_ms);
  if (!info) return errors::lease_not_found();
  return *info;
}

std::vector<LeaseId> Store::leases() const { return impl_->leases.ids(); }

std::vector<LeaseId> Store::leases_expired(std::int64_t now_ms, std::size_t leases_max) {
  return impl_->leases.expired(now_ms, leases_max);
}

std::optional<std::int64_t> Store::lease_next_expiry_ms() { return impl_->leases.next_expiry_ms(); }

void Store::leases_restart(std::int64_t now_ms) { impl_->leases.restart(now_ms); }

Result<Size> Store::size() {
  Result<std::unique_ptr<ReadView::Impl>> view = impl_->take_view();
  if (!view) return view.error();
  const std::size_t in_use = impl_->bytes_in_use((*view)->txn);
  // A file system may count blocks only when it writes them back.
  const std::size_t on_disk = std::min(impl_->env.file_size(), impl_->env.disk_size());
  impl_->give_back(std::move(*view));
  return Size{.total_bytes = std::max(on_disk, in_use),
              .in_use_bytes = in_use,
              .quota_bytes = impl_->options.quota_bytes,
              .refused_bytes = impl_->refused_bytes.load(std::memory_order_relaxed)};
}

Result<std::size_t> Store::reclaim() {
  detail::require(!impl_->batch_is_open, "reclaiming space while a WriteBatch is open");
  if (const Status& health = impl_->check_health(); !health.ok()) return health;
  if (Status status = checkpoint(); !status.ok()) return status;
  if (Status status = impl_->commit_nothing(); !status.ok()) return status;
  return impl_->env.punch_free_pages();
}

Status Store::checkpoint() { return impl_->checkpoints ? impl_->checkpoints->checkpoint() : Status(); }

Status Store::snapshot_copy(int fd) {
  if (Status status = checkpoint(); !status.ok()) return status;
  if (const int code = mdb_env_copyfd2(impl_->env.get(), fd, 0))
    return lmdb::to_status(code, "copying the database");
  return {};
}

Status Store::snapshot_copy(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return lmdb::to_status(errno, "creating " + path);
  Status status = snapshot_copy(fd);
  if (status.ok() && ::fsync(fd) != 0) status = lmdb::to_status(errno, "writing " + path);
  ::close(fd);
  if (!status.ok()) ::unlink(path.c_str());
  return status;
}

}  // namespace minigrpc::store
