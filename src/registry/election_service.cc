#include "registry/election_service.h"

#include <optional>
#include <utility>

#include "registry/change_feed.h"
#include "registry/convert.h"
#include "registry/waiting_line.h"

namespace minigrpc::registry {

namespace {

// The errors of etcd's recipe; its server passes them on without a code.
Status no_leader() { return {StatusCode::kUnknown, "election: no leader"}; }
Status not_leader() { return {StatusCode::kUnknown, "election: not leader"}; }
Status no_leader_key() { return {StatusCode::kUnknown, "\"leader\" field must be provided"}; }

// Whether the key is still the one with which its owner was elected.
Result<bool> holds(store::WriteBatch& batch, const v3electionpb::LeaderKey& leader) {
  const Result<store::RangeResult> found = batch.range({.keys = {leader.key(), {}}, .keys_only = true});
  if (!found) return found.error();
  return !found->kvs.empty() && found->kvs.front().create_revision == leader.rev();
}

}  // namespace

Task<Result<v3electionpb::CampaignResponse>> ElectionService::Campaign(ServerContext& context,
                                                                       v3electionpb::CampaignRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  WaitingLine line(member_, access->for_stream(), request.name());
  Task<Result<Place>> entering = line.enter(request.lease(), request.value());
  const Result<Place> place = co_await entering;
  if (!place) co_return place.error();
  Task<Result<std::int64_t>> waiting = line.wait_first(*place);
  const Result<std::int64_t> revision = co_await waiting;
  if (!revision) co_return revision.error();
  v3electionpb::CampaignResponse answer;
  member_.fill(answer.mutable_header(), *revision);
  v3electionpb::LeaderKey& leader = *answer.mutable_leader();
  leader.set_name(request.name());
  leader.set_key(place->key);
  leader.set_rev(place->create_revision);
  leader.set_lease(place->lease);
  co_return answer;
}

Task<Result<v3electionpb::ProclaimResponse>> ElectionService::Proclaim(ServerContext& context,
                                                                       v3electionpb::ProclaimRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (!request.has_leader()) co_return no_leader_key();
  std::int64_t revision = 0;
  auto proclaim = [&](store::WriteBatch& batch) -> Status {
    const v3electionpb::LeaderKey& leader = request.leader();
    const store::PutRequest wanted{.key = leader.key(), .value = request.value(), .lease = leader.lease()};
    if (Status status = access->may_put(wanted, batch); !status.ok()) return status;
    if (Status status = member_.alarms().check(Demand::kSpace); !status.ok()) return status;
    const Result<bool> leads = holds(batch, leader);
    if (!leads) return leads.error();
    if (!*leads) return not_leader();
    const Result<store::PutResult> put = batch.put(wanted);
    if (!put) return put.error();
    revision = put->revision;
    return Status();
  };
  auto writing = member_.writer().write(proclaim);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  v3electionpb::ProclaimResponse answer;
  member_.fill(answer.mutable_header(), revision);
  co_return answer;
}

Result<v3electionpb::LeaderResponse> ElectionService::find_leader(const Access& access,
                                                                  const std::string& name) const {
  const std::string prefix = name + "/";
  const std::string end = end_of_prefix(prefix);
  const Result<store::ReadView> view = member_.store().read();
  if (!view) return view.error();
  if (Status status = access.may_read({prefix, end}); !status.ok()) return status;
  const Result<store::RangeResult> first = view->range({.keys = {prefix, end},
                                                        .limit = 1,
                                                        .sort_order = store::SortOrder::kAscend,
                                                        .sort_target = store::SortTarget::kCreate});
  if (!first) return first.error();
  v3electionpb::LeaderResponse answer;
  member_.fill(answer.mutable_header(), first->revision);
  if (!first->kvs.empty()) to_message(first->kvs.front(), answer.mutable_kv());
  return answer;
}

Task<Result<v3electionpb::LeaderResponse>> ElectionService::Leader(ServerContext& context,
                                                                   v3electionpb::LeaderRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  Result<v3electionpb::LeaderResponse> leader = find_leader(*access, request.name());
  if (leader && !leader->has_kv()) co_return no_leader();
  co_return leader;
}

Task<Status> ElectionService::Observe(ServerContext& context, v3electionpb::LeaderRequest request,
                                      LeaderWriter& writer) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  const Access rights = access->for_stream();
  for (;;) {
    // Each term anew: rights may have gone.
    Result<v3electionpb::LeaderResponse> leader = find_leader(rights, request.name());
    if (!leader) co_return std::move(leader).error();
    const std::int64_t revision = leader->header().revision();
    Task<Result<bool>> waiting = leader->has_kv() ? observe_leader(*std::move(leader), &writer)
                                                  : wait_for_candidate(request.name(), revision);
    const Result<bool> open = co_await waiting;
    if (!open) co_return open.error();
    if (member_.open_calls().ended()) co_return server_stopped();
    if (!*open) co_return Status(StatusCode::kCancelled, "the call was cancelled");
  }
}

Task<Result<bool>> ElectionService::observe_leader(v3electionpb::LeaderResponse leader, LeaderWriter* writer) {
  auto writing = writer->write(leader);
  bool open = co_await writing;
  ChangeFeed feed(member_, {.key = leader.kv().key(), .range_end = {}}, leader.header().revision() + 1);
  const OpenCalls::Entry entry(member_.open_calls(), [&feed] { feed.ring(); });
  while (open) {
    Task<Result<std::vector<store::Event>>> changes = feed.next();
    const Result<std::vector<store::Event>> events = co_await changes;
    if (!events) co_return events.error();
    if (events->empty()) co_return false;
    for (const store::Event& event : *events) {
      if (event.type == store::EventType::kDelete) co_return true;
      v3electionpb::LeaderResponse answer;
      member_.fill(answer.mutable_header(), event.revision.main);
      to_message(event.kv, answer.mutable_kv());
      auto sending = writer->write(answer);
      open = co_await sending;
      if (!open) break;
    }
  }
  co_return false;
}

Task<Result<bool>> ElectionService::wait_for_candidate(std::string name, std::int64_t revision) {
  const std::string prefix = name + "/";
  ChangeFeed feed(member_, {.key = prefix, .range_end = end_of_prefix(prefix), .deletes = false}, revision + 1);
  const OpenCalls::Entry entry(member_.open_calls(), [&feed] { feed.ring(); });
  Task<Result<std::vector<store::Event>>> changes = feed.next();
  const Result<std::vector<store::Event>> events = co_await changes;
  if (!events) co_return events.error();
  co_return !events->empty();
}

Task<Result<v3electionpb::ResignResponse>> ElectionService::Resign(ServerContext& context,
                                                                   v3electionpb::ResignRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (!request.has_leader()) co_return no_leader_key();
  std::int64_t revision = 0;
  auto resign = [&](store::WriteBatch& batch) -> Status {
    const store::DeleteRangeRequest wanted{.keys = {request.leader().key(), {}}};
    if (Status status = access->may_delete(wanted); !status.ok()) return status;
    const Result<bool> leads = holds(batch, request.leader());
    if (!leads) return leads.error();
    revision = batch.revision();
    // Who does not lead any more has nothing to give back: no error, as in etcd.
    if (!*leads) return Status();
    const Result<store::DeleteRangeResult> removed = batch.delete_range(wanted);
    if (!removed) return removed.error();
    revision = removed->revision;
    return Status();
  };
  auto writing = member_.writer().write(resign);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  v3electionpb::ResignResponse answer;
  member_.fill(answer.mutable_header(), revision);
  co_return answer;
}

}  // namespace minigrpc::registry
