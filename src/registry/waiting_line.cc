#include "registry/waiting_line.h"

#include <optional>
#include <utility>

namespace minigrpc::registry {

namespace {

constexpr std::int64_t kSessionTtlS = 60;

Result<store::LeaseId> grant_session(store::WriteBatch& batch) {
  const store::LeaseGrantRequest wanted{
      .id = static_cast<store::LeaseId>(random_id()), .ttl_s = kSessionTtlS, .now_ms = now_ms()};
  const Result<store::LeaseInfo> granted = batch.lease_grant(wanted);
  if (!granted) return granted.error();
  return granted->id;
}

Result<Place> take_place(store::WriteBatch& batch, const Access& access, const std::string& prefix,
                         store::LeaseId lease, const std::string& value) {
  const std::string end = end_of_prefix(prefix);
  if (Status status = access.may_read({prefix, end}); !status.ok()) return status;
  if (lease == 0) {
    const Result<store::LeaseId> granted = grant_session(batch);
    if (!granted) return granted.error();
    lease = *granted;
  }
  Place place{.key = prefix + to_hex(lease), .lease = lease};
  const store::PutRequest wanted{.key = place.key, .value = value, .lease = lease};
  if (Status status = access.may_put(wanted, batch); !status.ok()) return status;
  const store::RangeRequest own{.keys = {place.key, {}}};
  const Result<store::RangeResult> found = batch.range(own);
  if (!found) return found.error();
  if (!found->kvs.empty()) place.create_revision = found->kvs.front().create_revision;
  if (!found->kvs.empty() && found->kvs.front().value == value) return place;
  const Result<store::PutResult> put = batch.put(wanted);
  if (!put) return put.error();
  if (found->kvs.empty()) place.create_revision = put->revision;
  return place;
}

// Wakes its task when one of two keys is deleted. What woke it does not matter: the line is looked at again.
class DeletionAlarm {
 public:
  DeletionAlarm(WatchHub& hub, const std::string& first, const std::string& second, std::int64_t from_revision)
      : hub_(hub), outbox_([this] { event_.set(); }) {
    for (const std::string* key : {&first, &second}) {
      WatchFilter filter{.key = *key, .range_end = {}, .puts = false};
      auto watcher = std::make_shared<Watcher>(std::move(filter), 0);
      hub_.start(watcher, outbox_, from_revision);
      watchers_.push_back(std::move(watcher));
    }
  }
  ~DeletionAlarm() {
    for (const std::shared_ptr<Watcher>& watcher : watchers_) hub_.stop(*watcher);
  }
  DeletionAlarm(const DeletionAlarm&) = delete;
  void ring() { event_.set(); }
  Task<bool> wait() { return event_.wait(); }

 private:
  WatchHub& hub_;
  AsyncEvent event_;
  Outbox outbox_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
};

}  // namespace

std::string end_of_prefix(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

Task<Result<Place>> WaitingLine::enter(store::LeaseId lease, std::string value) {
  Place place;
  auto take = [&](store::WriteBatch& batch) -> Status {
    if (Status status = member_.alarms().check(Demand::kSpace); !status.ok()) return status;
    Result<Place> taken = take_place(batch, access_, prefix_, lease, value);
    if (!taken) return std::move(taken).error();
    place = *std::move(taken);
    return Status();
  };
  auto writing = member_.writer().write(take);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  co_return place;
}

Result<std::string> WaitingLine::one_ahead(const store::ReadView& view, const Place& place) const {
  const std::string end = end_of_prefix(prefix_);
  const store::RangeRequest earlier{.keys = {prefix_, end},
                                    .limit = 1,
                                    .sort_order = store::SortOrder::kDescend,
                                    .sort_target = store::SortTarget::kCreate,
                                    .keys_only = true,
                                    .max_create_revision = place.create_revision - 1};
  const Result<store::RangeResult> found = view.range(earlier);
  if (!found) return found.error();
  return found->kvs.empty() ? std::string() : std::string(found->kvs.front().key);
}

Task<Result<std::int64_t>> WaitingLine::wait_first(Place place) {
  for (;;) {
    std::string ahead;
    std::int64_t revision = 0;
    {
      const Result<store::ReadView> view = member_.store().read();
      if (!view) co_return view.error();
      revision = view->revision();
      const store::RangeRequest own{.keys = {place.key, {}}, .keys_only = true};
      const Result<store::RangeResult> found = view->range(own);
      if (!found) co_return found.error();
      if (found->kvs.empty() || found->kvs.front().create_revision != place.create_revision)
        co_return Status(StatusCode::kFailedPrecondition, "etcdserver: session expired");
      Result<std::string> key = one_ahead(*view, place);
      if (!key) co_return std::move(key).error();
      ahead = *std::move(key);
    }
    if (ahead.empty()) co_return revision;

    DeletionAlarm alarm(member_.hub(), ahead, place.key, revision + 1);
    const OpenCalls::Entry entry(member_.open_calls(), [&alarm] { alarm.ring(); });
    Task<bool> waiting = alarm.wait();
    const bool rung = co_await waiting;
    if (member_.open_calls().ended()) co_return server_stopped();
    if (rung) continue;

    const std::string key = place.key;
    auto leave = [&](store::WriteBatch& batch) -> Status {
      return batch.delete_range({.keys = {key, {}}}).status();
    };
    auto leaving = member_.writer().write(leave);
    Status status = co_await leaving;
    if (!status.ok()) co_return status;
    co_return Status(StatusCode::kCancelled, "the wait was cancelled");
  }
}

}  // namespace minigrpc::registry
