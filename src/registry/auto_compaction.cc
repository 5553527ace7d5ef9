#include "registry/auto_compaction.h"

#include <algorithm>
#include <chrono>

namespace minigrpc::registry {

namespace {
constexpr std::int64_t kPeriodMaxMs = 5 * 60 * 1000;
constexpr std::int64_t kPeriodMinMs = 100;
}  // namespace

std::int64_t CompactionPlan::period_ms() const {
  if (options_.retention_ms <= 0) return kPeriodMaxMs;
  return std::clamp(options_.retention_ms / 10, kPeriodMinMs, kPeriodMaxMs);
}

std::optional<std::int64_t> CompactionPlan::next(std::int64_t now_ms, std::int64_t revision) {
  std::int64_t target = 0;
  if (options_.retention_revisions > 0) target = revision - options_.retention_revisions;
  if (options_.retention_ms > 0) {
    samples_.push_back({now_ms, revision});
    // The latest sample that is old enough: all that is kept came after it.
    while (!samples_.empty() && samples_.front().at_ms <= now_ms - options_.retention_ms) {
      target = std::max(target, samples_.front().revision);
      samples_.pop_front();
    }
  }
  if (target <= last_) return std::nullopt;
  last_ = target;
  return target;
}

Task<void> compact_by_itself(Member& member, Runtime& runtime) {
  CompactionPlan plan({.retention_ms = member.options().compaction_retention.count(),
                       .retention_revisions = member.options().compaction_retention_revisions});
  for (;;) {
    if (const std::optional<std::int64_t> revision = plan.next(now_ms(), member.hub().revision())) {
      auto compacting = member.writer().compact(*revision, false);
      const Status status = co_await compacting;
      // Somebody may have compacted further by hand.
      if (!status.ok() && status.code() != StatusCode::kOutOfRange)
        member.log().warn("history could not be compacted", {{"error", status.to_string()}});
      if (status.ok()) member.log().info("compacted history", {{"revision", std::to_string(*revision)}, {"by", "itself"}});
    }
    Task<bool> sleeping = runtime.sleep_for(std::chrono::milliseconds(plan.period_ms()));
    const bool elapsed = co_await sleeping;
    if (!elapsed) co_return;
  }
}

}  // namespace minigrpc::registry
