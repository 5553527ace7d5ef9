// WatchHub: brings committed events to the watchers that want them; a slow one is sent back to the store's history.
//
//                 start, start revision > published          queue full
//      (new) ───────────────────────────────▶ following ──────────────────▶ behind
//        │                                        ▲                            │
//        └── start revision in the past ─────────────── follow() once the history was read up to the present
//
// Each client's stream has one Outbox. The writer thread calls publish(); a stream takes what is there, one turn at a
// time, and reads from history for the watchers that are behind. Every event of a watcher's range is delivered once,
// in order of revision: while it follows through the outbox, while it is behind from history.
//
// Thread rule: any thread; one lock, held for memory operations alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/store.h"

namespace minigrpc::registry {

// What a watcher wants to see.
struct WatchFilter {
  std::string key;
  std::string range_end;  // as store::KeyRange
  bool puts = true;
  bool deletes = true;

  store::KeyRange keys() const { return {key, range_end}; }
  bool wants(store::EventType type) const { return type == store::EventType::kPut ? puts : deletes; }
};

class Outbox;

class Watcher {
 public:
  // `id` is the owner's.
  Watcher(WatchFilter filter, std::int64_t id) : filter_(std::move(filter)), id_(id) {}
  Watcher(const Watcher&) = delete;
  std::int64_t id() const { return id_; }
  const WatchFilter& filter() const { return filter_; }

 private:
  friend class WatchHub;
  enum class State : std::uint8_t { kIdle, kFollowing, kBehind };

  const WatchFilter filter_;
  const std::int64_t id_;
  // Under the hub's lock. What comes before next_revision_ was delivered or is not wanted.
  State state_ = State::kIdle;
  std::int64_t next_revision_ = 0;
  Outbox* outbox_ = nullptr;
  // Its delivery of the commit with that sequence number, to be extended by further events of it.
  std::uint64_t open_sequence_ = 0;
  std::size_t open_delivery_ = 0;
};

// A commit, for as long as somebody is to hear of it.
class Published {
 public:
  // Counts its bytes in `kept` while it lives; borrowed.
  Published(store::Committed committed, std::atomic<std::size_t>& kept);
  ~Published() { kept_ -= bytes_; }
  Published(const Published&) = delete;

  std::int64_t revision() const { return committed_.revision; }
  const std::vector<store::Event>& events() const { return committed_.events; }
  std::size_t bytes() const { return bytes_; }

 private:
  const store::Committed committed_;
  const std::size_t bytes_;
  std::atomic<std::size_t>& kept_;
};
using PublishedPtr = std::shared_ptr<const Published>;

// Events of one commit for one watcher: those in [begin, end) that match its filter.
struct Delivery {
  std::shared_ptr<Watcher> watcher;
  PublishedPtr commit;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A watcher whose events from `next_revision` on are to be read from history.
struct Behind {
  std::shared_ptr<Watcher> watcher;
  std::int64_t next_revision = 0;
};

// What a stream has to do next, in this order.
struct Turn {
  std::vector<Delivery> deliveries;
  // Some stay in the outbox: to be taken next, before anything else is done.
  bool more = false;
  std::vector<Behind> behind;  // once there is no more
  // Once all of `deliveries` are sent, everything up to here was, for the watchers that are not behind.
  std::int64_t revision = 0;
};

class Outbox {
 public:
  // `wake` says that there is something to take; called under the hub's lock, so it must not call the hub.
  explicit Outbox(std::function<void()> wake) : wake_(std::move(wake)) {}
  Outbox(const Outbox&) = delete;

 private:
  friend class WatchHub;
  const std::function<void()> wake_;
  // Under the hub's lock.
  std::vector<Delivery> deliveries_;
  std::size_t bytes_ = 0;  // of the commits that the deliveries keep
  std::map<Watcher*, Behind> behind_;
  // Its place in WatchHub::waiting_ while there are deliveries, here otherwise: moving it takes no memory.
  std::list<Outbox*> self_{this};
  const std::list<Outbox*>::iterator place_ = self_.begin();
};

class WatchHub {
 public:
  // What one stream's client may leave unread before its watchers fall back to history. The threat is a client that
  // watches and does not read. A delivery keeps its whole commit, so that is what counts; streams share commits.
  static constexpr std::size_t kOutboxDeliveriesMax = 1024;
  static constexpr std::size_t kOutboxBytesMax = 8u << 20;
  // One turn ends with the commit in which it reaches so much: what was taken is kept until the client reads.
  static constexpr std::size_t kTurnBytesMax = 256u << 10;
  // Of all commits that outboxes keep. Beyond it those that have not moved for longest give theirs up, and their watchers
  // fall back to history. The threat is many such clients, which began at different times.
  static constexpr std::size_t kKeptBytesMax = 64u << 20;

  // `revision`: the store's at the start. It outlives what is taken from it.
  explicit WatchHub(std::int64_t revision, std::size_t kept_bytes_max = kKeptBytesMax)
      : kept_bytes_max_(kept_bytes_max), revision_(revision) {}
  WatchHub(const WatchHub&) = delete;

  // In order of revision, each commit once.
  void publish(store::Committed committed);
  struct Statistics {
    std::size_t watchers = 0;
    std::size_t behind = 0;    // of these, those that read history
    std::uint64_t events = 0;  // published
  };
  Statistics statistics() const;
  // What was published last. Every write that was acknowledged is in it.
  std::int64_t revision() const;

  // The watcher's first event is that of `start_revision`; at most 0: of the next commit. Returns revision().
  std::int64_t start(const std::shared_ptr<Watcher>& watcher, Outbox& outbox, std::int64_t start_revision);
  // Its history up to `seen_revision` was read: true if it follows from there, false if it stays behind.
  bool follow(const std::shared_ptr<Watcher>& watcher, std::int64_t seen_revision);
  // Ends it: nothing of it is in a later Turn.
  void stop(Watcher& watcher);
  // Takes what there is, up to kTurnBytesMax.
  Turn take(Outbox& outbox);
  // Bytes of the commits that somebody is still to hear of.
  std::size_t kept_bytes() const { return kept_bytes_; }

 private:
  // Watchers that follow, by what they watch. Prefixes are by far the most common ranges, so they are found by hash:
  // one look-up for each length that occurs.
  using Followers = std::vector<std::shared_ptr<Watcher>>;
  struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using ByString = std::unordered_map<std::string, Followers, StringHash, std::equal_to<>>;

  Followers& followers_of(const WatchFilter& filter);
  void attach(const std::shared_ptr<Watcher>& watcher);
  void detach(Watcher& watcher);
  void set_state(Watcher& watcher, Watcher::State state);
  template <class Visit>
  void for_each_follower(std::string_view key, Visit visit);
  // False when the outbox is full: the watcher is behind now, and still to be detached.
  bool deliver(const std::shared_ptr<Watcher>& watcher, const PublishedPtr& commit, std::size_t index);
  // Its next event is to be read from history.
  void send_back(const std::shared_ptr<Watcher>& watcher, std::int64_t next_revision);
  // Takes away what outboxes keep, until all keep at most kept_bytes_max_.
  void limit_kept();
  void clear(Outbox& outbox);

  const std::size_t kept_bytes_max_;
  std::atomic<std::size_t> kept_bytes_ = 0;
  mutable std::mutex mutex_;
  std::int64_t revision_;
  Statistics statistics_;
  std::uint64_t sequence_ = 0;   // commits published
  std::list<Outbox*> waiting_;   // with deliveries; the one that was taken from longest ago first
  ByString by_key_;
  ByString by_prefix_;
  std::map<std::size_t, std::size_t> prefix_lengths_;  // length to number of watchers
  Followers by_range_;
};

}  // namespace minigrpc::registry
