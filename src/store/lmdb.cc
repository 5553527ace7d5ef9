#include "store/lmdb.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "store/errors.h"

namespace minigrpc::store::lmdb {

namespace {
MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }

// LMDB's table of free pages: transaction -> count, page numbers; all of the machine's word size.
constexpr MDB_dbi kFreeList = 0;

// A line of mdb_reader_list() is "pid thread txnid", with "-" for a reader that has no snapshot. Lowers `context`, a
// transaction id, to the line's.
int note_reader(const char* line, void* context) {
  std::string_view text(line);
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  const std::size_t space = text.rfind(' ');
  if (space == std::string_view::npos) return 0;
  text.remove_prefix(space + 1);
  std::size_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  auto& oldest = *static_cast<std::size_t*>(context);
  oldest = std::min(oldest, id);
  return 0;
}

// The pages that were freed before transaction `oldest`.
Result<std::vector<std::size_t>> pages_free_before(MDB_txn* txn, std::size_t oldest) {
  MDB_cursor* cursor = nullptr;
  if (const int code = mdb_cursor_open(txn, kFreeList, &cursor)) return to_status(code, "reading the free pages");
  std::vector<std::size_t> pages;
  MDB_val key{};
  MDB_val value{};
  int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
  for (; code == 0; code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
    std::size_t id = 0;
    std::size_t count = 0;
    if (key.mv_size != sizeof id || value.mv_size < sizeof count) break;
    std::memcpy(&id, key.mv_data, sizeof id);
    if (id >= oldest) break;
    std::memcpy(&count, value.mv_data, sizeof count);
    count = std::min(count, value.mv_size / sizeof count - 1);
    const std::size_t begin = pages.size();
    pages.resize(begin + count);
    std::memcpy(pages.data() + begin, static_cast<const char*>(value.mv_data) + sizeof count, count * sizeof count);
  }
  mdb_cursor_close(cursor);
  if (code != 0 && code != MDB_NOTFOUND) return to_status(code, "reading the free pages");
  std::sort(pages.begin(), pages.end());
  return pages;
}

// UNAVAILABLE stands for "the disk or the system failed": nothing is wrong with the request or the data.
StatusCode code_of(int code) {
  switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
      return StatusCode::kResourceExhausted;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
      return StatusCode::kDataLoss;
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
      return StatusCode::kFailedPrecondition;
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::kPermissionDenied;
    case ENOENT:
      return StatusCode::kNotFound;
    case EIO:
    case MDB_PANIC:
      return StatusCode::kUnavailable;
    default:
      return StatusCode::kInternal;
  }
}
}  // namespace

Status to_status(int code, std::string_view doing) {
  if (code == MDB_MAP_FULL) return errors::no_space();
  // LMDB's own words do not say that the data is all right.
  if (code == MDB_PANIC)
    return {StatusCode::kUnavailable,
            std::string(doing) + ": the disk failed in a commit: check the disk, then start again"};
  return {code_of(code), std::string(doing) + ": " + mdb_strerror(code)};
}

Result<Env> Env::open(const EnvOptions& options) {
  Env env;
  if (const int code = mdb_env_create(&env.env_)) return to_status(code, "mdb_env_create");
  env.faults_ = options.faults;
  mdb_env_set_mapsize(env.env_, options.map_size);
  mdb_env_set_maxdbs(env.env_, options.tables_max);
  mdb_env_set_maxreaders(env.env_, options.readers_max);
  // Pages in random order: read-ahead would only evict what is in use.
  const unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options.fsync ? 0u : unsigned{MDB_NOSYNC});
  if (const int code = mdb_env_open(env.env_, options.directory.c_str(), flags, 0600))
    return to_status(code, "opening the database in " + options.directory);
  env.witness_fd_ = ::open((options.directory + "/data.mdb").c_str(), O_RDWR | O_CLOEXEC);
  if (env.witness_fd_ < 0) return to_status(errno, "opening the database in " + options.directory);
  return env;
}

Env::~Env() {
  if (env_ != nullptr) mdb_env_close(env_);
  if (witness_fd_ >= 0) ::close(witness_fd_);
}

bool Env::lost_writes() const {
  if (faults_ != nullptr && faults_->loses_writes) return true;
  return ::fdatasync(witness_fd_) != 0;
}

// A full disk may have room again. But once the system failed to write something back, a later fsync may
// succeed and still not have it.
Status Env::after_failed_commit(Status status) const {
  // In its last step even a full disk leaves LMDB unusable, for readers too.
  const Result<Txn> probe = begin_read();
  const bool usable = probe || probe.error().code() != StatusCode::kUnavailable;
  if (usable && status.code() == StatusCode::kResourceExhausted) return status;
  if (usable && status.code() == StatusCode::kUnavailable && !lost_writes())
    return {StatusCode::kResourceExhausted,
            "a write to the database came up short: make room on the disk that holds it"};
  return {StatusCode::kUnavailable, status.message()};
}

Status Env::sync() const {
  if (const int code = mdb_env_sync(env_, 1)) return to_status(code, "syncing the database");
  return {};
}

Result<Txn> Env::begin_write() const {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, 0, &txn)) return to_status(code, "beginning a write");
  return Txn(txn, faults_);
}

Result<Txn> Env::begin_read() const {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn))
    return to_status(code, "beginning a read");
  return Txn(txn, nullptr);
}

std::size_t Env::page_size() const {
  MDB_stat stat{};
  mdb_env_stat(env_, &stat);
  return stat.ms_psize;
}

std::size_t Env::file_size() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return (info.me_last_pgno + 1) * page_size();
}

std::size_t Env::disk_size() const {
  struct stat info {};
  if (::fstat(witness_fd_, &info) != 0) return file_size();
  return static_cast<std::size_t>(info.st_blocks) * 512;
}

Result<std::size_t> Env::punch_free_pages() const {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, 0, &txn)) return to_status(code, "beginning a write");
  const Txn owner(txn, nullptr);
  // LMDB's own rule: what was freed before this, neither a reader nor the last commit but one can see.
  std::size_t oldest = mdb_txn_id(txn) - 1;
  mdb_reader_list(env_, note_reader, &oldest);
  // LMDB shows its list to read transactions alone; as long as ours is open nobody changes it.
  Result<Txn> reader = begin_read();
  if (!reader) return reader.error();
  Result<std::vector<std::size_t>> pages = pages_free_before(reader->get(), oldest);
  if (!pages) return pages.error();
  const std::size_t before = disk_size();
  for (std::size_t i = 0; i < pages->size();) {
    std::size_t run = 1;
    while (i + run < pages->size() && (*pages)[i + run] == (*pages)[i] + run) ++run;
    const auto offset = static_cast<off_t>((*pages)[i] * page_size());
    const auto size = static_cast<off_t>(run * page_size());
    if (::fallocate(witness_fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size) != 0) {
      if (errno == EOPNOTSUPP || errno == ENOSYS) return 0;
      return to_status(errno, "giving free pages back");
    }
    i += run;
  }
  const std::size_t after = disk_size();
  return after < before ? before - after : 0;
}

Result<MDB_dbi> Txn::open_table(const char* name, bool create) {
  MDB_dbi table = 0;
  if (const int code = mdb_dbi_open(txn_, name, create ? unsigned{MDB_CREATE} : 0u, &table))
    return to_status(code, std::string("opening the table ") + name);
  return table;
}

Result<std::optional<std::string_view>> Txn::get(MDB_dbi table, std::string_view key) const {
  MDB_val key_val = to_val(key);
  MDB_val value{};
  const int code = mdb_get(txn_, table, &key_val, &value);
  if (code == MDB_NOTFOUND) return std::optional<std::string_view>();
  if (code != 0) return to_status(code, "reading");
  return std::optional(std::string_view(static_cast<const char*>(value.mv_data), value.mv_size));
}

Status Txn::write(MDB_dbi table, std::string_view key, std::string_view value, unsigned flags) {
  if (faults_ != nullptr && faults_->next_write_fails()) return to_status(faults_->error, "writing");
  MDB_val key_val = to_val(key);
  MDB_val value_val = to_val(value);
  if (const int code = mdb_put(txn_, table, &key_val, &value_val, flags)) return to_status(code, "writing");
  return {};
}

Status Txn::put(MDB_dbi table, std::string_view key, std::string_view value) {
  return write(table, key, value, 0);
}

Status Txn::append(MDB_dbi table, std::string_view key, std::string_view value) {
  return write(table, key, value, MDB_APPEND);
}

Result<bool> Txn::erase(MDB_dbi table, std::string_view key) {
  if (faults_ != nullptr && faults_->next_write_fails()) return to_status(faults_->error, "deleting");
  MDB_val key_val = to_val(key);
  const int code = mdb_del(txn_, table, &key_val, nullptr);
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) return to_status(code, "deleting");
  return true;
}

std::size_t Txn::pages(MDB_dbi table) const {
  MDB_stat stat{};
  if (mdb_stat(txn_, table, &stat) != 0) return 0;
  return stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
}

std::uint64_t Txn::entries(MDB_dbi table) const {
  MDB_stat stat{};
  return mdb_stat(txn_, table, &stat) == 0 ? stat.ms_entries : 0;
}

Status Txn::commit() {
  if (faults_ != nullptr && faults_->next_write_fails()) {
    abort();
    return to_status(faults_->error, "committing");
  }
  if (const int code = mdb_txn_commit(std::exchange(txn_, nullptr))) return to_status(code, "committing");
  return {};
}

void Txn::abort() {
  if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

Status Txn::renew() {
  if (const int code = mdb_txn_renew(txn_)) return to_status(code, "beginning a read");
  return {};
}

Cursor::Cursor(const Txn& txn, MDB_dbi table) { code_ = mdb_cursor_open(txn.get(), table, &cursor_); }

Cursor::~Cursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

void Cursor::seek(std::string_view key) {
  if (cursor_ == nullptr) return;
  if (key.empty()) return move(MDB_FIRST);
  key_ = to_val(key);
  move(MDB_SET_RANGE);
}

void Cursor::seek_last() {
  if (cursor_ != nullptr) move(MDB_LAST);
}

Status Cursor::status() const { return failed() ? to_status(code_, "reading") : Status(); }

}  // namespace minigrpc::store::lmdb
