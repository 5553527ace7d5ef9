// Transactions: compares, branches, nesting, and what is refused.
#include "api_test.h"

namespace minigrpc::testing {
namespace {

class Txn : public Api {
 protected:
  bool holds(const std::string& compare) { return txn("compare { " + compare + " }").succeeded(); }
};
INSTANTIATE_API_TEST(Txn);

struct CompareRow {
  const char* compare;
  bool holds;
};

TEST_P(Txn, ComparesEveryTargetInEveryWay) {
  get(lease.LeaseGrant(parse<LeaseGrantRequest>("ID: 9 TTL: 600"), options()));
  put("k", "old", 9);  // 2
  put("k", "m", 9);    // 3
  for (const CompareRow& row : {
           CompareRow{"target: VERSION result: EQUAL version: 2", true},
           CompareRow{"target: VERSION result: GREATER version: 1", true},
           CompareRow{"target: VERSION result: GREATER version: 2", false},
           CompareRow{"target: VERSION result: LESS version: 3", true},
           CompareRow{"target: VERSION result: LESS version: 2", false},
           CompareRow{"target: VERSION result: NOT_EQUAL version: 1", true},
           CompareRow{"target: VERSION result: NOT_EQUAL version: 2", false},
           CompareRow{"target: CREATE result: EQUAL create_revision: 2", true},
           CompareRow{"target: CREATE result: LESS create_revision: 2", false},
           CompareRow{"target: MOD result: EQUAL mod_revision: 3", true},
           CompareRow{"target: MOD result: GREATER mod_revision: 3", false},
           CompareRow{R"(target: VALUE result: EQUAL value: "m")", true},
           CompareRow{R"(target: VALUE result: LESS value: "n")", true},
           CompareRow{R"(target: VALUE result: GREATER value: "lzzz")", true},
           CompareRow{R"(target: VALUE result: NOT_EQUAL value: "m")", false},
           CompareRow{"target: LEASE result: EQUAL lease: 9", true},
           CompareRow{"target: LEASE result: NOT_EQUAL lease: 9", false},
           // The operand is the target's; without one it counts as zero.
           CompareRow{"target: VERSION result: GREATER", true},
           CompareRow{"target: VERSION result: EQUAL mod_revision: 2", false},
       })
    EXPECT_EQ(holds(std::string(R"(key: "k" )") + row.compare), row.holds) << row.compare;
}

TEST_P(Txn, AMissingKeyComparesAsZerosButHasNoValue) {
  for (const CompareRow& row : {
           CompareRow{"target: VERSION result: EQUAL version: 0", true},
           CompareRow{"target: CREATE result: EQUAL create_revision: 0", true},
           CompareRow{"target: MOD result: LESS mod_revision: 1", true},
           CompareRow{"target: LEASE result: EQUAL lease: 0", true},
           CompareRow{"target: CREATE result: GREATER create_revision: 0", false},
           CompareRow{R"(target: VALUE result: EQUAL value: "")", false},
           CompareRow{R"(target: VALUE result: NOT_EQUAL value: "x")", false},
       })
    EXPECT_EQ(holds(std::string(R"(key: "none" )") + row.compare), row.holds) << row.compare;
}

TEST_P(Txn, ARangeComparesEachOfItsKeys) {
  for (const char* key : {"a", "b", "c"}) put(key, key);
  EXPECT_TRUE(holds(R"(key: "a" range_end: "d" target: VERSION result: EQUAL version: 1)"));
  EXPECT_TRUE(holds(R"(key: "a" range_end: "d" target: CREATE result: GREATER create_revision: 1)"));
  EXPECT_FALSE(holds(R"(key: "a" range_end: "d" target: CREATE result: LESS create_revision: 4)"));
  EXPECT_TRUE(holds(R"(key: "b" range_end: "\000" target: VALUE result: GREATER value: "a")"));
  // One without keys is a missing key.
  EXPECT_TRUE(holds(R"(key: "x" range_end: "z" target: VERSION result: EQUAL version: 0)"));
  EXPECT_FALSE(holds(R"(key: "x" range_end: "z" target: VERSION result: GREATER version: 0)"));
  EXPECT_FALSE(holds(R"(key: "x" range_end: "z" target: VALUE result: NOT_EQUAL value: "a")"));
}

TEST_P(Txn, AllComparesHaveToHold) {
  put("k", "v");
  const std::string yes = R"(compare { key: "k" target: VERSION version: 1 } )";
  const std::string no = R"(compare { key: "k" target: VERSION version: 2 } )";
  EXPECT_TRUE(txn("").succeeded());
  EXPECT_TRUE(txn(yes + yes).succeeded());
  EXPECT_FALSE(txn(yes + no).succeeded());
  EXPECT_FALSE(txn(no + yes).succeeded());
}

TEST_P(Txn, OneBranchHappensUnderOneRevision) {
  put("a", "1");
  const TxnResponse done = txn(R"(
      compare { key: "a" target: VALUE value: "1" }
      success { request_put { key: "b" value: "2" } }
      success { request_delete_range { key: "a" prev_kv: true } }
      success { request_range { key: "a" range_end: "z" } }
      failure { request_put { key: "c" value: "3" } })");
  EXPECT_TRUE(done.succeeded());
  EXPECT_EQ(done.header().revision(), 3);
  ASSERT_EQ(done.responses_size(), 3);
  EXPECT_EQ(done.responses(0).response_put().header().revision(), 3);
  EXPECT_EQ(done.responses(1).response_delete_range().deleted(), 1);
  EXPECT_EQ(describe(done.responses(1).response_delete_range().prev_kvs(0)), "a=1 2,2,1");
  // A range sees what the operations before it have done.
  ASSERT_EQ(done.responses(2).response_range().kvs_size(), 1);
  EXPECT_EQ(describe(done.responses(2).response_range().kvs(0)), "b=2 3,3,1");
  EXPECT_THAT(keys(R"(key: "a" range_end: "z")"), ElementsAre("b=2 3,3,1"));

  const TxnResponse other = txn(R"(
      compare { key: "a" target: VALUE value: "1" }
      success { request_put { key: "b" value: "2" } }
      failure { request_put { key: "c" value: "3" prev_kv: true } })");
  EXPECT_FALSE(other.succeeded());
  EXPECT_EQ(other.header().revision(), 4);
}

TEST_P(Txn, OneThatChangesNothingMakesNoRevision) {
  put("a", "1");
  const TxnResponse done = txn(R"(success { request_delete_range { key: "x" } } success { request_range { key: "a" } })");
  EXPECT_EQ(done.header().revision(), 2);
  EXPECT_EQ(txn(R"(success { request_range { key: "a" revision: 1 } })").responses(0).response_range().count(), 0);
}

TEST_P(Txn, NestedTransactionsTakeTheirOwnBranch) {
  const TxnResponse done = txn(R"(
      success { request_put { key: "a" value: "1" } }
      success { request_txn {
        compare { key: "a" target: VERSION version: 0 }
        success { request_put { key: "b" value: "saw none" } }
        failure { request_put { key: "b" value: "saw one" } }
        success { request_txn { success { request_range { key: "a" } } } } } })");
  ASSERT_EQ(done.responses_size(), 2);
  const TxnResponse& inner = done.responses(1).response_txn();
  // All compares look at what was there before.
  EXPECT_TRUE(inner.succeeded());
  ASSERT_EQ(inner.responses_size(), 2);
  EXPECT_EQ(inner.responses(1).response_txn().responses(0).response_range().count(), 1);
  EXPECT_THAT(keys(R"(key: "b")"), ElementsAre("b=saw none 2,2,1"));
}

TEST_P(Txn, AKeyIsWrittenOnceAtMost) {
  const std::string put_a = R"(success { request_put { key: "a" } } )";
  const std::string put_b = R"(success { request_put { key: "b" } } )";
  const std::string delete_all = R"(success { request_delete_range { key: "a" range_end: "z" } } )";
  const std::string delete_b = R"(success { request_delete_range { key: "b" } } )";
  const auto nested = [](const std::string& body) { return "success { request_txn { " + body + "} } "; };
  const auto failing = [](std::string body) {
    for (std::size_t at; (at = body.find("success")) != std::string::npos;) body.replace(at, 7, "failure");
    return body;
  };
  const std::string duplicate = "INVALID_ARGUMENT: etcdserver: duplicate key given in txn request";
  EXPECT_EQ(txn_refusal(put_a + put_b), "");
  EXPECT_EQ(txn_refusal(put_a + put_a), duplicate);
  EXPECT_EQ(txn_refusal(put_a + delete_all), duplicate);
  EXPECT_EQ(txn_refusal(delete_all + put_a), duplicate);
  EXPECT_EQ(txn_refusal(put_a + delete_b), "");
  EXPECT_EQ(txn_refusal(delete_b + delete_all), "");
  EXPECT_EQ(txn_refusal(failing(put_a + put_a)), duplicate);
  EXPECT_EQ(txn_refusal(put_a + failing(put_a)), "");
  EXPECT_EQ(txn_refusal(put_a + nested(put_a)), duplicate);
  EXPECT_EQ(txn_refusal(put_a + nested(failing(put_a))), duplicate);
  EXPECT_EQ(txn_refusal(nested(put_a + failing(put_a))), "");
  EXPECT_EQ(txn_refusal(nested(put_a) + nested(put_a)), duplicate);
  EXPECT_EQ(txn_refusal(nested(put_a) + nested(failing(put_b))), "");
  EXPECT_EQ(txn_refusal(put_a + nested(delete_all)), duplicate);
  EXPECT_EQ(txn_refusal(delete_all + nested(put_a)), duplicate);
}

TEST_P(Txn, AMistakeInAnyBranchIsRefused) {
  const std::string no_key = "INVALID_ARGUMENT: etcdserver: key is not provided";
  EXPECT_EQ(txn_refusal("compare { target: VERSION }"), no_key);
  EXPECT_EQ(txn_refusal("success { request_put { } }"), no_key);
  EXPECT_EQ(txn_refusal("failure { request_range { } }"), no_key);
  EXPECT_EQ(txn_refusal("failure { request_txn { success { request_delete_range { } } } }"), no_key);
  EXPECT_EQ(txn_refusal("success { }"), "INVALID_ARGUMENT: etcdserver: key not found");
  EXPECT_EQ(txn_refusal(R"(failure { request_put { key: "k" value: "v" ignore_value: true } })"),
            "INVALID_ARGUMENT: etcdserver: value is provided");
}

TEST_P(Txn, OneThatFailsLeavesNothing) {
  put("a", "1");
  EXPECT_EQ(txn_refusal(R"(success { request_put { key: "b" value: "2" } }
                           success { request_put { key: "c" lease: 404 } })"),
            "NOT_FOUND: etcdserver: requested lease not found");
  EXPECT_EQ(txn_refusal(R"(success { request_put { key: "b" value: "2" } }
                           success { request_put { key: "c" ignore_value: true } })"),
            "INVALID_ARGUMENT: etcdserver: key not found");
  EXPECT_EQ(txn_refusal(R"(success { request_put { key: "b" value: "2" } }
                           success { request_range { key: "a" revision: 99 } })"),
            "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision");
  EXPECT_THAT(keys(R"(key: "a" range_end: "z")"), ElementsAre("a=1 2,2,1"));
  EXPECT_EQ(put("a", "2").header().revision(), 3);
}

}  // namespace
}  // namespace minigrpc::testing
