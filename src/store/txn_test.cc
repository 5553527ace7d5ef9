#include "store/txn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/errors.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

RequestOp put_op(std::string_view key, std::string_view value = "v") {
  return PutRequest{.key = key, .value = value};
}
RequestOp delete_op(std::string_view key, std::string_view range_end = {}) {
  return DeleteRangeRequest{.keys = {key, range_end}, .prev_kv = true};
}
RequestOp get_op(std::string_view key, std::int64_t revision = 0) {
  return RangeRequest{.keys = {key, {}}, .revision = revision};
}

template <class... Ops>
std::vector<RequestOp> ops(Ops... list) {
  std::vector<RequestOp> out;
  (out.push_back(std::move(list)), ...);
  return out;
}

RequestOp nested(std::vector<RequestOp> success, std::vector<RequestOp> failure = {},
                 std::vector<Compare> compare = {}) {
  auto request = std::make_unique<TxnRequest>();
  request->compare = std::move(compare);
  request->success = std::move(success);
  request->failure = std::move(failure);
  return request;
}

Status check(std::vector<RequestOp> success, std::vector<RequestOp> failure = {}) {
  TxnRequest request;
  request.success = std::move(success);
  request.failure = std::move(failure);
  return check_txn(request, 4);
}

TEST(CheckTxn, AKeyIsWrittenOnce) {
  EXPECT_EQ(check(ops(put_op("a"), put_op("b"))), Status());
  EXPECT_EQ(check(ops(put_op("a"), put_op("a"))), errors::duplicate_key());
  EXPECT_EQ(check(ops(put_op("a")), ops(put_op("a"))), Status()) << "only one branch is taken";
  EXPECT_EQ(check(ops(put_op("b"), delete_op("a", "c"))), errors::duplicate_key());
  EXPECT_EQ(check(ops(delete_op("a", "c"), put_op("c"))), Status());
  // Unbounded deletions are not looked at, as in etcd.
  EXPECT_EQ(check(ops(delete_op("a", std::string_view("\0", 1)), put_op("z"))), Status());
  EXPECT_EQ(check(ops(delete_op("a"), delete_op("a"))), Status()) << "deleting twice is deleting";
  EXPECT_EQ(check({}, ops(put_op("a"), put_op("a"))), errors::duplicate_key());
}

TEST(CheckTxn, NestedBranchesCountAsWritten) {
  EXPECT_EQ(check(ops(put_op("a"), nested(ops(put_op("a"))))), errors::duplicate_key());
  EXPECT_EQ(check(ops(nested(ops(put_op("a")), ops(put_op("a"))))), Status());
  EXPECT_EQ(check(ops(nested(ops(put_op("a"))), nested({}, ops(put_op("a"))))), errors::duplicate_key());
  EXPECT_EQ(check(ops(delete_op("a", "b"), nested(ops(put_op("a"))))), errors::duplicate_key());
  EXPECT_EQ(check(ops(put_op("a"), nested(ops(delete_op("a"))))), errors::duplicate_key());
}

TEST(CheckTxn, ShapesThatAreRefused) {
  EXPECT_EQ(check(ops(put_op("a"), put_op("b"), put_op("c"), put_op("d"))), Status());
  EXPECT_EQ(check(ops(put_op("a"), put_op("b"), put_op("c"), put_op("d"), put_op("e"))),
            errors::too_many_ops());
  EXPECT_EQ(check(ops(get_op("x"), get_op("x"), nested(ops(put_op("a"), put_op("b"))))),
            errors::too_many_ops())
      << "levels share the limit";
  EXPECT_EQ(check(ops(get_op({}))), errors::empty_key());
  EXPECT_EQ(check(ops(delete_op({}))), errors::empty_key());
  EXPECT_EQ(check({}, ops(nested(ops(put_op({}))))), errors::empty_key());
  TxnRequest compare;
  compare.compare.emplace_back();
  EXPECT_EQ(check_txn(compare, 4), errors::empty_key());
}

class TxnTest : public testing::Test {
 protected:
  Result<TxnResult> run(std::vector<Compare> compare, std::vector<RequestOp> success,
                        std::vector<RequestOp> failure = {}) {
    TxnRequest request;
    request.compare = std::move(compare);
    request.success = std::move(success);
    request.failure = std::move(failure);
    WriteBatch batch = begin(*store_);
    Result<TxnResult> result = batch.txn(request);
    EXPECT_TRUE(batch.commit().has_value());
    return result;
  }
  bool holds(const Compare& compare) {
    Result<TxnResult> result = run({compare}, {});
    EXPECT_TRUE(result.has_value());
    return result && result->succeeded;
  }

  std::unique_ptr<Store> store_ = open_store();
};

TEST_F(TxnTest, ComparesAreEtcds) {
  using enum CompareTarget;
  using enum CompareResult;
  put(*store_, "a", "m");  // revision 2
  put(*store_, "a", "n");  // revision 3
  put(*store_, "b", "n");  // revision 4
  struct Case {
    Compare compare;
    bool expected;
  };
  const Case cases[] = {
      {{.keys = {"a", {}}, .target = kVersion, .result = kEqual, .number = 2}, true},
      {{.keys = {"a", {}}, .target = kVersion, .result = kGreater, .number = 2}, false},
      {{.keys = {"a", {}}, .target = kCreate, .result = kLess, .number = 3}, true},
      {{.keys = {"a", {}}, .target = kMod, .result = kEqual, .number = 3}, true},
      {{.keys = {"a", {}}, .target = kLease, .result = kNotEqual, .number = 0}, false},
      {{.keys = {"a", {}}, .target = kValue, .result = kEqual, .value = "n"}, true},
      {{.keys = {"a", {}}, .target = kValue, .result = kGreater, .value = "m"}, true},
      {{.keys = {"x", {}}, .target = kVersion, .result = kEqual, .number = 0}, true},
      {{.keys = {"x", {}}, .target = kCreate, .result = kGreater, .number = 0}, false},
      {{.keys = {"x", {}}, .target = kValue, .result = kNotEqual, .value = "n"}, false},
      {{.keys = {"a", "c"}, .target = kValue, .result = kEqual, .value = "n"}, true},
      {{.keys = {"a", "c"}, .target = kVersion, .result = kEqual, .number = 2}, false},
      {{.keys = {"x", "z"}, .target = kVersion, .result = kEqual, .number = 0}, true},
      {{.keys = {"x", "z"}, .target = kValue, .result = kEqual, .value = {}}, false},
  };
  for (const Case& c : cases)
    EXPECT_EQ(holds(c.compare), c.expected)
        << c.compare.keys.key << " " << c.compare.keys.range_end << " " << static_cast<int>(c.compare.target)
        << " " << static_cast<int>(c.compare.result);
}

TEST_F(TxnTest, AllOperationsAreOneRevisionAndRangesSeeEarlierOnes) {
  put(*store_, "a", "1");
  Result<TxnResult> result =
      run({}, ops(get_op("b"), put_op("b", "1"), get_op("b"), delete_op("a"), get_op("a"), get_op("a", 2)));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->revision, 3);
  const auto range = [&](std::size_t i) { return describe(std::get<RangeResult>(result->responses[i])); };
  EXPECT_EQ(range(0), "count 0 at 2");
  EXPECT_EQ(range(2), "b=1 c3 m3 v1 l0\ncount 1 at 3");
  EXPECT_EQ(std::get<DeleteRangeResult>(result->responses[3]).deleted, 1);
  EXPECT_EQ(range(4), "count 0 at 3");
  EXPECT_EQ(range(5), "a=1 c2 m2 v1 l0\ncount 1 at 3");
  std::vector<std::string> events;
  ASSERT_TRUE(read(*store_)
                  .history({.from = {3, 0}},
                           [&](const EventView& e) { return events.push_back(describe_event(e)), true; })
                  .has_value());
  EXPECT_THAT(events, testing::ElementsAre("PUT 3.0 b=1 c3 m3 v1 l0", "DELETE 3.1 a= c0 m3 v0 l0"));
}

TEST_F(TxnTest, NestedComparesSeeTheStateBefore) {
  const Compare absent{.keys = {"a", {}}, .target = CompareTarget::kVersion, .number = 0};
  Result<TxnResult> result = run(
      {},
      ops(put_op("a", "1"), nested(ops(put_op("b", "then")), ops(put_op("b", "else")), std::vector{absent})));
  ASSERT_TRUE(result.has_value());
  const auto& inner = std::get<std::unique_ptr<TxnResult>>(result->responses[1]);
  EXPECT_TRUE(inner->succeeded) << "a was put by the operation before, but not before the transaction";
  EXPECT_EQ(describe(read(*store_).range({.keys = {"b", {}}})), "b=then c2 m2 v1 l0\ncount 1 at 2");
}

TEST_F(TxnTest, RangesAreCheckedBeforeAnythingIsWritten) {
  EXPECT_EQ(run({}, ops(put_op("a"), get_op("a", 2))).status(), errors::future_revision());
  EXPECT_EQ(read(*store_).revision(), 1);
}

TEST_F(TxnTest, AReadOnlyTransactionRunsOnAView) {
  put(*store_, "a", "1");
  TxnRequest request;
  request.compare.push_back({.keys = {"a", {}}, .target = CompareTarget::kValue, .value = "1"});
  request.success = ops(get_op("a"), nested(ops(get_op("b"))));
  EXPECT_TRUE(is_read_only(request));
  const ReadView view = read(*store_);
  Result<TxnResult> result = view.txn(request);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->succeeded);
  EXPECT_EQ(describe(std::get<RangeResult>(result->responses[0])), "a=1 c2 m2 v1 l0\ncount 1 at 2");
  request.failure = ops(put_op("a"));
  EXPECT_FALSE(is_read_only(request)) << "even if that branch would not be taken";
}

}  // namespace
}  // namespace minigrpc::store::test
