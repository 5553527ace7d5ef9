#include "registry/lease_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "registry/access.h"

namespace minigrpc::registry {

namespace {

// Grants the lease that the request asks for, or one with an id that is free.
Result<store::LeaseInfo> grant(store::WriteBatch& batch, const etcdserverpb::LeaseGrantRequest& request) {
  store::LeaseGrantRequest wanted{.id = request.id(), .ttl_s = request.ttl(), .now_ms = now_ms()};
  if (wanted.id != 0) return batch.lease_grant(wanted);
  for (;;) {
    wanted.id = static_cast<store::LeaseId>(random_id());
    Result<store::LeaseInfo> granted = batch.lease_grant(wanted);
    if (granted || granted.error().code() != StatusCode::kFailedPrecondition) return granted;
  }
}

// Of every lease, since the list names them all: etcd's rule.
Status may_list(const Access& access, store::Store& store, const std::vector<store::LeaseId>& leases) {
  const Result<store::ReadView> view = store.read();
  if (!view) return view.error();
  for (const store::LeaseId id : leases) {
    const Result<std::vector<std::string>> keys = view->lease_keys(id);
    if (!keys) return keys.error();
    if (Status status = access.may_read_all(*keys); !status.ok()) return status;
  }
  return Status();
}

Task<Status> serve_and_signal(Task<Status> serving, AsyncEvent* over) {
  Status status = co_await serving;
  over->set();
  co_return status;
}

// Renewing is for who may write all of the lease's keys.
Status may_renew(const Access& access, store::Store& store, store::LeaseId id) {
  if (access.may_administer().ok()) return Status();
  const Result<store::ReadView> view = store.read();
  if (!view) return view.error();
  const Result<std::vector<std::string>> keys = view->lease_keys(id);
  if (!keys) return keys.error();
  return access.may_write_all(*keys);
}

// When the call is over by itself, this is without effect; when the registry stops, it wakes who waits for the client.
template <class Stream>
Task<void> end_call(Stream* stream, AsyncEvent* over, OpenCalls* calls) {
  Task<bool> waiting = over->wait();
  co_await waiting;
  if (calls->ended()) stream->finish(server_stopped());
}

}  // namespace

Task<Result<etcdserverpb::LeaseGrantResponse>> LeaseService::LeaseGrant(ServerContext& context,
                                                                        etcdserverpb::LeaseGrantRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  store::LeaseInfo info;
  std::int64_t revision = 0;
  auto apply = [&](store::WriteBatch& batch) -> Status {
    // etcd before 3.6 grants leases to anybody, who can then fill the store.
    if (Status status = access->signed_in(); !status.ok()) return status;
    if (Status status = member_.alarms().check(Demand::kSpace); !status.ok()) return status;
    const Result<store::LeaseInfo> granted = grant(batch, request);
    if (!granted) return granted.error();
    info = *granted;
    revision = batch.revision();
    return Status();
  };
  auto writing = member_.writer().write(apply);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  member_.counters().leases_granted.add();
  etcdserverpb::LeaseGrantResponse answer;
  member_.fill(answer.mutable_header(), revision);
  answer.set_id(info.id);
  answer.set_ttl(info.granted_ttl_s);
  co_return answer;
}

Task<Result<etcdserverpb::LeaseRevokeResponse>> LeaseService::LeaseRevoke(ServerContext& context,
                                                                          etcdserverpb::LeaseRevokeRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  std::int64_t revision = 0;
  auto revoke = [&](store::WriteBatch& batch) -> Status {
    if (Status status = access->signed_in(); !status.ok()) return status;
    if (Status status = access->may_revoke(request.id(), batch); !status.ok()) return status;
    if (Status status = member_.alarms().check(Demand::kChange); !status.ok()) return status;
    const Result<std::int64_t> revoked = batch.lease_revoke(request.id());
    if (!revoked) return revoked.error();
    revision = *revoked;
    return Status();
  };
  auto writing = member_.writer().write(revoke);
  Status status = co_await writing;
  if (!status.ok()) co_return status;
  member_.counters().leases_revoked.add();
  etcdserverpb::LeaseRevokeResponse answer;
  member_.fill(answer.mutable_header(), revision);
  co_return answer;
}

Task<Status> LeaseService::LeaseKeepAlive(ServerContext& context, KeepAliveStream& stream) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  AsyncEvent over;
  const OpenCalls::Entry entry(member_.open_calls(), [&over] { over.set(); });
  Task<Status> serving = serve_and_signal(serve(access->for_stream(), &stream), &over);
  Task<void> ending = end_call(&stream, &over, &member_.open_calls());
  auto both = when_all(std::move(serving), std::move(ending));
  auto outcome = co_await both;
  co_return std::get<0>(std::move(outcome));
}

Task<Status> LeaseService::serve(Access access, KeepAliveStream* stream) {
  for (;;) {
    auto reading = stream->read();
    std::optional<etcdserverpb::LeaseKeepAliveRequest> request = co_await reading;
    if (!request) co_return Status();

    const store::LeaseId id = request->id();
    store::LeaseInfo info;
    etcdserverpb::LeaseKeepAliveResponse answer;
    // Asked for before: a lease that ends at a later revision was alive at this one.
    member_.fill(answer.mutable_header(), member_.hub().revision());
    Status status = may_renew(access, member_.store(), id);
    if (!status.ok()) co_return status;
    if (const std::optional<store::LeaseInfo> renewed = member_.store().lease_renew_in_time(id, now_ms())) {
      info = *renewed;
    } else {
      // It is due: whether it is revoked or lives on is the writer's to say.
      auto renew = [&](store::Store& store) -> Status {
        const Result<store::LeaseInfo> late = store.lease_renew(id, now_ms());
        if (!late) return late.error();
        info = *late;
        return Status();
      };
      auto renewing = member_.writer().inspect(renew);
      status = co_await renewing;
    }
    // A lease that does not exist is an answer with TTL 0, not an error: other leases share the stream.
    if (!status.ok() && status.code() != StatusCode::kNotFound) co_return status;
    if (status.ok()) member_.counters().leases_renewed.add();
    answer.set_id(id);
    answer.set_ttl(info.granted_ttl_s);
    auto writing = stream->write(answer);
    const bool written = co_await writing;
    if (!written) co_return Status();
  }
}

Task<Result<etcdserverpb::LeaseTimeToLiveResponse>> LeaseService::LeaseTimeToLive(
    ServerContext& context, etcdserverpb::LeaseTimeToLiveRequest request) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (Status signed_in = access->signed_in(); !signed_in.ok()) co_return signed_in;
  store::LeaseInfo info;
  auto look_up = [&](store::Store& store) -> Status {
    const Result<store::LeaseInfo> found = store.lease_info(request.id(), now_ms());
    if (!found) return found.error();
    info = *found;
    return Status();
  };
  auto looking = member_.writer().inspect(look_up);
  Status status = co_await looking;
  etcdserverpb::LeaseTimeToLiveResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  answer.set_id(request.id());
  if (status.code() == StatusCode::kNotFound) {
    answer.set_ttl(-1);
    co_return answer;
  }
  if (!status.ok()) co_return status;
  answer.set_ttl(std::max<std::int64_t>(info.remaining_ms, 0) / 1000);
  answer.set_grantedttl(info.granted_ttl_s);
  if (request.keys()) {
    const Result<store::ReadView> view = member_.store().read();
    if (!view) co_return view.error();
    Result<std::vector<std::string>> keys = view->lease_keys(request.id());
    if (!keys) co_return std::move(keys).error();
    if (!access->may_administer().ok())
      if (Status denied = access->may_read_all(*keys); !denied.ok()) co_return denied;
    for (std::string& key : *keys) answer.add_keys(std::move(key));
  }
  co_return answer;
}

Task<Result<etcdserverpb::LeaseLeasesResponse>> LeaseService::LeaseLeases(ServerContext& context,
                                                                          etcdserverpb::LeaseLeasesRequest) {
  const Result<Access> access = Access::of(member_.auth(), context);
  if (!access) co_return access.error();
  if (Status signed_in = access->signed_in(); !signed_in.ok()) co_return signed_in;
  std::vector<store::LeaseId> leases;
  auto list = [&](store::Store& store) -> Status {
    leases = store.leases();
    return Status();
  };
  auto listing = member_.writer().inspect(list);
  Status status = co_await listing;
  if (!status.ok()) co_return status;
  if (!access->may_administer().ok())
    if (Status denied = may_list(*access, member_.store(), leases); !denied.ok()) co_return denied;
  etcdserverpb::LeaseLeasesResponse answer;
  member_.fill(answer.mutable_header(), member_.hub().revision());
  for (const store::LeaseId id : leases) answer.add_leases()->set_id(id);
  co_return answer;
}

}  // namespace minigrpc::registry
