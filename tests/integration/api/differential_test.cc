// Random operations on a real etcd and on minigrpcd, side by side: the same answers, revisions included, and
// the same events at watchers.
//
//   MINIGRPC_TEST_STEPS=10000 MINIGRPC_TEST_SEEDS=20 api_test --gtest_filter='*Differential*'
//
// MINIGRPC_TEST_SEED=7 begins with that seed instead of 1.
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
  // With any target; without a limit, which would choose among ties.
  RangeRequest sorted_range(std::int64_t present) {
    RangeRequest request = range(present);
    request.clear_limit();
    request.set_sort_order(static_cast<RangeRequest::SortOrder>(1 + below(2)));
    request.set_sort_target(static_cast<RangeRequest::SortTarget>(below(5)));
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
        // To keep the value or the lease of a key that is gone by then is what etcd's process ends over.
        if (erased_) request->mutable_request_put()->clear_ignore_value();
        if (erased_) request->mutable_request_put()->clear_ignore_lease();
        break;
      case 6:
        *request->mutable_request_delete_range() = erase();
        erased_ = true;
        break;
      default:
        *request->mutable_request_txn() = nested_txn(present, depth + 1);
        break;
    }
  }
  TxnRequest txn(std::int64_t present) {
    erased_ = false;
    return nested_txn(present, 1);
  }

 private:
  TxnRequest nested_txn(std::int64_t present, int depth) {
    TxnRequest request;
    for (int i = below(3); i > 0; --i) *request.add_compare() = compare(present);
    for (int i = below(4); i > 0; --i) op(request.add_success(), present, depth);
    for (int i = below(3); i > 0; --i) op(request.add_failure(), present, depth);
    return request;
  }

  std::mt19937 random_;
  bool erased_ = false;  // by the transaction so far
};

// What a range is sorted by, comparable as text.
std::string sort_key(const mvccpb::KeyValue& kv, RangeRequest::SortTarget target) {
  const auto number = [](std::int64_t value) {
    const std::string digits = std::to_string(value);
    return std::string(20 - digits.size(), '0') + digits;
  };
  if (target == RangeRequest::VERSION) return number(kv.version());
  if (target == RangeRequest::CREATE) return number(kv.create_revision());
  if (target == RangeRequest::MOD) return number(kv.mod_revision());
  return target == RangeRequest::VALUE ? kv.value() : kv.key();
}

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
    revision_ = answer->header().revision();
    answer->mutable_header()->clear_cluster_id();
    answer->mutable_header()->clear_member_id();
    answer->mutable_header()->clear_raft_term();
    // etcd lists leases by the time that is left to them, which nobody can predict; minigrpcd by id.
    if constexpr (std::is_same_v<Response, LeaseLeasesResponse>)
      std::sort(answer->mutable_leases()->begin(), answer->mutable_leases()->end(),
                [](const LeaseStatus& a, const LeaseStatus& b) { return a.id() < b.id(); });
    // Whole seconds that are left: one side may be asked just after they changed.
    // A lease's keys have no order at etcd's.
    if constexpr (std::is_same_v<Response, LeaseTimeToLiveResponse>) {
      if (answer->ttl() > 0) answer->clear_ttl();
      std::sort(answer->mutable_keys()->begin(), answer->mutable_keys()->end());
    }
    return answer->ShortDebugString();
  }
  // Ties in the order of their keys; `sorted` becomes false where the answer was not sorted as asked.
  std::string ask_sorted(const RangeRequest& request, bool* sorted) {
    Result<RangeResponse> answer = sync_wait(KV::Client(channel_).Range(request, {.timeout = 30s}));
    if (!answer) return answer.error().to_string();
    auto& kvs = *answer->mutable_kvs();
    const auto before = [&](const mvccpb::KeyValue& a, const mvccpb::KeyValue& b) {
      const std::string x = sort_key(a, request.sort_target());
      const std::string y = sort_key(b, request.sort_target());
      return request.sort_order() == RangeRequest::DESCEND ? y < x : x < y;
    };
    // Values are sorted before keys_only takes them away.
    *sorted = (request.keys_only() && request.sort_target() == RangeRequest::VALUE) ||
              std::is_sorted(kvs.begin(), kvs.end(), before);
    std::sort(kvs.begin(), kvs.end(), [](const auto& a, const auto& b) { return a.key() < b.key(); });
    return text(*answer);
  }
  // Every change up to revision(), as a watcher that has been there from the beginning hears of it, told
  // once.
  std::vector<std::string> news() {
    if (!watch_) {
      watch_.emplace(channel_);
      watch_->create("key: \"\\000\" range_end: \"\\000\" prev_kv: true start_revision: 2");
    }
    std::vector<std::string> events;
    while (heard_ < revision_ && !::testing::Test::HasFailure()) {
      const WatchResponse response = watch_->next();
      EXPECT_FALSE(response.canceled()) << response.ShortDebugString();
      for (const mvccpb::Event& event : response.events()) {
        EXPECT_GE(event.kv().mod_revision(), heard_) << "a revision that was over comes again, or too late";
        heard_ = event.kv().mod_revision();
        events.push_back(describe(event));
      }
    }
    // A deletion's place within its revision is no promise: a lease's keys go in any order.
    std::ranges::sort(events);
    return events;
  }
  // Of the last answer.
  std::int64_t revision() const { return revision_; }
  Channel& channel() { return channel_; }

 private:
  std::int64_t revision_ = 1;
  std::int64_t heard_ = 1;
  Registry registry_;
  Runtime runtime_{{.loops = 1}};
  Channel channel_{runtime_, registry_.endpoint()};
  std::optional<WatchStream> watch_;
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
  // Every change from the first on, as a watcher reads it that comes late.
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
    std::ranges::sort(events);
    return events;
  }
  void expect_same_sorted(const RangeRequest& request) {
    same(request.ShortDebugString(), [&](Side& side) {
      bool sorted = false;
      const std::string answer = side.ask_sorted(request, &sorted);
      return sorted || answer.find("kvs") == std::string::npos ? answer : "not sorted: " + answer;
    });
  }

  Side etcd_{RegistryKind::kEtcd};
  Side ours_{RegistryKind::kMinigrpcd};
};

TEST_P(Differential, EveryAnswerIsTheSame) {
  ASSERT_TRUE(etcd_.started());
  ASSERT_TRUE(ours_.started());
  Dice dice(GetParam());
  RangeRequest everything;
  everything.set_key(std::string(1, '\0'));
  everything.set_range_end(std::string(1, '\0'));
  std::int64_t present = 1;
  std::int64_t compacted = 0;
  const int steps = from_environment("MINIGRPC_TEST_STEPS", 400);
  for (int step = 0; step < steps; ++step) {
    SCOPED_TRACE("MINIGRPC_TEST_SEED=" + std::to_string(GetParam()) + ", step " + std::to_string(step));
    const int kind = dice.below(40);
    if (kind < 3) {
      expect_same_sorted(dice.sorted_range(present));
    } else if (kind < 10) {
      const RangeRequest request = dice.range(present);
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Range, request); });
    } else if (kind < 20) {
      const PutRequest request = dice.put();
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Put, request); });
    } else if (kind < 24) {
      const DeleteRangeRequest request = dice.erase();
      same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::DeleteRange, request); });
    } else if (kind < 34) {
      const TxnRequest request = dice.txn(present);
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
    } else if (kind < 39) {
      LeaseTimeToLiveRequest request;
      request.set_id(1 + dice.below(4));
      request.set_keys(dice.one_in(2));
      same(request.ShortDebugString(),
           [&](Side& side) { return side.ask(&Lease::Client::LeaseTimeToLive, request); });
    } else if (!dice.one_in(3)) {
      same("leases", [&](Side& side) { return side.ask(&Lease::Client::LeaseLeases, LeaseLeasesRequest()); });
    } else {
      CompactionRequest request;
      // etcd takes a compaction at 0, once.
      request.set_revision(std::max<std::int64_t>(1, dice.revision(present)));
      request.set_physical(true);
      const std::string answer =
          same(request.ShortDebugString(), [&](Side& side) { return side.ask(&KV::Client::Compact, request); });
      if (answer.starts_with("header")) compacted = request.revision();
    }
    present = ours_.revision();
    EXPECT_EQ(ours_.news(), etcd_.news());
    if (step % 50 == 0)
      same("everything", [&](Side& side) { return side.ask(&KV::Client::Range, everything); });
    if (HasFailure()) return;
  }
  // At the compacted revision itself etcd has lost deletions (etcd#18089).
  const std::int64_t from = std::max<std::int64_t>(compacted + 1, 2);
  EXPECT_EQ(history(ours_, from, present), history(etcd_, from, present)) << "seed " << GetParam();
}

unsigned first_seed() { return static_cast<unsigned>(from_environment("MINIGRPC_TEST_SEED", 1)); }
INSTANTIATE_TEST_SUITE_P(Seeds, Differential,
                         ::testing::Range(first_seed(), first_seed() + static_cast<unsigned>(from_environment(
                                                                           "MINIGRPC_TEST_SEEDS", 2))));

}  // namespace
}  // namespace minigrpc::testing
