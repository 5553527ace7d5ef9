// Compaction that happens by itself: of what is older than a time, or more than so many revisions back.
//
// Pure, but for the task at the end.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "registry/member.h"

namespace minigrpc::registry {

// Which revision to compact to, asked from time to time. Thread rule: one thread at a time.
class CompactionPlan {
 public:
  struct Options {
    std::int64_t retention_ms = 0;  // 0: age does not matter
    std::int64_t retention_revisions = 0;  // 0: the number does not matter
  };
  explicit CompactionPlan(const Options& options) : options_(options) {}

  // How often to ask: etcd's ten times a retention, and at least every five minutes.
  std::int64_t period_ms() const;
  // `revision` is the store's at now_ms. None: nothing new to compact.
  std::optional<std::int64_t> next(std::int64_t now_ms, std::int64_t revision);

 private:
  struct Sample {
    std::int64_t at_ms;
    std::int64_t revision;
  };
  const Options options_;
  std::deque<Sample> samples_;  // one a period, the oldest first, as far back as the retention
  std::int64_t last_ = 0;
};

inline bool compacts_by_itself(const RegistryOptions& options) {
  return options.compaction_retention.count() > 0 || options.compaction_retention_revisions > 0;
}

// Until it is cancelled. Both are borrowed.
Task<void> compact_by_itself(Member& member, Runtime& runtime);

}  // namespace minigrpc::registry
