// Random operations on a real etcd and on minigrpcd, side by side: the same answers, revisions included.
//
//   MINIGRPC_DIFFERENTIAL_STEPS=10000 MINIGRPC_DIFFERENTIAL_SEEDS=20 api_test --gtest_filter='*Differential*'
#include <algorithm>
#include <cstdlib>
#include <random>

#include "api_test.h"

namespace minigrpc::testing {
namespace {

int from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Requests of every kind over a few keys and leases, so that they meet.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  bool one_in(int count) { return below(count) == 0; }
  // A revision near the present one, sometimes in the past or the future.
  std::int64_t revision(std::int64_t present) {
    return one_in(20) ? present + 1 + below(3) : std::max<std::int64_t>(0, present - below(30));
  }
  std::string key() {
    static const char* const kKeys[] = {"a", "a/1", "a/2", "a/22", "b", "b/1", "c"};
    return one_in(100) ? "" : kKeys[below(7)];
  }
  std::int64_t lease() { return below(4); }

  void keys(std::string* begin, std::string* end) {
    *begin = key();
    switch (below(6)) {
      case 0:
        *end = std::string(1, '\0');
        break;
      case 1:
        *end = *begin + "0";
        break;
      case 2:
        *end = key();
        break;
      default:
        break;
    }
  }
  RangeRequest range(std::int64_t present) {
    RangeRequest request;
    keys(request.mutable_key(), request.mutable_range_end());
    if (one_in(3)) request.set_limit(below(4));
    if (one_in(3)) request.set_revision(revision(present));
    // Version and value have ties, which etcd sorts in no order; keys and revisions of single puts have none.
    if (one_in(2)) request.set_sort_order(static_cast<RangeRequest::SortOrder>(below(3)));
    request.set_keys_only(one_in(5));
    request.set_count_only(one_in(8));
    request.set_serializable(one_in(4));
    if (one_in(6)) request.set_min_mod_revision(revision(present));
    if (one_in(6)) request.set_max_mod_revision(revision(present));
    if (one_in(6)) request.set_min_create_revision(revision(present));
    if (one_in(6)) request.set_max_create_revision(revision(present));
    return request;
  }
  PutRequest put() {
    PutRequest request;
    request.set_key(key());
    request.set_ignore_value(one_in(10));
    request.set_ignore_lease(one_in(10));
    if (!request.ignore_value() || one_in(5)) request.set_value(std::string(static_cast<std::size_t>(below(5)), 'v'));
    if (!request.ignore_lease() || one_in(5)) request.set_lease(one_in(3) ? lease() : 0);
    request.set_prev_kv(one_in(3));
    return request;
  }
  DeleteRangeRequest erase() {
    DeleteRangeRequest request;
    keys(request.mutable_key(), request.mutable_range_end());
    request.set_prev_kv(one_in(2));
    return request;
  }
  Compare compare(std::int64_t present) {
    Compare request;
    keys(request.mutable_key(), request.mutable_range_end());
    request.set_result(static_cast<Compare::CompareResult>(below(4)));
    switch (below(5)) {
      case 0:
        request.set_target(Compare::VERSION);
        request.set_version(below(4));
        break;
      case 1:
        request.set_target(Compare::CREATE);
        request.set_create_revision(revision(present));
        break;
      case 2:
        request.set_target(Compare::MOD);
        request.set_mod_revision(revision(present));
        break;
      case 3:
        request.set_target(Compare::VALUE);
        request.set_value(std::string(static_cast<std::size_t>(below(5)), 'v'));
        break;
      default:
        request.set_target(Compare::LEASE);
        request.set_lease(lease());
        break;
    }
    return request;
  }
  void op(RequestOp* request, std::int64_t present, int depth) {
    switch (below(depth < 3 ? 8 : 7)) {
      case 0:
      case 1:
      case 2:
        *request->mutable_request_range() = range(present);
        break;
      case 3:
      case 4:
      case 5:
        *request->mutable_request_put() = put();
        break;
      case 6:
        *request->mutable_request_delete_range() = erase();
        break;
      default:
        *request->mutable_request_txn() = txn(present, depth + 1);
        break;
    }
  }
  TxnRequest txn(std::int64_t present, int depth) {
    TxnRequest request;
    for (int i = below(3); i > 0; --i) *request.add_compare() = compare(present);
    for (int i = below(4); i > 0; --i) op(request.add_success(), present, depth);
    for (int i = below(3); i > 0; --i) op(request.add_failure(), present, depth);
    return request;
  }

 private:
  std::mt19937 random_;
};

// One registry, and its answers as text: ids of cluster, member and term left out, revisions kept.
class Side {
 public:
  explicit Side(RegistryKind kind) : registry_(kind) {}
  bool started() const { return registry_.started(); }

  template <class Client, class Response, class Request>
  std::string ask(Task<Result<Response>> (Client::*method)(const Request&, CallOptions) const, const Request& request) {
    Client client(channel_);
    Result<Response> answer = sync_wait((client.*method)(request, {.timeout = 30s}));
    if (!answer) return answer.error().to_string();
    answer->mutable_header()->clear_cluster_id();
    answer->mutable_header()->clear_member_id();
    answer->mutable_header()->clear_raft_term();
    // etcd lists leases by the time that is left to them, which nobody can predict; minigrpcd by id.
    if constexpr (std::is_same_v<Response, LeaseLeasesResponse>)
      std::sort(answer->mutable_leases()->begin(), answer->mutable_leases()->end(),
                [](const LeaseStatus& a, const LeaseStatus& b) { return a.id() < b.id(); });
    return answer->ShortDebugString();
  }
  Channel& channel() { return channel_; }

 private:
  Registry registry_;
  Runtime runtime_{{.loops = 1}};
  Channel channel_{runtime_, registry_.endpoint()};
};

class Differential : public ::testing::TestWithParam<unsigned> {
 protected:
  template <class Call>
  std::string same(const std::string& what, Call call) {
    const std::string expected = call(etcd_);
    const std::string actual = call(ours_);
    EXPECT_EQ(actual, expected) << what;
    return expected;
  }
  // Every change from the first on, as a watcher reads it.
  static std::vector<std::string> history(Side& side, std::int64_t from, std::int64_t last) {
    WatchStream stream(side.channel());
    stream.create("key: \"\\000\" range_end: \"\\000\" prev_kv: true start_revision: " + std::to_string(from));
    std::vector<std::string> events;
    for (std::int64_t seen = from - 1; seen < last && !HasFailure();) {
      const WatchResponse response = stream.next();
      for (const mvccpb::Event& event : response.events()) {
        events.push_back(describe(event));
        seen = std::max(seen, event.kv().mod_revision());
      }
    }
    // A deletion's place within its revision is no promise: a lease's keys go in any order.
    std::ranges::sort(events);
    return events;
  }

  Side etcd_{RegistryKind::kEtcd};
  Side ours_{RegistryKind::kMinigrpcd};
};

TEST_P(Differential, EveryAnswerIsTheSame) {
  if (registry_kinds().size() < 2) GTEST_SKIP() << "minigrpcd is not built";
  ASSERT_TRUE(etcd_.started());
  ASSERT_TRUE(ours_.started());
  Dice dice(GetParam());
  std::int64_t present = 1;
  std::int64_t compacted = 0;
  const int steps = from_environment("MINIGRPC_DIFFERENTIAL_STEPS", 400);
  for (int step = 0; step < steps; ++step) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()) + ", step " + std::to_string(step));
    const int kind = dice.below(40);
    if (kind < 10) {
      const RangeRequest request = dice.range(present);
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Range, request); });
    } else if (kind < 20) {
      const PutRequest request = dice.put();
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Put, request); });
    } else if (kind < 24) {
      const DeleteRangeRequest request = dice.erase();
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::DeleteRange, request); });
    } else if (kind < 34) {
      const TxnRequest request = dice.txn(present, 1);
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Txn, request); });
    } else if (kind < 36) {
      LeaseGrantRequest request;
      request.set_id(1 + dice.below(3));
      request.set_ttl(100'000);
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&Lease::Client::LeaseGrant, request); });
    } else if (kind < 38) {
      LeaseRevokeRequest request;
      request.set_id(1 + dice.below(3));
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&Lease::Client::LeaseRevoke, request); });
    } else if (kind < 39 || !dice.one_in(3)) {
      same("leases", [&](Side& side) { return side.ask(&Lease::Client::LeaseLeases, LeaseLeasesRequest()); });
    } else {
      CompactionRequest request;
      request.set_revision(dice.revision(present));
      request.set_physical(true);
      const std::string answer =
          same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Compact, request); });
      if (answer.starts_with("header")) compacted = request.revision();
    }
    RangeRequest all;
    all.set_key(std::string(1, '\0'));
    all.set_range_end(std::string(1, '\0'));
    const RangeResponse now = *sync_wait(KV::Client(ours_.channel()).Range(all));
    present = now.header().revision();
    if (HasFailure()) return;
  }
  const std::int64_t from = std::max<std::int64_t>(compacted, 2);
  EXPECT_EQ(history(ours_, from, present), history(etcd_, from, present)) << "seed " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Seeds, Differential,
                         ::testing::Range(1u, 1u + static_cast<unsigned>(from_environment("MINIGRPC_DIFFERENTIAL_SEEDS", 2))));

}  // namespace
}  // namespace minigrpc::testing
