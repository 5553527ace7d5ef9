// What was committed since LMDB's last checkpoint, in memory: an ordered map of (table, key) to value or
// erasure, that keeps every version, so that each reader sees one moment of it.
//
// A skip list that grows: whoever knows a sequence sees what was written up to it, and neither waits for the
// writer nor hinders it. A hash table beside it finds single keys, which is what the writer does most: in the
// list alone that was a third of the processor time of a put.
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
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace minigrpc::store {

class Overlay {
 public:
  struct Entry {
    std::uint64_t sequence = 0;
    MDB_dbi table = 0;
    bool erased = false;
    std::string_view key;
    std::string_view value;  // empty if erased
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
  // The greatest key of the table, whenever it was written.
  const Entry* last(MDB_dbi table) const;
  // The first entry of all, for a walk with next_key() through every key's latest version.
  const Entry* first() const;
  const Entry* next_key(const Entry* entry) const;

  bool empty() const { return first() == nullptr; }
  // Of keys and values, each version counted.
  std::size_t data_size() const { return data_size_.load(std::memory_order_relaxed); }

 private:
  struct Node;
  struct Place;  // what a search looks for
  static bool less(const Entry& entry, const Place& place);
  // The first node that is not less. Fills `before`, the last one less on each level, unless null.
  Node* lower_bound(const Place& place, Node** before) const;
  Node* skip_hidden(Node* node, MDB_dbi table, std::uint64_t sequence) const;
  Node* past_key(const Entry& entry) const;
  // What lower_bound() fills in, found quickly where the place is beyond every key of its table.
  Node* place_of(const Place& place, Node** before);
  std::atomic<Node*>& bucket(MDB_dbi table, std::string_view key) const;
  void unchain(Node* node);
  Node* make_node(int height);
  int random_height();
  char* allocate(std::size_t size, std::size_t alignment);
  std::string_view copy(std::string_view bytes);

  static constexpr int kHeightMax = 12;
  static constexpr std::size_t kTablesMax = 16;
  // The last node before the end of a table on each level, or one that was it once; empty: not known.
  struct End {
    Node* last = nullptr;
    std::array<Node*, kHeightMax> before{};
  };
  std::vector<Node*> pending_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* free_ = nullptr;
  std::size_t free_size_ = 0;
  std::uint64_t random_ = 0x9E3779B97F4A7C15u;
  std::atomic<std::size_t> data_size_{0};
  std::array<End, kTablesMax> ends_{};
  std::unique_ptr<std::atomic<Node*>[]> buckets_;  // of nodes with one hash, the latest first
  Node* head_;                                     // made by the members above
};

}  // namespace minigrpc::store
