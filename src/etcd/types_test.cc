#include <gtest/gtest.h>
#include <minigrpc/etcd_types.h>

#include "etcd/convert.h"

namespace minigrpc::etcd {
namespace {

using namespace std::string_literals;

TEST(KeyRange, OfAPrefixEndsBeforeTheNextPrefix) {
  struct Case {
    std::string prefix, key, range_end;
  };
  for (const Case& c : {Case{"a", "a", "b"}, Case{"a/", "a/", "a0"}, Case{"a\xff", "a\xff", "b"},
                        Case{"a\xff\xff", "a\xff\xff", "b"}, Case{"\xff", "\xff", "\0"s},
                        Case{"", "\0"s, "\0"s}, Case{"\x7f", "\x7f", "\x80"}}) {
    const KeyRange range = KeyRange::prefix(c.prefix);
    EXPECT_EQ(range.key, c.key);
    EXPECT_EQ(range.range_end, c.range_end);
  }
}

TEST(KeyRange, FromAKeyHasNoEnd) {
  EXPECT_EQ(KeyRange::from("b").key, "b");
  EXPECT_EQ(KeyRange::from("b").range_end, "\0"s);
  EXPECT_EQ(KeyRange::from("").key, "\0"s);
  EXPECT_EQ(KeyRange::single("b").range_end, "");
}

TEST(Txn, BecomesEtcdsMessage) {
  TxnRequest inner;
  inner.when(Compare::lease_is("k", 7)).then(DeleteRangeRequest{.keys = KeyRange::single("k")});
  TxnRequest txn;
  txn.when(Compare::absent("k"))
      .when(Compare::value_is("v", "x"))
      .when(Compare::mod_revision_is("m", 3))
      .then(PutRequest{.key = "k", .value = "v", .lease = 9})
      .then(std::make_shared<const TxnRequest>(inner))
      .otherwise(RangeRequest{.keys = KeyRange::prefix("p"), .limit = 2});
  const etcdserverpb::TxnRequest message = to_proto(txn);
  EXPECT_EQ(message.ShortDebugString(),
            "compare { target: CREATE key: \"k\" create_revision: 0 } "
            "compare { target: VALUE key: \"v\" value: \"x\" } "
            "compare { target: MOD key: \"m\" mod_revision: 3 } "
            "success { request_put { key: \"k\" value: \"v\" lease: 9 } } "
            "success { request_txn { compare { target: LEASE key: \"k\" lease: 7 } "
            "success { request_delete_range { key: \"k\" } } } } "
            "failure { request_range { key: \"p\" range_end: \"q\" limit: 2 } }");
}

TEST(Txn, AnswerBecomesStructs) {
  etcdserverpb::TxnResponse message;
  message.mutable_header()->set_revision(12);
  message.set_succeeded(true);
  message.add_responses()->mutable_response_put();
  mvccpb::KeyValue& kv = *message.add_responses()->mutable_response_range()->add_kvs();
  kv.set_key("k");
  kv.set_mod_revision(5);
  message.add_responses()->mutable_response_txn()->set_succeeded(true);
  const TxnResponse txn = from_proto(std::move(message));
  EXPECT_EQ(txn.header.revision, 12);
  EXPECT_TRUE(txn.succeeded);
  ASSERT_EQ(txn.responses.size(), 3u);
  EXPECT_FALSE(std::get<PutResponse>(txn.responses[0]).prev_kv);
  EXPECT_EQ(std::get<RangeResponse>(txn.responses[1]).kvs.at(0).mod_revision, 5);
  EXPECT_TRUE(std::get<std::shared_ptr<const TxnResponse>>(txn.responses[2])->succeeded);
}

}  // namespace
}  // namespace minigrpc::etcd
