#include "store/overlay.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

namespace minigrpc::store {

namespace {
// What is read and written at random is in large pages, if the system has them. The first ones are small, since a
// registry that is seldom written has two overlays as well.
constexpr std::size_t kChunkSizeMin = std::size_t{256} << 10;
constexpr std::size_t kSmallChunks = 4;
constexpr std::size_t kChunkSize = MemoryChunk::kLargePage;
// Only a flood of keys that have one hash fills a bucket so: behind that a search in the list is quicker.
constexpr int kChainMax = 64;
// Two nodes or fewer in each when the overlay is full; those that are not used take no memory.
constexpr std::size_t kBuckets = std::size_t{1} << 17;
// A key that is written in every batch has thousands of versions, and a reader may be far behind: it goes from
// one of these to the one before.
constexpr std::uint32_t kVersionsPerMilestone = 64;
}  // namespace

// As long as its height asks for. Nodes are never freed one by one: a reader may be on its way over one that
// is rolled back. That one stays, without a version.
struct Overlay::Node : Key {
  std::atomic<const Entry*> latest{nullptr};
  std::atomic<Node*> chain{nullptr};  // the next in the bucket
  std::atomic<Node*> links[1];

  std::atomic<Node*>& link(int level) { return links[level]; }
  Node* next(int level = 0) const { return links[level].load(std::memory_order_acquire); }
};

Overlay::Overlay() : buckets_(kBuckets * sizeof(Node*)) {
  for (std::size_t table = 0; table < kTablesMax; ++table) {
    heads_[table] = make_node(kHeightMax);
    lasts_[table].fill(heads_[table]);
  }
}
Overlay::~Overlay() = default;

char* Overlay::allocate(std::size_t size, std::size_t alignment) {
  const std::size_t skip = -reinterpret_cast<std::uintptr_t>(free_) & (alignment - 1);
  if (skip + size > free_size_) {
    // A large value gets a chunk of its own, and the rest of the last one goes on.
    if (size > kChunkSizeMin / 4) return chunks_.emplace_back(size).bytes();
    const MemoryChunk& chunk =
        chunks_.emplace_back(chunks_.size() < kSmallChunks ? kChunkSizeMin : kChunkSize);
    free_ = chunk.bytes() + size;
    free_size_ = chunk.size() - size;
    return chunk.bytes();
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

Overlay::Node* Overlay::lower_bound(MDB_dbi table, std::string_view key, Nodes* before) const {
  Node* node = heads_[table];
  // What stopped one level stops the next as well, and need not be compared again.
  Node* beyond = nullptr;
  for (int level = kHeightMax - 1; level >= 0; --level) {
    Node* next = node->next(level);
    while (next != nullptr && next != beyond && next->bytes < key) {
      node = next;
      next = node->next(level);
    }
    beyond = next;
    if (before != nullptr) (*before)[static_cast<std::size_t>(level)] = node;
  }
  return beyond;
}

Overlay::Bucket Overlay::bucket(MDB_dbi table, std::string_view key) const {
  const std::size_t hash = std::hash<std::string_view>()(key) + table;
  return Bucket(reinterpret_cast<Node**>(buckets_.bytes())[(hash ^ hash >> 32) % kBuckets]);
}

Overlay::Node* Overlay::find_node(MDB_dbi table, std::string_view key, Bucket first) const {
  int steps = 0;
  for (Node* node = first.load(std::memory_order_acquire); node != nullptr;
       node = node->chain.load(std::memory_order_acquire)) {
    if (node->table == table && node->bytes == key) return node;
    if (++steps > kChainMax) {
      node = lower_bound(table, key, nullptr);
      return node != nullptr && node->bytes == key ? node : nullptr;
    }
  }
  return nullptr;
}

bool Overlay::is_beyond(MDB_dbi table, std::string_view key) const {
  const Node* last = lasts_[table][0];
  return last == heads_[table] || last->bytes < key;
}

void Overlay::insert(MDB_dbi table, std::string_view key, Bucket first, Entry* entry) {
  const int height = random_height();
  Node* node = make_node(height);
  node->table = table;
  node->bytes = copy(key);
  entry->of_ = node;
  node->latest.store(entry, std::memory_order_relaxed);
  Nodes& lasts = lasts_[table];
  Nodes before;
  const bool at_the_end = is_beyond(table, key);
  if (!at_the_end) lower_bound(table, key, &before);
  for (int i = 0; i < height; ++i) {
    const auto level = static_cast<std::size_t>(i);
    Node* previous = at_the_end ? lasts[level] : before[level];
    Node* next = previous->next(i);
    node->link(i).store(next, std::memory_order_relaxed);
    previous->link(i).store(node, std::memory_order_release);
    if (next == nullptr) lasts[level] = node;
  }
  node->chain.store(first.load(std::memory_order_relaxed), std::memory_order_relaxed);
  first.store(node, std::memory_order_release);
  pending_.push_back(node);
}

void Overlay::write(MDB_dbi table, std::string_view key, std::optional<std::string_view> value,
                    std::uint64_t sequence) {
  const Bucket first = bucket(table, key);
  // What lies beyond every key of the table is not there: the log's events are all written so.
  Node* node = is_beyond(table, key) ? nullptr : find_node(table, key, first);
  const Entry* latest = node == nullptr ? nullptr : node->latest.load(std::memory_order_relaxed);
  if (latest != nullptr && latest->sequence_ == sequence) {
    // Of this batch: nobody else can see it yet.
    auto* entry = const_cast<Entry*>(latest);
    const std::size_t size_before = entry->value_.size();
    entry->erased_ = !value.has_value();
    entry->value_ = copy(value.value_or(std::string_view()));
    set_data_size(data_size() - size_before + entry->value_.size());
    return;
  }
  Entry* entry = new (allocate(sizeof(Entry), alignof(Entry))) Entry;
  entry->sequence_ = sequence;
  entry->erased_ = !value.has_value();
  entry->value_ = copy(value.value_or(std::string_view()));
  if (node == nullptr) {
    set_data_size(data_size() + key.size() + entry->value_.size());
    insert(table, key, first, entry);
    return;
  }
  entry->of_ = node;
  set_data_size(data_size() + size_over(latest, *entry));
  if (latest != nullptr) {
    entry->older_ = latest;
    entry->depth_ = latest->depth_ + 1;
    entry->milestone_ = latest->depth_ % kVersionsPerMilestone == 0 ? latest : latest->milestone_;
  }
  node->latest.store(entry, std::memory_order_release);
  pending_.push_back(node);
}

void Overlay::roll_back() {
  for (Node* node : pending_) {
    const Entry* entry = node->latest.load(std::memory_order_relaxed);
    set_data_size(data_size() - size_over(entry->older_, *entry));
    node->latest.store(entry->older_, std::memory_order_release);
  }
  pending_.clear();
}

// What a version adds to the one before it, as a number that wraps.
std::size_t Overlay::size_over(const Entry* older, const Entry& entry) {
  return entry.value_.size() - (older == nullptr ? -entry.key().size() : older->value_.size());
}

const Overlay::Entry* Overlay::version_at(const Node& node, std::uint64_t sequence) {
  const Entry* entry = node.latest.load(std::memory_order_acquire);
  while (entry != nullptr && entry->sequence_ > sequence) {
    const Entry* milestone = entry->milestone_;
    entry = milestone != nullptr && milestone->sequence_ > sequence ? milestone : entry->older_;
  }
  return entry;
}

const Overlay::Entry* Overlay::first_visible(const Node* node, std::uint64_t sequence) {
  for (; node != nullptr; node = node->next())
    if (const Entry* entry = version_at(*node, sequence)) return entry;
  return nullptr;
}

const Overlay::Entry* Overlay::find(MDB_dbi table, std::string_view key, std::uint64_t sequence) const {
  // Most events that are looked for are older than the overlay, and many tables are empty.
  const Node* least = heads_[table]->next();
  if (least == nullptr || key < least->bytes) return nullptr;
  const Node* node = find_node(table, key, bucket(table, key));
  return node == nullptr ? nullptr : version_at(*node, sequence);
}

const Overlay::Entry* Overlay::seek(MDB_dbi table, std::string_view key, std::uint64_t sequence) const {
  return first_visible(lower_bound(table, key, nullptr), sequence);
}

const Overlay::Entry* Overlay::next(const Entry* entry, std::uint64_t sequence) const {
  return first_visible(static_cast<const Node*>(entry->of_)->next(), sequence);
}

std::optional<std::string_view> Overlay::last_key(MDB_dbi table) const {
  const Node* node = heads_[table];
  for (int level = kHeightMax - 1; level >= 0; --level)
    while (const Node* next = node->next(level)) node = next;
  return node == heads_[table] ? std::nullopt : std::optional(node->bytes);
}

const Overlay::Entry* Overlay::latest_from(const Node* node, std::size_t table) const {
  for (;;) {
    for (; node != nullptr; node = node->next())
      if (const Entry* entry = node->latest.load(std::memory_order_acquire)) return entry;
    if (++table == kTablesMax) return nullptr;
    node = heads_[table]->next();
  }
}

const Overlay::Entry* Overlay::first() const { return latest_from(heads_[0]->next(), 0); }
const Overlay::Entry* Overlay::next_key(const Entry* entry) const {
  return latest_from(static_cast<const Node*>(entry->of_)->next(), entry->table());
}

}  // namespace minigrpc::store
