#include "store/key_table.h"

#include "store/record.h"

namespace minigrpc::store {

namespace {
constexpr std::size_t kRunSize = 480;
constexpr std::size_t kIdSize = 8;
// Keys of 30 MiB: longer than any request. A damaged file may link in a circle; this ends it.
constexpr std::size_t kDepthMax = 65536;

bool is_link(std::string_view run) { return run.size() == kRunSize + 1; }

Status bad_link() {
  return {StatusCode::kDataLoss, "the database is damaged: a long key's link does not decode"};
}

// The record in node `id` (empty: the root) for what is left of a key; a link if that is too long.
std::string record_key(std::string_view id, std::string_view rest) {
  std::string key(id);
  key.append(rest.substr(0, kRunSize));
  if (rest.size() > kRunSize) key.push_back('\0');
  return key;
}

// Where a key's record is, as far as its links exist.
struct Path {
  // Record keys, outermost first; the first is in the root, the others in tails.
  std::vector<std::string> links;
  std::string id;         // the last node reached; empty: the root
  std::string_view rest;  // what of the key is left there
  bool complete = true;   // all links exist

  bool in_root() const { return id.empty(); }
};

Result<Path> walk(const TableTxn& txn, const KeyTable& table, std::string_view key) {
  Path path;
  path.rest = key;
  while (path.rest.size() > kRunSize) {
    std::string link = record_key(path.id, path.rest);
    Result<std::optional<std::string_view>> child = txn.get(path.in_root() ? table.root : table.tails, link);
    if (!child) return child.error();
    if (!child->has_value()) {
      path.complete = false;
      return path;
    }
    if ((*child)->size() != kIdSize) return bad_link();
    path.id = **child;
    path.links.push_back(std::move(link));
    path.rest.remove_prefix(kRunSize);
    if (path.links.size() > kDepthMax) return bad_link();
  }
  return path;
}

Result<std::uint64_t> unused_id(const TableTxn& txn, MDB_dbi tails) {
  Result<std::optional<std::string>> last = txn.last_key(tails);
  if (!last) return last.error();
  if (!last->has_value()) return 1;
  if ((*last)->size() <= kIdSize) return bad_link();
  return decode_big_endian(std::string_view(**last).substr(0, kIdSize)) + 1;
}

Result<bool> node_is_empty(const TableTxn& txn, MDB_dbi tails, std::string_view id) {
  TableCursor cursor(txn, tails);
  cursor.seek(id);
  if (!cursor.status().ok()) return cursor.status();
  return !cursor.valid() || !cursor.key().starts_with(id);
}
}  // namespace

Result<std::optional<std::string_view>> KeyTable::get(const TableTxn& txn, std::string_view key) const {
  if (key.size() <= kRunSize) return txn.get(root, key);
  Result<Path> path = walk(txn, *this, key);
  if (!path) return path.error();
  if (!path->complete) return std::optional<std::string_view>();
  return txn.get(tails, record_key(path->id, path->rest));
}

Status KeyTable::check_around(const TableTxn& txn, std::string_view key, Decodes decodes) const {
  if (key.size() > kRunSize) return {};
  const Status astray{StatusCode::kDataLoss,
                      "the database is damaged (a page of keys): restore it from a snapshot"};
  lmdb::Cursor cursor(txn.base(), root);
  const auto sound = [&] { return is_link(cursor.key()) || decodes(cursor.key(), cursor.value()); };
  cursor.seek(key);
  if (cursor.failed()) return cursor.status();
  if (cursor.valid()) {
    if (cursor.key() < key || !sound()) return astray;
    cursor.previous();
  } else {
    cursor.seek_last();
  }
  if (cursor.valid() && (cursor.key() >= key || !sound())) return astray;
  return cursor.status();
}

Status KeyTable::put(TableTxn& txn, std::string_view key, std::string_view value) const {
  if (key.size() <= kRunSize) return txn.put(root, key, value);
  Result<Path> path = walk(txn, *this, key);
  if (!path) return path.error();
  if (!path->complete) {
    Result<std::uint64_t> id = unused_id(txn, tails);
    if (!id) return id.error();
    for (; path->rest.size() > kRunSize; ++*id) {
      std::string child;
      append_big_endian(*id, child);
      const MDB_dbi table = path->in_root() ? root : tails;
      if (Status status = txn.put(table, record_key(path->id, path->rest), child); !status.ok())
        return status;
      path->id = std::move(child);
      path->rest.remove_prefix(kRunSize);
    }
  }
  return txn.put(tails, record_key(path->id, path->rest), value);
}

Result<bool> KeyTable::erase(TableTxn& txn, std::string_view key) const {
  if (key.size() <= kRunSize) return txn.erase(root, key);
  Result<Path> path = walk(txn, *this, key);
  if (!path) return path.error();
  if (!path->complete) return false;
  Result<bool> erased = txn.erase(tails, record_key(path->id, path->rest));
  if (!erased || !*erased) return erased;

  // A node that lost its last record goes, and so may the one that linked to it.
  std::string id = std::move(path->id);
  while (!path->links.empty()) {
    Result<bool> empty = node_is_empty(txn, tails, id);
    if (!empty) return empty.error();
    if (!*empty) break;
    const std::string link = std::move(path->links.back());
    path->links.pop_back();
    Result<bool> unlinked = txn.erase(path->links.empty() ? root : tails, link);
    if (!unlinked) return unlinked.error();
    id = link.substr(0, kIdSize);
  }
  return true;
}

void KeyCursor::seek(std::string_view key) {
  nodes_.clear();
  prefix_.clear();
  corrupt_ = false;
  for (;;) {
    TableCursor& cursor = nodes_.empty() ? root_ : tails_;
    const std::string target = record_key(nodes_.empty() ? std::string_view() : nodes_.back(), key);
    cursor.seek(target);
    if (key.size() <= kRunSize || !cursor.valid() || cursor.key() != target) break;
    if (cursor.value().size() != kIdSize || nodes_.size() > kDepthMax) {
      corrupt_ = true;
      break;
    }
    nodes_.emplace_back(cursor.value());
    prefix_.append(key.substr(0, kRunSize));
    key.remove_prefix(kRunSize);
  }
  settle();
}

void KeyCursor::next() {
  if (nodes_.empty())
    root_.next();
  else
    tails_.next();
  settle();
}

// Follows links down and leaves finished nodes, until the cursor stands on a key's own record or at the end.
void KeyCursor::settle() {
  valid_ = false;
  while (!corrupt_) {
    TableCursor& cursor = nodes_.empty() ? root_ : tails_;
    if (cursor.failed()) return;
    if (nodes_.empty() && !cursor.valid()) return;
    if (!nodes_.empty() && !(cursor.valid() && cursor.key().starts_with(nodes_.back()))) {
      leave_node();
      continue;
    }
    const std::string_view run = nodes_.empty() ? cursor.key() : cursor.key().substr(kIdSize);
    if (!is_link(run)) {
      if (!nodes_.empty()) long_key_.assign(prefix_).append(run);
      valid_ = true;
      return;
    }
    if (cursor.value().size() != kIdSize || nodes_.size() > kDepthMax) {
      corrupt_ = true;
      return;
    }
    prefix_.append(run.substr(0, kRunSize));
    nodes_.emplace_back(cursor.value());
    tails_.seek(nodes_.back());
  }
}

// To what follows the link that led into this node.
void KeyCursor::leave_node() {
  nodes_.pop_back();
  const std::string run = prefix_.substr(prefix_.size() - kRunSize);
  prefix_.resize(prefix_.size() - kRunSize);
  if (nodes_.empty()) {
    root_.next();
    return;
  }
  const std::string link = nodes_.back() + run + '\0';
  tails_.seek(link);
  if (!tails_.valid() || tails_.key() != link) {
    corrupt_ = true;
    return;
  }
  tails_.next();
}

Status KeyCursor::status() const {
  if (corrupt_) return bad_link();
  if (!root_.status().ok()) return root_.status();
  return tails_.status();
}

}  // namespace minigrpc::store
