#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>

#include "base/limits.h"
#include "net/address.h"
#include "rpc/channelz_registry.h"

namespace minigrpc::rpc::channelz {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TimePoint kNow{std::chrono::seconds(1000)};

net::SocketAddress address(const std::string& text) {
  return net::literal_addresses(*net::parse_address(text)).front();
}

class ChannelzTest : public ::testing::Test {
 protected:
  Group& add(Kind kind, const std::string& name, Group* parent = nullptr) {
    Group& group = groups_.emplace_back(kind, name, std::vector<const CallCounters*>{&calls_}, kNow);
    registry_.join(group, parent);
    return group;
  }
  std::vector<std::string> channels(std::int64_t start, std::size_t count_max, bool* end = nullptr) {
    const Page<GroupView> page = registry_.channels(start, count_max);
    if (end != nullptr) *end = page.end;
    std::vector<std::string> names;
    for (const GroupView& each : page.entries) names.push_back(each.reference.name);
    return names;
  }

  CallCounters calls_;
  Registry registry_;
  std::deque<Group> groups_;
};

TEST_F(ChannelzTest, APageBeginsAtAnIdAndSaysWhetherItIsTheLast) {
  for (const char* name : {"a", "b", "c"}) add(Kind::kChannel, name);
  add(Kind::kServer, "s");
  bool end = false;
  EXPECT_THAT(channels(0, 2, &end), ElementsAre("a", "b"));
  EXPECT_FALSE(end);
  EXPECT_THAT(channels(groups_[1].id() + 1, 2, &end), ElementsAre("c"));
  EXPECT_TRUE(end);
  EXPECT_THAT(channels(0, 3, &end), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(end);
  EXPECT_THAT(channels(groups_[3].id() + 1, 2, &end), IsEmpty());
  EXPECT_TRUE(end);
}

TEST_F(ChannelzTest, WhatHasLeftIsNotFound) {
  for (const char* name : {"a", "b", "c"}) add(Kind::kChannel, name);
  const std::int64_t id = groups_[1].id();
  groups_[1].leave();
  groups_[1].leave();
  EXPECT_THAT(channels(0, 9), ElementsAre("a", "c"));
  EXPECT_FALSE(registry_.find_group(Kind::kChannel, id));
  groups_[0].leave();
  groups_[2].leave();
  EXPECT_THAT(channels(0, 9), IsEmpty());
  add(Kind::kChannel, "d");
  EXPECT_THAT(channels(0, 9), ElementsAre("d"));
}

TEST_F(ChannelzTest, AnIdIsOfOneKind) {
  const std::int64_t channel = add(Kind::kChannel, "a").id();
  EXPECT_TRUE(registry_.find_group(Kind::kChannel, channel));
  EXPECT_FALSE(registry_.find_group(Kind::kSubchannel, channel));
  EXPECT_FALSE(registry_.find_group(Kind::kServer, channel));
  EXPECT_FALSE(registry_.find_socket(channel, Registry::Detail::kSummary));
  EXPECT_FALSE(registry_.server_sockets(channel, 0, 9));
  EXPECT_FALSE(registry_.find_group(Kind::kChannel, 0));
  EXPECT_FALSE(registry_.find_group(Kind::kChannel, -1));
}

TEST_F(ChannelzTest, ChildrenAreListedAndOutliveTheirParent) {
  Group& server = add(Kind::kServer, "");
  ListeningSocket first(address("127.0.0.1:5051"));
  {
    ListeningSocket second(address("unix:/run/prod.sock"));
    registry_.join(first, &server);
    registry_.join(second, &server);
    const GroupView view = *registry_.find_group(Kind::kServer, server.id());
    ASSERT_EQ(view.children.size(), 2u);
    EXPECT_EQ(view.children[0].name, "127.0.0.1:5051");
    EXPECT_EQ(view.children[1].name, "unix:/run/prod.sock");
  }
  EXPECT_EQ(registry_.find_group(Kind::kServer, server.id())->children.size(), 1u);
  server.leave();
  const auto view = registry_.find_socket(first.id(), Registry::Detail::kWithOptions);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->listening);
  EXPECT_EQ(view->local->name, std::string("\x7f\0\0\1", 4));
  EXPECT_EQ(view->local->port, 5051);
}

TEST_F(ChannelzTest, CallsOfSeveralCountersAreOneSum) {
  CallCounters other;
  Group server(Kind::kServer, "", {&calls_, &other}, kNow);
  registry_.join(server, nullptr);
  for (int i = 0; i < 3; ++i) calls_.started.add();
  other.started.add();
  calls_.end_with_ok();
  calls_.ended.add();
  other.end_with_ok();
  other.last_started.set(kNow);
  const CallsView calls = registry_.find_group(Kind::kServer, server.id())->calls;
  EXPECT_EQ(calls.started, 4u);
  EXPECT_EQ(calls.succeeded, 2u);
  EXPECT_EQ(calls.failed, 1u);
  EXPECT_EQ(calls.last_started, kNow);
}

TEST_F(ChannelzTest, TheTraceKeepsTheLatestEvents) {
  Group& channel = add(Kind::kChannel, "a");
  for (std::size_t i = 0; i < limits::kTraceEventsMax + 2; ++i)
    channel.trace().add({.at = kNow, .text = "event " + std::to_string(i)});
  channel.trace().add({.at = kNow, .text = std::string(2 * limits::kTraceTextSizeMax, 'x')});
  const TraceView trace = registry_.find_group(Kind::kChannel, channel.id())->trace;
  EXPECT_EQ(trace.events_logged, limits::kTraceEventsMax + 4);
  ASSERT_EQ(trace.events.size(), limits::kTraceEventsMax);
  EXPECT_EQ(trace.events.front().text, "event 3");
  EXPECT_EQ(trace.events.back().text.size(), limits::kTraceTextSizeMax);
}

TEST_F(ChannelzTest, AStateIsTracedWhenItIsAnotherOne) {
  Group& channel = add(Kind::kChannel, "a");
  const Status why(StatusCode::kUnavailable, "nobody is there");
  channel.set_state(ChannelState::kIdle, {}, kNow);
  channel.set_state(ChannelState::kConnecting, why, kNow);
  channel.set_state(ChannelState::kConnecting, why, kNow);
  channel.set_state(ChannelState::kTransientFailure, why, kNow);
  const GroupView view = *registry_.find_group(Kind::kChannel, channel.id());
  EXPECT_EQ(view.state, ChannelState::kTransientFailure);
  std::vector<std::string> texts;
  for (const TraceEvent& event : view.trace.events) texts.push_back(event.text);
  EXPECT_THAT(texts, ElementsAre("created", "state CONNECTING", "state TRANSIENT_FAILURE: nobody is there"));
  EXPECT_EQ(view.trace.events[1].severity, Severity::kInfo);
  EXPECT_EQ(view.trace.events[2].severity, Severity::kWarning);
}

TEST_F(ChannelzTest, ATurnIsStampedOnce) {
  SocketCounters counters;
  EXPECT_FALSE(counters.has_news());
  counters.stream_started();
  counters.messages_received(2);
  EXPECT_TRUE(counters.has_news());
  counters.stamp(kNow);
  EXPECT_FALSE(counters.has_news());
  counters.messages_received(0);
  EXPECT_FALSE(counters.has_news());
  EXPECT_EQ(counters.counts().messages_received.get(), 2u);
  EXPECT_EQ(counters.streams_open(), 1u);
  EXPECT_EQ(counters.counts().last_stream_started.get(), kNow);
  EXPECT_EQ(counters.counts().last_message_received.get(), kNow);
  EXPECT_EQ(counters.counts().last_message_sent.get(), TimePoint());
}

TEST_F(ChannelzTest, ReadersMeetWhoComesAndGoes) {
  std::atomic<bool> over{false};
  Group& server = add(Kind::kServer, "");
  std::thread reader([&] {
    while (!over.load()) {
      for (const GroupView& channel : registry_.channels(0, 9).entries)
        EXPECT_EQ(channel.reference.name, "come and go");
      EXPECT_TRUE(registry_.server_sockets(server.id(), 0, 9));
    }
  });
  for (int i = 0; i < 2000; ++i) {
    Group channel(Kind::kChannel, "come and go", {&calls_}, kNow);
    registry_.join(channel, nullptr);
    calls_.started.add();
    channel.set_state(i % 2 == 0 ? ChannelState::kReady : ChannelState::kShutdown, {}, kNow);
    ListeningSocket socket(address("127.0.0.1:1"));
    registry_.join(socket, &server);
  }
  over.store(true);
  reader.join();
  EXPECT_THAT(channels(0, 9), IsEmpty());
}

}  // namespace
}  // namespace minigrpc::rpc::channelz
