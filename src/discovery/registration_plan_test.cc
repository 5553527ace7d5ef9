#include "discovery/registration_plan.h"

#include <gtest/gtest.h>

namespace minigrpc::discovery {
namespace {

constexpr etcd::LeaseId kOurLease = 7;
constexpr etcd::LeaseId kOtherLease = 9;
const std::string kAddress = "10.0.0.1:5051";
const OwnValue kOwn{
    .value = format_instance({.address = kAddress, .id = "me"}), .instance_id = "me", .lease = kOurLease};

etcd::KeyValue standing(const std::string& value, etcd::LeaseId lease, std::int64_t mod_revision = 5) {
  return {.key = "s/" + kAddress, .value = value, .mod_revision = mod_revision, .version = 1, .lease = lease};
}

TEST(RegistrationPlan, JudgesWhatStandsThere) {
  const std::string mine = kOwn.value;
  const std::string mine_before = format_instance({.address = kAddress, .version = "old", .id = "me"});
  const std::string foreign = format_instance({.address = kAddress, .id = "you"});
  const std::string nameless = R"({"Op":0,"Addr":"10.0.0.1:5051"})";
  const std::string disabled = R"({"Op":0,"Addr":"10.0.0.1:5051","Metadata":{"state":"disabled"}})";
  struct Case {
    const char* name;
    std::optional<etcd::KeyValue> found;
    Standing unless_held;
    Standing held;
  };
  const Case cases[] = {
      {"nothing", std::nullopt, Standing::kAbsent, Standing::kAbsent},
      {"ours", standing(mine, kOurLease), Standing::kOurs, Standing::kOurs},
      {"our id, other lease", standing(mine, kOtherLease), Standing::kPredecessor, Standing::kTwin},
      {"our id, old value", standing(mine_before, kOtherLease), Standing::kPredecessor, Standing::kTwin},
      {"our value by hand", standing(mine, 0), Standing::kForeign, Standing::kOverwritten},
      {"foreign", standing(foreign, kOtherLease), Standing::kForeign, Standing::kOverwritten},
      {"nameless", standing(nameless, kOtherLease), Standing::kForeign, Standing::kOverwritten},
      {"nonsense", standing("nonsense", 0), Standing::kForeign, Standing::kOverwritten},
      {"nonsense on our lease", standing("nonsense", kOurLease), Standing::kOverwritten,
       Standing::kOverwritten},
      {"disabled", standing(disabled, 0), Standing::kDisabled, Standing::kDisabled},
      {"disabled on our lease", standing(disabled, kOurLease), Standing::kDisabled, Standing::kDisabled},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(judge(c.found, kOwn, false), c.unless_held) << c.name;
    EXPECT_EQ(judge(c.found, kOwn, true), c.held) << c.name << ", held";
  }
}

TEST(RegistrationPlan, RepairsInOneGuardedTransaction) {
  std::vector<OwnKey> keys{
      {.key = "absent"}, {.key = "ours"}, {.key = "foreign"}, {.key = "left"}, {.key = "lost", .held = true}};
  etcd::TxnResponse answer;
  const auto found = [&answer](std::vector<etcd::KeyValue> kvs) {
    answer.responses.push_back(etcd::RangeResponse{.kvs = std::move(kvs)});
  };
  found({});
  found({standing(kOwn.value, kOurLease)});
  found({standing("10.0.0.1:5051", kOtherLease)});
  found({standing(kOwn.value, kOtherLease, 17)});
  found({standing("nonsense", 0, 19)});
  etcd::TxnRequest repair;
  ASSERT_TRUE(take_in(answer, kOwn, keys, repair).ok());
  EXPECT_TRUE(keys[1].held);
  ASSERT_EQ(repair.compare.size(), 3u);
  EXPECT_EQ(repair.compare[0].keys.key, "absent");
  EXPECT_EQ(repair.compare[0].target, etcd::CompareTarget::kCreate);
  EXPECT_EQ(repair.compare[0].number, 0);
  EXPECT_EQ(repair.compare[1].keys.key, "left");
  EXPECT_EQ(repair.compare[1].target, etcd::CompareTarget::kMod);
  EXPECT_EQ(repair.compare[1].number, 17);
  EXPECT_EQ(repair.compare[2].number, 19);
  ASSERT_EQ(repair.success.size(), 3u);
  const auto& put = std::get<etcd::PutRequest>(repair.success[0]);
  EXPECT_EQ(put.key, "absent");
  EXPECT_EQ(put.value, kOwn.value);
  EXPECT_EQ(put.lease, kOurLease);
}

TEST(RegistrationPlan, RefusesAnAnswerThatDoesNotFit) {
  std::vector<OwnKey> keys{{.key = "a"}};
  etcd::TxnRequest repair;
  EXPECT_EQ(take_in({}, kOwn, keys, repair).code(), StatusCode::kInternal);
  etcd::TxnResponse puts;
  puts.responses.push_back(etcd::PutResponse{});
  EXPECT_EQ(take_in(puts, kOwn, keys, repair).code(), StatusCode::kInternal);
}

TEST(RegistrationPlan, DeletesOnlyWhatHangsOnItsLease) {
  const etcd::TxnRequest txn = delete_keys({{.key = "a"}, {.key = "b"}}, kOurLease);
  EXPECT_TRUE(txn.compare.empty());
  ASSERT_EQ(txn.success.size(), 2u);
  const auto& one = *std::get<std::shared_ptr<const etcd::TxnRequest>>(txn.success[1]);
  ASSERT_EQ(one.compare.size(), 1u);
  EXPECT_EQ(one.compare[0].target, etcd::CompareTarget::kLease);
  EXPECT_EQ(one.compare[0].number, kOurLease);
  EXPECT_EQ(std::get<etcd::DeleteRangeRequest>(one.success.at(0)).keys.key, "b");
}

}  // namespace
}  // namespace minigrpc::discovery
