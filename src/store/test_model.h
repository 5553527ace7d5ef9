// The keyspace again, as naively as it goes: every version of every key in a map, forever. What the store is
// compared with.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/errors.h"
#include "store/test_store.h"

namespace minigrpc::store::test {

class Model {
 public:
  std::int64_t revision = 1;
  std::int64_t compact_revision = 0;
  std::map<LeaseId, std::int64_t> leases;
  std::vector<Event> events;

  std::optional<KeyValue> at(const std::string& key, std::int64_t main) const {
    const auto found = versions_.find(key);
    if (found == versions_.end()) return std::nullopt;
    const auto later = std::upper_bound(found->second.begin(), found->second.end(), main,
                                        [](std::int64_t at, const Event& e) { return at < e.revision.main; });
    if (later == found->second.begin() || std::prev(later)->type == EventType::kDelete) return std::nullopt;
    return std::prev(later)->kv;
  }

  // Takes back the events after the first `count`; the rest of the state is the caller's to restore.
  void forget_events_after(std::size_t count) {
    for (; events.size() > count; events.pop_back()) versions_[events.back().kv.key].pop_back();
  }

  std::vector<KeyValue> range(const KeyRange& keys, std::int64_t main) const {
    std::vector<KeyValue> kvs;
    for (const auto& [key, versions] : versions_)
      if (keys.contains(key))
        if (std::optional<KeyValue> kv = at(key, main)) kvs.push_back(std::move(*kv));
    return kvs;
  }

  void open_revision() { sub_ = 0; }
  void close_revision() { revision += sub_ > 0 ? 1 : 0; }

  void put(const std::string& key, const std::string& value, LeaseId lease) {
    const std::optional<KeyValue> prev = at(key, kForever);
    Event event{
        EventType::kPut, {revision + 1, sub_++}, {key, value, revision + 1, revision + 1, 1, lease}, prev};
    if (prev) {
      event.kv.create_revision = prev->create_revision;
      event.kv.version = prev->version + 1;
    }
    add(event);
  }

  std::int64_t erase(const KeyRange& keys) {
    const std::vector<KeyValue> kvs = range(keys, kForever);
    for (const KeyValue& kv : kvs) {
      Event event{EventType::kDelete, {revision + 1, sub_++}, {}, kv};
      event.kv.key = kv.key;
      event.kv.mod_revision = revision + 1;
      add(event);
    }
    return static_cast<std::int64_t>(kvs.size());
  }

  std::vector<std::string> lease_keys(LeaseId id) const {
    std::vector<std::string> keys;
    for (const KeyValue& kv : range({std::string_view("\0", 1), std::string_view("\0", 1)}, kForever))
      if (kv.lease == id) keys.push_back(kv.key);
    return keys;
  }

  // How many events are left once compaction is done: those from the compact revision on, and of each key the
  // version that exists just before it, unless it was replaced at the compact revision.
  std::size_t events_after_compaction() const {
    std::size_t left = 0;
    for (const auto& [key, versions] : versions_) {
      std::optional<Event> kept;
      for (const Event& event : versions) {
        if (event.revision.main <= compact_revision) kept.reset();
        if (event.revision.main < compact_revision && event.type == EventType::kPut)
          kept = event;
        else if (event.revision.main >= compact_revision)
          ++left;
      }
      left += kept ? 1 : 0;
    }
    return left;
  }

  std::string describe_range(const RangeRequest& request) const {
    if (request.revision > revision) return errors::future_revision().to_string();
    if (request.revision > 0 && request.revision < compact_revision) return errors::compacted().to_string();
    const std::vector<KeyValue> all = range(request.keys, request.revision > 0 ? request.revision : kForever);
    std::vector<KeyValue> kvs;
    for (const KeyValue& kv : all)
      if (kv.mod_revision >= request.min_mod_revision &&
          (request.max_create_revision <= 0 || kv.create_revision <= request.max_create_revision))
        kvs.push_back(kv);
    const bool descending = request.sort_order == SortOrder::kDescend;
    std::stable_sort(kvs.begin(), kvs.end(), [&](const KeyValue& a, const KeyValue& b) {
      const bool less = before(request.sort_target, a, b);
      const bool greater = before(request.sort_target, b, a);
      return descending ? greater : less;
    });
    RangeResult result;
    result.count = static_cast<std::int64_t>(all.size());
    result.revision = revision;
    for (const KeyValue& kv : kvs) {
      if (request.count_only) break;
      if (request.limit > 0 && std::cmp_equal(result.kvs.size(), request.limit)) {
        result.more = true;
        break;
      }
      result.kvs.push_back({kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease});
      if (request.keys_only) result.kvs.back().value = {};
    }
    return describe(result);
  }

 private:
  static constexpr std::int64_t kForever = INT64_MAX;

  static bool before(SortTarget target, const KeyValue& a, const KeyValue& b) {
    switch (target) {
      case SortTarget::kKey:
        return a.key < b.key;
      case SortTarget::kVersion:
        return a.version < b.version;
      case SortTarget::kCreate:
        return a.create_revision < b.create_revision;
      case SortTarget::kMod:
        return a.mod_revision < b.mod_revision;
      case SortTarget::kValue:
        return a.value < b.value;
    }
    return false;
  }

  void add(const Event& event) {
    versions_[event.kv.key].push_back(event);
    events.push_back(event);
  }

  std::map<std::string, std::vector<Event>> versions_;
  std::uint32_t sub_ = 0;
};

}  // namespace minigrpc::store::test
