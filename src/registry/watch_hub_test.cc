#include "registry/watch_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <list>
#include <random>

namespace minigrpc::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

store::Event put(std::int64_t revision, std::string key, std::string value = {}) {
  store::Event event;
  event.revision = {.main = revision, .sub = 0};
  event.kv.key = std::move(key);
  event.kv.value = std::move(value);
  event.kv.mod_revision = revision;
  return event;
}

store::Event removal(std::int64_t revision, std::string key) {
  store::Event event = put(revision, std::move(key));
  event.type = store::EventType::kDelete;
  return event;
}

store::Committed commit(std::vector<store::Event> events) {
  const std::int64_t revision = events.back().revision.main;
  return {.revision = revision, .events = std::move(events)};
}

// What the deliveries of a turn say: "id:revision:key".
std::vector<std::string> seen(const Turn& turn) {
  std::vector<std::string> lines;
  for (const Delivery& delivery : turn.deliveries) {
    for (std::size_t index = delivery.begin; index < delivery.end; ++index) {
      const store::Event& event = delivery.commit->events()[index];
      const WatchFilter& filter = delivery.watcher->filter();
      if (!filter.wants(event.type) || !filter.keys().contains(event.kv.key)) continue;
      lines.push_back(std::to_string(delivery.watcher->id()) + ":" + std::to_string(event.revision.main) + ":" +
                      event.kv.key);
    }
  }
  return lines;
}

class WatchHubTest : public ::testing::Test {
 protected:
  std::shared_ptr<Watcher> watch(WatchFilter filter, std::int64_t start_revision = 0) {
    auto watcher = std::make_shared<Watcher>(std::move(filter), next_id_++);
    hub_.start(watcher, outbox_, start_revision);
    return watcher;
  }

  int wakes_ = 0;
  std::int64_t next_id_ = 0;
  WatchHub hub_{10};
  Outbox outbox_{[this] { ++wakes_; }};
};

TEST_F(WatchHubTest, DeliversKeysPrefixesAndRanges) {
  watch({.key = "a", .range_end = {}});
  watch({.key = "a/", .range_end = "a0"});
  watch({.key = "a", .range_end = "b/zz"});
  watch({.key = "b", .range_end = std::string(1, '\0')});
  hub_.publish(commit({put(11, "a"), put(12, "a/x"), put(13, "b"), put(14, "z")}));
  EXPECT_THAT(seen(hub_.take(outbox_)), ::testing::UnorderedElementsAre("0:11:a", "1:12:a/x", "2:11:a", "2:12:a/x",
                                                                        "2:13:b", "3:13:b", "3:14:z"));
  EXPECT_EQ(wakes_, 1);
}

TEST_F(WatchHubTest, FiltersPutsAndDeletions) {
  watch({.key = "k", .range_end = {}, .puts = false});
  watch({.key = "k", .range_end = {}, .deletes = false});
  hub_.publish(commit({put(11, "k"), removal(12, "k")}));
  EXPECT_THAT(seen(hub_.take(outbox_)), ::testing::UnorderedElementsAre("0:12:k", "1:11:k"));
}

TEST_F(WatchHubTest, EventsOfOneCommitAreOneDelivery) {
  watch({.key = "a/", .range_end = "a0"});
  watch({.key = "a/", .range_end = "a0"});
  hub_.publish(commit({put(11, "a/1"), put(11, "a/2"), put(12, "a/3")}));
  EXPECT_EQ(hub_.take(outbox_).deliveries.size(), 2u);
}

TEST_F(WatchHubTest, StartsAtAFutureRevision) {
  watch({.key = "k", .range_end = {}}, 12);
  hub_.publish(commit({put(11, "k")}));
  hub_.publish(commit({put(12, "k")}));
  EXPECT_THAT(seen(hub_.take(outbox_)), ElementsAre("0:12:k"));
}

TEST_F(WatchHubTest, StartsInThePastFromHistory) {
  const auto watcher = watch({.key = "k", .range_end = {}}, 10);
  hub_.publish(commit({put(11, "k")}));
  Turn turn = hub_.take(outbox_);
  EXPECT_THAT(seen(turn), IsEmpty());
  ASSERT_EQ(turn.behind.size(), 1u);
  EXPECT_EQ(turn.behind[0].next_revision, 10);
  EXPECT_FALSE(hub_.follow(watcher, 10));
  EXPECT_EQ(hub_.take(outbox_).behind[0].next_revision, 11);
  EXPECT_TRUE(hub_.follow(watcher, 11));
  hub_.publish(commit({put(12, "k")}));
  turn = hub_.take(outbox_);
  EXPECT_THAT(seen(turn), ElementsAre("0:12:k"));
  EXPECT_THAT(turn.behind, IsEmpty());
}

// History may be ahead of what was published: a commit is visible to readers a moment before.
TEST_F(WatchHubTest, DoesNotRepeatWhatHistoryShowed) {
  const auto watcher = watch({.key = "k", .range_end = {}}, 10);
  EXPECT_TRUE(hub_.follow(watcher, 11));
  hub_.publish(commit({put(11, "k")}));
  hub_.publish(commit({put(12, "k")}));
  EXPECT_THAT(seen(hub_.take(outbox_)), ElementsAre("0:12:k"));
}

TEST_F(WatchHubTest, StoppedWatchersHearNothing) {
  const auto watcher = watch({.key = "k", .range_end = {}});
  watch({.key = "k", .range_end = {}});
  hub_.publish(commit({put(11, "k")}));
  hub_.stop(*watcher);
  hub_.publish(commit({put(12, "k")}));
  EXPECT_THAT(seen(hub_.take(outbox_)), ElementsAre("1:11:k", "1:12:k"));
}

// A slow watcher goes back to history, and its outbox grows no more.
TEST_F(WatchHubTest, AFullOutboxSendsItBackToHistory) {
  const auto watcher = watch({.key = "k", .range_end = {}});
  // A commit counts as a whole, since the delivery keeps it.
  store::Event unrelated = put(11, "other");
  unrelated.kv.value.assign(WatchHub::kOutboxBytesMax, 'x');
  hub_.publish(commit({put(11, "k"), unrelated}));
  hub_.publish(commit({put(12, "other")}));
  hub_.publish(commit({put(13, "k"), put(13, "k")}));
  hub_.publish(commit({put(14, "k")}));
  Turn turn = hub_.take(outbox_);
  EXPECT_THAT(seen(turn), ElementsAre("0:11:k"));
  EXPECT_FALSE(turn.more);
  ASSERT_EQ(turn.behind.size(), 1u);
  EXPECT_EQ(turn.behind[0].next_revision, 13);
  EXPECT_TRUE(hub_.follow(watcher, 14));
  hub_.publish(commit({put(15, "k")}));
  EXPECT_THAT(seen(hub_.take(outbox_)), ElementsAre("0:15:k"));
}

TEST_F(WatchHubTest, ManySmallDeliveriesFillTheOutboxToo) {
  watch({.key = "k", .range_end = {}});
  std::int64_t revision = 11;
  for (std::size_t i = 0; i < WatchHub::kOutboxDeliveriesMax + 5; ++i) hub_.publish(commit({put(revision++, "k")}));
  std::size_t delivered = 0;
  Turn turn;
  do {
    turn = hub_.take(outbox_);
    delivered += turn.deliveries.size();
  } while (turn.more);
  EXPECT_EQ(delivered, WatchHub::kOutboxDeliveriesMax);
  ASSERT_EQ(turn.behind.size(), 1u);
  EXPECT_EQ(turn.behind[0].next_revision, 11 + static_cast<std::int64_t>(WatchHub::kOutboxDeliveriesMax));
}

// What a client that stops reading has taken stays small, even if much waits for it.
TEST_F(WatchHubTest, OneTurnTakesNoMoreThanItsBound) {
  watch({.key = "k", .range_end = {}});
  const std::string half(WatchHub::kTurnBytesMax / 2, 'x');
  for (std::int64_t revision = 11; revision < 16; ++revision) hub_.publish(commit({put(revision, "k", half)}));
  Turn turn = hub_.take(outbox_);
  EXPECT_THAT(seen(turn), ElementsAre("0:11:k", "0:12:k"));
  EXPECT_TRUE(turn.more);
  EXPECT_EQ(turn.revision, 12) << "what progress may be told of";
  turn = hub_.take(outbox_);
  EXPECT_THAT(seen(turn), ElementsAre("0:13:k", "0:14:k"));
  turn = hub_.take(outbox_);
  EXPECT_THAT(seen(turn), ElementsAre("0:15:k"));
  EXPECT_FALSE(turn.more);
  EXPECT_EQ(turn.revision, 15);
}

// Many clients that stopped at different times keep different commits: together no more than the hub's bound.
TEST_F(WatchHubTest, ThoseThatWaitLongestGiveUpWhatTheyKeep) {
  constexpr std::size_t kMax = 10'000;
  WatchHub hub(10, kMax);
  std::list<Outbox> outboxes;
  std::vector<std::shared_ptr<Watcher>> watchers;
  const std::string value(kMax / 8, 'x');
  std::int64_t revision = 10;
  for (int client = 0; client < 20; ++client) {
    watchers.push_back(std::make_shared<Watcher>(WatchFilter{.key = "k", .range_end = {}}, client));
    hub.start(watchers.back(), outboxes.emplace_back([] {}), 0);
    hub.publish(commit({put(++revision, "k", value)}));
    EXPECT_LE(hub.kept_bytes(), kMax);
  }
  // The first was sent back to its very first event, the last follows.
  Turn turn = hub.take(outboxes.front());
  EXPECT_THAT(turn.deliveries, IsEmpty());
  ASSERT_EQ(turn.behind.size(), 1u);
  EXPECT_EQ(turn.behind[0].next_revision, 11);
  EXPECT_THAT(seen(hub.take(outboxes.back())), ElementsAre("19:30:k"));
  EXPECT_TRUE(hub.follow(watchers.front(), revision));
  hub.publish(commit({put(++revision, "k")}));
  EXPECT_THAT(seen(hub.take(outboxes.front())), ElementsAre("0:31:k"));
  for (const std::shared_ptr<Watcher>& watcher : watchers) hub.stop(*watcher);
  turn = {};
  EXPECT_EQ(hub.kept_bytes(), 0u);
}

// Random commits, watchers that come, go, are slow or behind; each must see its range's events once, in order.
TEST_F(WatchHubTest, NothingIsLostRepeatedOrReordered) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](unsigned bound) { return random() % bound; };
  struct Follower {
    std::shared_ptr<Watcher> watcher;
    std::int64_t from;
    std::vector<std::string> got;
  };
  // Two clients, one of which reads seldom, and a hub that keeps little.
  WatchHub hub(10, WatchHub::kOutboxBytesMax * 2 / 3);
  std::array<Outbox, 2> outboxes{Outbox([] {}), Outbox([] {})};
  std::vector<store::Event> history;
  std::vector<Follower> followers;
  std::int64_t revision = 10;
  const auto text = [](const store::Event& event) { return std::to_string(event.revision.main) + event.kv.key; };
  const auto key = [&] { return std::string(1 + below(2), static_cast<char>('a' + below(3))); };

  const auto drain = [&](Outbox& outbox) {
    const Turn turn = hub.take(outbox);
    for (const Delivery& delivery : turn.deliveries)
      for (std::size_t index = delivery.begin; index < delivery.end; ++index) {
        const store::Event& event = delivery.commit->events()[index];
        if (delivery.watcher->filter().keys().contains(event.kv.key))
          followers[static_cast<std::size_t>(delivery.watcher->id())].got.push_back(text(event));
      }
    for (const Behind& behind : turn.behind) {
      // Sometimes only a part of the history is read.
      const std::int64_t to = below(2) == 0 ? revision : std::min(revision, behind.next_revision + 3);
      for (const store::Event& event : history)
        if (event.revision.main >= behind.next_revision && event.revision.main <= to &&
            behind.watcher->filter().keys().contains(event.kv.key))
          followers[static_cast<std::size_t>(behind.watcher->id())].got.push_back(text(event));
      hub.follow(behind.watcher, to);
    }
    return turn.more || !turn.behind.empty();
  };

  for (int step = 0; step < 1500; ++step) {
    switch (below(8)) {
      case 0: {
        if (followers.size() >= 50) break;
        WatchFilter filter;
        filter.key = key();
        if (below(2) == 0) {
          filter.range_end = filter.key;
          ++filter.range_end.back();
        }
        const std::int64_t from = below(2) == 0 ? 0 : 11 + below(static_cast<unsigned>(revision));
        const auto watcher = std::make_shared<Watcher>(std::move(filter), static_cast<std::int64_t>(followers.size()));
        hub.start(watcher, outboxes[below(2)], from);
        followers.push_back({watcher, from > 0 ? from : revision + 1, {}});
        break;
      }
      case 1:
        drain(outboxes[below(8) == 0 ? 1 : 0]);
        break;
      default: {
        std::vector<store::Event> events;
        for (unsigned many = 1 + below(4); many > 0; --many) {
          ++revision;
          for (unsigned parts = 1 + below(2); parts > 0; --parts) events.push_back(put(revision, key()));
          if (below(200) == 0) events.back().kv.value.assign(WatchHub::kOutboxBytesMax / 3, 'x');
        }
        history.insert(history.end(), events.begin(), events.end());
        hub.publish(commit(std::move(events)));
      }
    }
  }
  for (Outbox& outbox : outboxes) {
    for (bool more = true; more;) more = drain(outbox);
  }
  for (const Follower& follower : followers) {
    std::vector<std::string> expected;
    for (const store::Event& event : history)
      if (event.revision.main >= follower.from && follower.watcher->filter().keys().contains(event.kv.key))
        expected.push_back(text(event));
    EXPECT_EQ(follower.got, expected) << "watcher " << follower.watcher->id();
  }
}

}  // namespace
}  // namespace minigrpc::registry
