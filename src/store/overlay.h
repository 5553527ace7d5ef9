// What was committed since LMDB's last checkpoint, in memory: an ordered map of (table, key) to value or
// erasure, that keeps every version, so that each reader sees one moment of it.
//
// A skip list of keys for each table, that only grows; each key has a chain of its versions, the latest first:
//
//   table ─▶ key ────────▶ key ────────▶ key
//             │             │             │
//            v9 ─▶ v4      v7            v9 ─▶ v8 ─▶ v2       one batch, one sequence
//
// Whoever knows a sequence sees what was written up to it, and neither waits for the writer nor hinders it. A
// hash table finds single keys, which is what the writer does most: to write a key again takes no search in the
// list. When every version had a place of its own there, that was a fifth of the processor time of a put.
//
// Thread rule: write(), keep() and roll_back() belong to one thread. The rest is for any thread, with a
// sequence that the writer has kept, and that reached the reader through a lock or the like. Bytes handed out
// are borrowed until the overlay ends; those of the batch that is being written, until its next write.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "store/memory_chunk.h"

namespace minigrpc::store {

class Overlay {
 public:
  struct Key {
    std::string_view bytes;
    MDB_dbi table = 0;
  };
  // One version of a key.
  class Entry {
   public:
    std::uint64_t sequence() const { return sequence_; }
    MDB_dbi table() const { return of_->table; }
    std::string_view key() const { return of_->bytes; }
    bool erased() const { return erased_; }
    std::string_view value() const { return value_; }  // empty if erased

   private:
    friend class Overlay;
    const Key* of_ = nullptr;
    std::uint64_t sequence_ = 0;
    std::string_view value_;
    const Entry* older_ = nullptr;
    const Entry* milestone_ = nullptr;  // a version far before this one
    std::uint32_t depth_ = 0;           // versions before this one
    bool erased_ = false;
  };

  Overlay();
  ~Overlay();
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  // Tables are numbers below 16. Without a value: erased. `sequence` is later than all that was kept. Both
  // are copied.
  void write(MDB_dbi table, std::string_view key, std::optional<std::string_view> value,
             std::uint64_t sequence);
  // What was written since stays; or it never was, though its memory stays taken.
  void keep() { pending_.clear(); }
  void roll_back();

  // The latest version of the key at `sequence`; null: nothing is known of it here.
  const Entry* find(MDB_dbi table, std::string_view key, std::uint64_t sequence) const;
  // Of the first key of the table that is not less, and was written until `sequence`; erased ones count.
  const Entry* seek(MDB_dbi table, std::string_view key, std::uint64_t sequence) const;
  // Of the key that follows.
  const Entry* next(const Entry* entry, std::uint64_t sequence) const;
  // The greatest key of the table, whenever it was written, even if that was rolled back.
  std::optional<std::string_view> last_key(MDB_dbi table) const;
  // The first entry of all, for a walk with next_key() through every key's latest version.
  const Entry* first() const;
  const Entry* next_key(const Entry* entry) const;

  bool empty() const { return first() == nullptr; }
  // Of keys and their latest values.
  std::size_t data_size() const { return data_size_.load(std::memory_order_relaxed); }

 private:
  struct Node;
  static constexpr int kHeightMax = 12;
  static constexpr std::size_t kTablesMax = 16;
  using Nodes = std::array<Node*, kHeightMax>;
  using Bucket = std::atomic_ref<Node*>;

  static const Entry* version_at(const Node& node, std::uint64_t sequence);
  static std::size_t size_over(const Entry* older, const Entry& entry);
  static const Entry* first_visible(const Node* node, std::uint64_t sequence);
  const Entry* latest_from(const Node* node, std::size_t table) const;
  // The first node of the table that is not less. Fills `before`, the last one less on each level, unless null.
  Node* lower_bound(MDB_dbi table, std::string_view key, Nodes* before) const;
  Bucket bucket(MDB_dbi table, std::string_view key) const;
  Node* find_node(MDB_dbi table, std::string_view key, Bucket first) const;
  bool is_beyond(MDB_dbi table, std::string_view key) const;
  // Of a key that is not there yet, into its bucket and its list.
  void insert(MDB_dbi table, std::string_view key, Bucket first, Entry* entry);
  Node* make_node(int height);
  int random_height();
  char* allocate(std::size_t size, std::size_t alignment);
  std::string_view copy(std::string_view bytes);
  // Of the one thread that writes: no other changes it meanwhile.
  void set_data_size(std::size_t size) { data_size_.store(size, std::memory_order_relaxed); }

  std::vector<Node*> pending_;
  std::vector<MemoryChunk> chunks_;
  char* free_ = nullptr;
  std::size_t free_size_ = 0;
  std::uint64_t random_ = 0x9E3779B97F4A7C15u;
  std::atomic<std::size_t> data_size_{0};
  MemoryChunk buckets_;  // of nodes with one hash, the latest first
  std::array<Node*, kTablesMax> heads_{};
  std::array<Nodes, kTablesMax> lasts_{};  // the last node on each level, or the head; the writer's
};

}  // namespace minigrpc::store
