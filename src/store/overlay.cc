#include "store/overlay.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <new>

namespace minigrpc::store {

namespace {
constexpr std::size_t kChunkSize = std::size_t{256} << 10;
// A key that is written in every batch has thousands of versions: behind so many steps a search is quicker.
constexpr int kStepsMax = 8;
// A few nodes in each, when the overlay is full.
constexpr int kChainMax = 64;
constexpr std::size_t kBuckets = std::size_t{1} << 16;
constexpr std::uint64_t kNewest = std::numeric_limits<std::uint64_t>::max();
}  // namespace

// As long as its height asks for. Nodes are never freed one by one: a reader may be on its way over one that
// is rolled back.
struct Overlay::Node : Entry {
  int height = 0;
  std::atomic<Node*> chain{nullptr};  // the next in the bucket
  std::atomic<Node*> links[1];

  std::atomic<Node*>& link(int level) { return links[level]; }
  Node* next(int level = 0) const { return links[level].load(std::memory_order_acquire); }
};

// Order: table, key, then the latest version first.
struct Overlay::Place {
  MDB_dbi table;
  std::string_view key;
  std::uint64_t sequence;
};

bool Overlay::less(const Entry& entry, const Place& place) {
  if (entry.table != place.table) return entry.table < place.table;
  const int order = entry.key.compare(place.key);
  return order != 0 ? order < 0 : entry.sequence > place.sequence;
}

Overlay::Overlay()
    : buckets_(std::make_unique<std::atomic<Node*>[]>(kBuckets)), head_(make_node(kHeightMax)) {}
Overlay::~Overlay() = default;

char* Overlay::allocate(std::size_t size, std::size_t alignment) {
  const std::size_t skip = free_ == nullptr ? 0 : -reinterpret_cast<std::uintptr_t>(free_) & (alignment - 1);
  if (free_ == nullptr || skip + size > free_size_) {
    const std::size_t chunk = std::max(kChunkSize, size);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    char* bytes = chunks_.back().get();
    // A large value gets a chunk of its own, and the rest of the last one goes on.
    if (size > kChunkSize / 4 && free_ != nullptr) return bytes;
    free_ = bytes + size;
    free_size_ = chunk - size;
    return bytes;
  }
  char* bytes = free_ + skip;
  free_ += skip + size;
  free_size_ -= skip + size;
  return bytes;
}

std::string_view Overlay::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  char* to = allocate(bytes.size(), 1);
  std::memcpy(to, bytes.data(), bytes.size());
  return {to, bytes.size()};
}

Overlay::Node* Overlay::make_node(int height) {
  const std::size_t size = sizeof(Node) + static_cast<std::size_t>(height - 1) * sizeof(std::atomic<Node*>);
  Node* node = new (allocate(size, alignof(Node))) Node;
  node->height = height;
  for (int level = 0; level < height; ++level) new (&node->links[level]) std::atomic<Node*>(nullptr);
  return node;
}

int Overlay::random_height() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  int height = 1;
  for (std::uint64_t bits = random_; height < kHeightMax && (bits & 3) == 0; bits >>= 2) ++height;
  return height;
}

Overlay::Node* Overlay::lower_bound(const Place& place, Node** before) const {
  Node* node = head_;
  // What stopped one level stops the next as well, and need not be compared again.
  Node* beyond = nullptr;
  for (int level = kHeightMax - 1; level >= 0; --level) {
    Node* next = node->next(level);
    while (next != nullptr && next != beyond && less(*next, place)) {
      node = next;
      next = node->next(level);
    }
    beyond = next;
    if (before != nullptr) before[level] = node;
  }
  return beyond;
}

Overlay::Node* Overlay::place_of(const Place& place, Node** before) {
  End& end = ends_[place.table];
  if (end.last == nullptr || place.key <= end.last->key) return lower_bound(place, before);
  // Other tables may have grown into what lies before the end on the higher levels.
  Node* next = nullptr;
  for (int level = kHeightMax - 1; level >= 0; --level) {
    Node*& node = end.before[static_cast<std::size_t>(level)];
    for (next = node->next(level); next != nullptr && less(*next, place); next = node->next(level))
      node = next;
    before[level] = node;
  }
  return next;
}

std::atomic<Overlay::Node*>& Overlay::bucket(MDB_dbi table, std::string_view key) const {
  const std::size_t hash = std::hash<std::string_view>()(key) + table;
  return buckets_[(hash ^ hash >> 32) % kBuckets];
}

void Overlay::write(MDB_dbi table, std::string_view key, std::optional<std::string_view> value,
                    std::uint64_t sequence) {
  std::array<Node*, kHeightMax> before;
  Node* found = place_of({table, key, sequence}, before.data());
  const std::string_view bytes = copy(value.value_or(std::string_view()));
  data_size_.fetch_add(key.size() + bytes.size(), std::memory_order_relaxed);
  if (found != nullptr && found->sequence == sequence && found->table == table && found->key == key) {
    // Of this batch: nobody else can see it yet.
    data_size_.fetch_sub(key.size() + found->value.size(), std::memory_order_relaxed);
    found->erased = !value.has_value();
    found->value = bytes;
    return;
  }
  Node* node = make_node(random_height());
  node->sequence = sequence;
  node->table = table;
  node->erased = !value.has_value();
  node->key = copy(key);
  node->value = bytes;
  for (int level = 0; level < node->height; ++level) {
    Node*& previous = before[static_cast<std::size_t>(level)];
    node->link(level).store(previous->next(level), std::memory_order_relaxed);
    previous->link(level).store(node, std::memory_order_release);
    previous = node;
  }
  if (found == nullptr || found->table != table) ends_[table] = {node, before};
  std::atomic<Node*>& first = bucket(table, key);
  node->chain.store(first.load(std::memory_order_relaxed), std::memory_order_relaxed);
  first.store(node, std::memory_order_release);
  pending_.push_back(node);
}

void Overlay::unchain(Node* node) {
  std::atomic<Node*>* link = &bucket(node->table, node->key);
  while (link->load(std::memory_order_relaxed) != node) link = &link->load(std::memory_order_relaxed)->chain;
  link->store(node->chain.load(std::memory_order_relaxed), std::memory_order_release);
}

void Overlay::roll_back() {
  ends_ = {};
  for (Node* node : pending_) {
    std::array<Node*, kHeightMax> before;
    lower_bound({node->table, node->key, node->sequence}, before.data());
    for (int level = 0; level < node->height; ++level)
      before[static_cast<std::size_t>(level)]->link(level).store(node->next(level),
                                                                 std::memory_order_release);
    unchain(node);
    data_size_.fetch_sub(node->key.size() + node->value.size(), std::memory_order_relaxed);
  }
  pending_.clear();
}

const Overlay::Entry* Overlay::find(MDB_dbi table, std::string_view key, std::uint64_t sequence) const {
  const Node* node = bucket(table, key).load(std::memory_order_acquire);
  for (int steps = 0; node != nullptr; node = node->chain.load(std::memory_order_acquire)) {
    if (node->sequence <= sequence && node->table == table && node->key == key) return node;
    if (++steps > kChainMax) {
      node = lower_bound({table, key, sequence}, nullptr);
      return node != nullptr && node->table == table && node->key == key ? node : nullptr;
    }
  }
  return nullptr;
}

Overlay::Node* Overlay::skip_hidden(Node* node, MDB_dbi table, std::uint64_t sequence) const {
  while (node != nullptr && node->table == table && node->sequence > sequence)
    node = lower_bound({table, node->key, sequence}, nullptr);
  return node != nullptr && node->table == table ? node : nullptr;
}

const Overlay::Entry* Overlay::seek(MDB_dbi table, std::string_view key, std::uint64_t sequence) const {
  return skip_hidden(lower_bound({table, key, sequence}, nullptr), table, sequence);
}

Overlay::Node* Overlay::past_key(const Entry& entry) const {
  Node* node = static_cast<const Node&>(entry).next();
  for (int steps = 0; steps < kStepsMax; ++steps) {
    if (node == nullptr || node->table != entry.table || node->key != entry.key) return node;
    node = node->next();
  }
  // No version is of sequence 0: behind it comes the next key.
  return lower_bound({entry.table, entry.key, 0}, nullptr);
}

const Overlay::Entry* Overlay::next(const Entry* entry, std::uint64_t sequence) const {
  return skip_hidden(past_key(*entry), entry->table, sequence);
}

const Overlay::Entry* Overlay::last(MDB_dbi table) const {
  std::array<Node*, kHeightMax> before;
  lower_bound({table + 1, {}, kNewest}, before.data());
  const Node* node = before[0];
  return node != head_ && node->table == table ? node : nullptr;
}

const Overlay::Entry* Overlay::first() const { return head_->next(); }
const Overlay::Entry* Overlay::next_key(const Entry* entry) const { return past_key(*entry); }

}  // namespace minigrpc::store
