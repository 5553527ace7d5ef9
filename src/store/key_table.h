// A table whose keys may have any length, in byte order. LMDB's own keys end at 511 bytes, etcd's at
// a request.
//
// Thread rule: that of the transaction that is passed in.
//
// A key of up to 480 bytes is LMDB's key as it stands. A longer one is cut into runs of 480 bytes, and
// becomes a path:
//
//   root table:  key[0,480) + "\0"        -> id of a node        (481 bytes long: no other record is)
//   tails table: id + key[480,960) + "\0" -> id of a node
//   tails table: id + key[960,end)        -> value
//
// ids are 8 bytes, big-endian. A link sorts behind its own run and before anything greater, so that a walk
// that follows links where it meets them is in byte order. Every node has at least one record. Several roots
// share one tails table. The alternative, one record a prefix with a sorted list of the rests, rewrites the
// list with every put: a client with many long keys of one prefix would make each of them cost megabytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/table_txn.h"

namespace minigrpc::store {

struct KeyTable {
  MDB_dbi root = 0;
  MDB_dbi tails = 0;

  Result<std::optional<std::string_view>> get(const TableTxn& txn, std::string_view key) const;
  Status put(TableTxn& txn, std::string_view key, std::string_view value) const;
  // LMDB has no checksum over its pages: a search that a damaged one led astray ends beside a record that
  // does not decode, or is out of order. DATA_LOSS if that is so for `key`; asked before "it is not there" is
  // believed, and where a walk begins. Of keys longer than LMDB's it looks at nothing, nor at what lies over
  // LMDB.
  using Decodes = bool (*)(std::string_view lmdb_key, std::string_view bytes);
  Status check_around(const TableTxn& txn, std::string_view key, Decodes decodes) const;
  // false: it was not there.
  Result<bool> erase(TableTxn& txn, std::string_view key) const;
};

// Walks a KeyTable in byte order. Not to be used after a write to the table, but for seek().
class KeyCursor {
 public:
  KeyCursor(const TableTxn& txn, const KeyTable& table) : root_(txn, table.root), tails_(txn, table.tails) {}

  // To the first key that is not less.
  void seek(std::string_view key);
  void next();

  bool valid() const { return valid_; }
  // Borrowed until the cursor moves; from the transaction itself if key_is_stable().
  std::string_view key() const { return nodes_.empty() ? root_.key() : std::string_view(long_key_); }
  bool key_is_stable() const { return nodes_.empty(); }
  std::string_view value() const { return nodes_.empty() ? root_.value() : tails_.value(); }
  // OK at the end; DATA_LOSS when the links make no sense.
  Status status() const;

 private:
  void settle();
  void leave_node();

  TableCursor root_;
  TableCursor tails_;
  std::vector<std::string> nodes_;  // ids of the nodes that we are in, outermost first; empty: in the root
  std::string prefix_;              // the runs that led here
  std::string long_key_;
  bool valid_ = false;
  bool corrupt_ = false;
};

}  // namespace minigrpc::store
