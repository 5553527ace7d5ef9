#include "etcd/watch_cursor.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace minigrpc::etcd {
namespace {

using Kind = WatchUpdate::Kind;
using Next = WatchCursor::Next;

etcdserverpb::WatchResponse response(const std::string& text) {
  etcdserverpb::WatchResponse message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message))
    ADD_FAILURE() << "not a WatchResponse: " << text;
  return message;
}

std::int64_t next_start(WatchCursor& cursor) {
  return cursor.create_request().create_request().start_revision();
}

WatchOptions of_prefix(std::int64_t start_revision) {
  return {.keys = KeyRange::prefix("a/"), .start_revision = start_revision};
}

WatchOptions after(ResponseHeader header) { return {.keys = KeyRange::prefix("a/"), .after = header}; }

TEST(WatchCursor, AsksForWhatItsUserWants) {
  WatchCursor cursor(
      {.keys = KeyRange::prefix("a/"), .start_revision = 5, .prev_kv = true, .no_delete = true});
  EXPECT_EQ(cursor.create_request().ShortDebugString(),
            "create_request { key: \"a/\" range_end: \"a0\" start_revision: 5 progress_notify: true filters: "
            "NODELETE "
            "prev_kv: true }");
}

TEST(WatchCursor, ResumesBehindTheLastEvent) {
  WatchCursor cursor(of_prefix(0));
  EXPECT_EQ(next_start(cursor), 0);
  EXPECT_FALSE(cursor.confirmed());
  EXPECT_FALSE(cursor.on_response(response("header { revision: 10 } created: true")).update);
  EXPECT_TRUE(cursor.confirmed());
  EXPECT_EQ(next_start(cursor), 11) << "nothing that happens from now on may be missed";

  cursor.on_response(response("header { revision: 10 } created: true"));
  auto step =
      cursor.on_response(response("header { revision: 15 } "
                                  "events { kv { key: 'a/1' mod_revision: 12 } } "
                                  "events { type: DELETE kv { key: 'a/2' mod_revision: 13 } }"));
  ASSERT_TRUE(step.update);
  EXPECT_EQ(step.update->kind, Kind::kEvents);
  ASSERT_EQ(step.update->events.size(), 2u);
  EXPECT_EQ(step.update->events[1].type, EventType::kDelete);
  EXPECT_EQ(next_start(cursor), 14) << "the header may be ahead of events that are still to come";
}

TEST(WatchCursor, DoesNotRepeatEvents) {
  WatchCursor cursor(of_prefix(0));
  cursor.on_response(response("header { revision: 10 } created: true"));
  cursor.on_response(response("header { revision: 11 } events { kv { key: 'a/1' mod_revision: 11 } }"));
  EXPECT_FALSE(
      cursor.on_response(response("header { revision: 11 } events { kv { key: 'a/1' mod_revision: 11 } }"))
          .update);
}

TEST(WatchCursor, ProgressMovesTheResumptionButTheAnswerToARequestDoesNot) {
  WatchCursor cursor(of_prefix(0));
  cursor.on_response(response("header { revision: 10 } created: true"));
  EXPECT_FALSE(cursor.on_response(response("header { revision: 20 } watch_id: -1")).update);
  EXPECT_EQ(next_start(cursor), 11);
  cursor.on_response(response("header { revision: 20 } created: true"));
  auto step = cursor.on_response(response("header { revision: 30 }"));
  ASSERT_TRUE(step.update);
  EXPECT_EQ(step.update->kind, Kind::kProgress);
  EXPECT_EQ(next_start(cursor), 31);
}

TEST(WatchCursor, CompactionMeansResynchronise) {
  WatchCursor cursor(of_prefix(3));
  cursor.on_response(response("header { revision: 40 } created: true"));
  auto step = cursor.on_response(response("header { revision: 40 } canceled: true compact_revision: 30"));
  EXPECT_EQ(step.next, Next::kReopen);
  ASSERT_TRUE(step.update);
  EXPECT_EQ(step.update->kind, Kind::kResynchronise);
  EXPECT_EQ(step.update->compact_revision, 30);
  EXPECT_EQ(step.update->reason.to_string(),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(next_start(cursor), 41);
}

TEST(WatchCursor, ACompactionThatNamesNoRevisionCountsFromTheConfirmation) {
  WatchCursor cursor(of_prefix(3));
  cursor.on_response(response("header { cluster_id: 1 revision: 40 } created: true"));
  auto step = cursor.on_response(response("header { cluster_id: 1 } canceled: true compact_revision: 30"));
  ASSERT_TRUE(step.update);
  EXPECT_EQ(step.update->header.revision, 40);
  EXPECT_EQ(next_start(cursor), 41);
}

TEST(WatchCursor, AServerThatWasSetBackMeansResynchronise) {
  struct Case {
    const char* name;
    ResponseHeader known;
    const char* created;
    bool set_back;
  };
  const ResponseHeader known{.cluster_id = 1, .member_id = 2, .revision = 50, .raft_term = 4};
  for (const Case& c : {
           Case{"same", known, "header { cluster_id: 1 revision: 50 raft_term: 4 } created: true", false},
           Case{"moved on", known, "header { cluster_id: 1 revision: 60 raft_term: 5 } created: true", false},
           Case{"revision", known, "header { cluster_id: 1 revision: 49 raft_term: 4 } created: true", true},
           Case{"cluster", known, "header { cluster_id: 9 revision: 60 raft_term: 4 } created: true", true},
           Case{"term", known, "header { cluster_id: 1 revision: 60 raft_term: 2 } created: true", true},
       }) {
    WatchCursor cursor(after(c.known));
    EXPECT_EQ(next_start(cursor), 51) << c.name;
    auto step = cursor.on_response(response(c.created));
    EXPECT_EQ(step.update.has_value(), c.set_back) << c.name;
    EXPECT_EQ(step.next, c.set_back ? Next::kReopen : Next::kRead) << c.name;
    EXPECT_EQ(cursor.confirmed(), !c.set_back) << c.name;
    if (!c.set_back) continue;
    EXPECT_EQ(step.update->kind, Kind::kResynchronise) << c.name;
    EXPECT_EQ(next_start(cursor), step.update->header.revision + 1) << c.name;
    EXPECT_FALSE(cursor.on_response(response(c.created)).update) << c.name << ": said once";
  }
}

TEST(WatchCursor, AFutureStartOfItsUserIsLegal) {
  WatchCursor cursor(of_prefix(1000));
  EXPECT_EQ(cursor.on_response(response("header { revision: 10 } created: true")).next, Next::kRead);
  EXPECT_EQ(next_start(cursor), 1000);
}

TEST(WatchCursor, ProgressBeforeAFutureStartKeepsIt) {
  WatchCursor cursor(of_prefix(1000));
  cursor.on_response(response("header { revision: 10 } created: true"));
  cursor.on_response(response("header { revision: 20 }"));
  EXPECT_EQ(next_start(cursor), 1000);
}

TEST(WatchCursor, RefusalsAreFinalOrNot) {
  struct Case {
    const char* reason;
    Next next;
    StatusCode code;
  };
  for (const Case& c : {Case{"etcdserver: no leader", Next::kRetry, StatusCode::kUnavailable},
                        Case{"etcdserver: permission denied", Next::kFail, StatusCode::kPermissionDenied},
                        Case{"", Next::kFail, StatusCode::kFailedPrecondition}}) {
    WatchCursor cursor(of_prefix(1));
    auto message = response("header { revision: 10 } created: true canceled: true");
    message.set_cancel_reason(c.reason);
    auto step = cursor.on_response(std::move(message));
    EXPECT_EQ(step.next, c.next) << c.reason;
    EXPECT_EQ(step.failure.code(), c.code) << c.reason;
    EXPECT_FALSE(step.update);
  }
}

TEST(WatchCursor, AnEndedStreamIsTriedAgainUnlessTheServerRefuses) {
  const auto next = [](StatusCode code, StatusOrigin origin) {
    return WatchCursor::on_stream_ended(Status(code, "x", {}, origin)).next;
  };
  EXPECT_EQ(WatchCursor::on_stream_ended(Status()).next, Next::kRetry);
  EXPECT_EQ(next(StatusCode::kUnavailable, StatusOrigin::kPeer), Next::kRetry);
  EXPECT_EQ(next(StatusCode::kUnavailable, StatusOrigin::kLocal), Next::kRetry);
  EXPECT_EQ(next(StatusCode::kInternal, StatusOrigin::kPeer), Next::kRetry);
  EXPECT_EQ(next(StatusCode::kPermissionDenied, StatusOrigin::kPeer), Next::kFail);
  EXPECT_EQ(next(StatusCode::kUnimplemented, StatusOrigin::kPeer), Next::kFail);
  EXPECT_EQ(next(StatusCode::kUnimplemented, StatusOrigin::kLocal), Next::kRetry);
}

}  // namespace
}  // namespace minigrpc::etcd
