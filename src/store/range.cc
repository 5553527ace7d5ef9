#include "store/range.h"

#include <algorithm>
#include <compare>

#include "store/errors.h"

namespace minigrpc::store {

namespace {

bool filtered(const RangeRequest& request) {
  return request.min_mod_revision > 0 || request.max_mod_revision > 0 || request.min_create_revision > 0 ||
         request.max_create_revision > 0;
}

bool passes(const RangeRequest& request, const KeyValueView& kv) {
  const auto within = [](std::int64_t number, std::int64_t min, std::int64_t max) {
    return (min <= 0 || number >= min) && (max <= 0 || number <= max);
  };
  return within(kv.mod_revision, request.min_mod_revision, request.max_mod_revision) &&
         within(kv.create_revision, request.min_create_revision, request.max_create_revision);
}

// Ascending by key is the order in which keys come. A target without an order means ascending.
bool sorted(const RangeRequest& request) {
  return request.sort_target != SortTarget::kKey || request.sort_order == SortOrder::kDescend;
}

std::strong_ordering order_by(SortTarget target, const KeyValueView& a, const KeyValueView& b) {
  switch (target) {
    case SortTarget::kKey:
      return a.key <=> b.key;
    case SortTarget::kVersion:
      return a.version <=> b.version;
    case SortTarget::kCreate:
      return a.create_revision <=> b.create_revision;
    case SortTarget::kMod:
      return a.mod_revision <=> b.mod_revision;
    case SortTarget::kValue:
      return a.value <=> b.value;
  }
  return std::strong_ordering::equal;
}

// Takes the key-values of one range in key order, and keeps those that the answer needs.
class Collector {
 public:
  Collector(const RangeRequest& request, Lifetime lifetime, RangeResult& result)
      : request_(request),
        lifetime_(lifetime),
        result_(result),
        sorted_(sorted(request)),
        filtered_(filtered(request)) {}

  // Whether the next key has to be loaded, or only counted.
  bool wants_more() const {
    if (request_.count_only) return false;
    return sorted_ || request_.limit <= 0 || std::cmp_less_equal(result_.kvs.size(), request_.limit);
  }
  bool wants_value() const { return !request_.keys_only || request_.sort_target == SortTarget::kValue; }

  void add(KeyValueView kv, bool key_is_stable) {
    if (filtered_ && !passes(request_, kv)) return;
    if (lifetime_ == Lifetime::kOwned || !key_is_stable) kv.key = result_.arena.copy(kv.key);
    if (lifetime_ == Lifetime::kOwned) kv.value = result_.arena.copy(kv.value);
    result_.kvs.push_back(kv);
    if (sorted_ && request_.limit > 0 && std::cmp_greater(result_.kvs.size() / 4, request_.limit + 256))
      trim();
  }

  void finish() {
    if (sorted_) std::sort(result_.kvs.begin(), result_.kvs.end(), Before{request_});
    if (request_.limit > 0 && std::cmp_greater(result_.kvs.size(), request_.limit)) {
      result_.kvs.resize(static_cast<std::size_t>(request_.limit));
      result_.more = true;
    }
    if (request_.keys_only)
      for (KeyValueView& kv : result_.kvs) kv.value = {};
  }

 private:
  struct Before {
    const RangeRequest& request;
    bool operator()(const KeyValueView& a, const KeyValueView& b) const {
      const std::strong_ordering order = order_by(request.sort_target, a, b);
      if (order == 0) return a.key < b.key;
      return request.sort_order == SortOrder::kDescend ? order > 0 : order < 0;
    }
  };

  // A limit of ten over a million keys must not hold a million: drops what cannot be among the first any
  // more. One more than the limit stays, so that `more` shows.
  void trim() {
    const auto end = result_.kvs.begin() + static_cast<std::ptrdiff_t>(request_.limit) + 1;
    std::nth_element(result_.kvs.begin(), end - 1, result_.kvs.end(), Before{request_});
    result_.kvs.erase(end, result_.kvs.end());
  }

  const RangeRequest& request_;
  Lifetime lifetime_;
  RangeResult& result_;
  bool sorted_;
  bool filtered_;
};

template <class T>
bool holds(CompareResult result, const T& actual, const T& operand) {
  switch (result) {
    case CompareResult::kEqual:
      return actual == operand;
    case CompareResult::kGreater:
      return actual > operand;
    case CompareResult::kLess:
      return actual < operand;
    case CompareResult::kNotEqual:
      return actual != operand;
  }
  return false;
}

bool holds(const Compare& compare, const KeyValueView& kv) {
  switch (compare.target) {
    case CompareTarget::kVersion:
      return holds(compare.result, kv.version, compare.number);
    case CompareTarget::kCreate:
      return holds(compare.result, kv.create_revision, compare.number);
    case CompareTarget::kMod:
      return holds(compare.result, kv.mod_revision, compare.number);
    case CompareTarget::kValue:
      return holds(compare.result, kv.value, compare.value);
    case CompareTarget::kLease:
      return holds(compare.result, kv.lease, compare.number);
  }
  return false;
}

}  // namespace

Status check_range(const State& state, const RangeRequest& request) {
  if (request.keys.key.empty()) return errors::empty_key();
  if (request.revision > state.revision) return errors::future_revision();
  if (request.revision > 0 && request.revision < state.compact_revision) return errors::compacted();
  return {};
}

Result<RangeResult> run_range(const Snapshot& snapshot, const RangeRequest& request, Lifetime lifetime) {
  RangeResult result;
  result.revision = snapshot.state.revision;
  const bool latest = request.revision <= 0 || request.revision >= snapshot.state.revision;
  const std::int64_t at = latest ? kLatest : request.revision;
  Collector collector(request, lifetime, result);
  if (request.keys.single()) {
    Result<std::optional<KeyValueView>> kv = snapshot.find(request.keys.key, at, collector.wants_value());
    if (!kv) return kv.error();
    if (kv->has_value()) {
      result.count = 1;
      if (collector.wants_more()) collector.add(**kv, false);
    }
  } else {
    VersionCursor cursor(snapshot, request.keys, at);
    for (; cursor.valid(); cursor.next()) {
      ++result.count;
      if (!collector.wants_more()) continue;
      Result<KeyValueView> kv = cursor.load(collector.wants_value());
      if (!kv) return kv.error();
      collector.add(*kv, cursor.key_is_stable());
    }
    if (!cursor.status().ok()) return cursor.status();
  }
  collector.finish();
  return result;
}

Result<bool> run_compare(const Snapshot& snapshot, const Compare& compare) {
  const bool with_value = compare.target == CompareTarget::kValue;
  if (compare.keys.single()) {
    Result<std::optional<KeyValueView>> kv = snapshot.find(compare.keys.key, kLatest, with_value);
    if (!kv) return kv.error();
    if (kv->has_value()) return holds(compare, **kv);
    return !with_value && holds(compare, KeyValueView{});
  }
  VersionCursor cursor(snapshot, compare.keys, kLatest);
  if (!cursor.valid() && cursor.status().ok()) return !with_value && holds(compare, KeyValueView{});
  for (; cursor.valid(); cursor.next()) {
    Result<KeyValueView> kv = cursor.load(with_value);
    if (!kv) return kv.error();
    if (!holds(compare, *kv)) return false;
  }
  if (!cursor.status().ok()) return cursor.status();
  return true;
}

}  // namespace minigrpc::store
