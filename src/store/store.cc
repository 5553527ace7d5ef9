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

constexpr std::uint64_t kSchemaVersion = 1;
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

Result<State> read_state(const lmdb::Txn& txn, const Tables& tables) {
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

Status Store::Impl::open() {
  const std::string file = directory.path() + "/data.mdb";
  const lmdb::EnvOptions env_options{.directory = directory.path(),
                                     .map_size = map_size_for(options.quota_bytes, size_of_file(file)),
                                     .tables_max = kTablesMax,
                                     .readers_max = options.readers_max,
                                     .fsync = options.fsync && !options.directory.empty(),
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
  if (Status status = open_tables(); !status.ok()) return cannot_open(directory.path(), status);
  if (options.fsync && !options.directory.empty())
    if (Status status = directory.sync(); !status.ok()) return status;
  if (options.directory.empty()) directory.remove();
  return {};
}

Status Store::Impl::open_tables() {
  Result<lmdb::Txn> txn = env.begin_write();
  if (!txn) return txn.error();
  const bool is_new = txn->entries(kNames) == 0;
  Result<Tables> opened = Tables::open(*txn, is_new);
  if (!opened) return {StatusCode::kFailedPrecondition, opened.error().message()};
  tables = *opened;
  if (is_new)
    if (Status status = create(*txn); !status.ok()) return status;
  if (Status status = load(*txn); !status.ok()) return status;
  return txn->commit();
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

Status Store::Impl::load(const lmdb::Txn& txn) {
  Result<std::uint64_t> schema = read_number(txn, tables.meta, kSchemaKey);
  if (!schema) return schema.error();
  if (*schema != kSchemaVersion)
    return {StatusCode::kFailedPrecondition, "the database has schema version " + std::to_string(*schema) +
                                                 ", this program reads version " +
                                                 std::to_string(kSchemaVersion)};
  Result<std::uint64_t> cluster = read_number(txn, tables.meta, kClusterKey);
  Result<std::uint64_t> member = read_number(txn, tables.meta, kMemberKey);
  if (!cluster) return cluster.error();
  if (!member) return member.error();
  identity = {*cluster, *member};
  if (Result<State> state = read_state(txn, tables); !state) return state.error();
  return load_leases(txn);
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
  Status status;
  if (view != nullptr) {
    status = view->txn.renew();
  } else {
    view = std::make_unique<ReadView::Impl>();
    view->store = this;
    Result<lmdb::Txn> txn = env.begin_read();
    if (txn)
      view->txn = std::move(*txn);
    else
      status = txn.error();
  }
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

void Store::Impl::give_back(std::unique_ptr<ReadView::Impl> view) {
  view->txn.reset();
  const std::lock_guard lock(views.mutex);
  views.idle.push_back(std::move(view));
  --views.in_use;
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
}

Identity Store::identity() const { return impl_->identity; }
Status Store::health() const { return impl_->health; }

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
  const std::size_t in_use = impl_->tables.pages_in_use((*view)->txn) * impl_->env.page_size();
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
  if (!impl_->health.ok()) return impl_->health;
  return impl_->env.punch_free_pages();
}

Status Store::snapshot_copy(int fd) {
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
