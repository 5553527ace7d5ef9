// What stands in the registry below one service's name, kept by reads and changes. Pure.
//
// A value that cannot be understood is counted and passed over; it never hides its neighbours.
#pragma once

#include <minigrpc/discovery.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minigrpc::discovery {

class InstanceList {
 public:
  // The whole truth, as read at `revision`. True when instances() changed.
  bool reset(std::span<const etcd::KeyValue> kvs, std::int64_t revision);
  // Changes, in order; those that the last read has seen already are passed over. True when instances()
  // changed.
  bool apply(std::span<const etcd::WatchEvent> events);
  // Nothing happened up to there.
  void advance_to(std::int64_t revision) { revision_ = std::max(revision_, revision); }

  // In the order of their keys.
  std::vector<Instance> instances() const;
  // Values that could not be understood, each version once.
  std::uint64_t malformed_count() const { return malformed_count_; }
  std::int64_t revision() const { return revision_; }

 private:
  struct Entry {
    std::string value;
    std::optional<Instance> instance;  // none: malformed
  };
  // True when instances() changed.
  bool put(const etcd::KeyValue& kv);
  bool erase(const std::string& key);

  std::map<std::string, Entry, std::less<>> entries_;
  std::int64_t revision_ = 0;
  std::uint64_t malformed_count_ = 0;
};

}  // namespace minigrpc::discovery
