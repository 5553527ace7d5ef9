#include "discovery/instance_list.h"

#include <set>

namespace minigrpc::discovery {

bool InstanceList::reset(std::span<const etcd::KeyValue> kvs, std::int64_t revision) {
  revision_ = revision;  // may go backwards: the registry was wiped or restored
  bool changed = false;
  std::set<std::string_view> present;
  for (const etcd::KeyValue& kv : kvs) {
    present.insert(kv.key);
    changed = put(kv) || changed;
  }
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (present.contains(entry->first)) {
      ++entry;
      continue;
    }
    changed = changed || entry->second.instance.has_value();
    entry = entries_.erase(entry);
  }
  return changed;
}

bool InstanceList::apply(std::span<const etcd::WatchEvent> events) {
  bool changed = false;
  for (const etcd::WatchEvent& event : events) {
    if (event.kv.mod_revision <= revision_) continue;
    changed = (event.type == etcd::EventType::kPut ? put(event.kv) : erase(event.kv.key)) || changed;
  }
  // Last, since several events may share a revision.
  if (!events.empty()) advance_to(events.back().kv.mod_revision);
  return changed;
}

std::vector<Instance> InstanceList::instances() const {
  std::vector<Instance> list;
  for (const auto& [key, entry] : entries_)
    if (entry.instance) list.push_back(*entry.instance);
  return list;
}

bool InstanceList::put(const etcd::KeyValue& kv) {
  const auto [position, added] = entries_.try_emplace(kv.key);
  Entry& entry = position->second;
  if (!added && entry.value == kv.value) return false;
  entry.value = kv.value;
  Result<Instance> parsed = parse_instance(kv.value);
  if (!parsed) ++malformed_count_;
  std::optional<Instance> instance;
  if (parsed) instance = *std::move(parsed);
  if (instance == entry.instance) return false;
  entry.instance = std::move(instance);
  return true;
}

bool InstanceList::erase(const std::string& key) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return false;
  const bool changed = entry->second.instance.has_value();
  entries_.erase(entry);
  return changed;
}

}  // namespace minigrpc::discovery
