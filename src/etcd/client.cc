#include <minigrpc/etcd.h>

#include <algorithm>
#include <limits>

#include "etcd/api/cluster.minigrpc.h"
#include "etcd/api/kv.minigrpc.h"
#include "etcd/api/lease.minigrpc.h"
#include "etcd/api/maintenance.minigrpc.h"
#include "etcd/client_impl.h"
#include "etcd/endpoints.h"

namespace minigrpc::etcd {

namespace pb = etcdserverpb;

Status no_endpoints() { return Status(StatusCode::kInvalidArgument, "no endpoint of a registry was given"); }

// ---- ClientImpl ----

ClientImpl::ClientImpl(Runtime& runtime, std::string_view endpoints, ClientOptions options)
    : runtime_(runtime), options_(std::move(options)), endpoints_(parse_endpoints(endpoints)) {
  ChannelOptions channel_options;
  channel_options.connect_timeout = options_.dial_timeout;
  // Answers of any size: a range is as large as its user asked for.
  channel_options.received_message_size_max = std::numeric_limits<std::int32_t>::max();
  // Short: whoever repeats calls here paces them.
  channel_options.backoff = {.initial = std::chrono::milliseconds(50),
                             .max = std::chrono::milliseconds(1000)};
  channels_.reserve(endpoints_.size());
  for (const std::string& endpoint : endpoints_) channels_.emplace_back(runtime, endpoint, channel_options);
}

Metadata ClientImpl::metadata(bool needs_leader) const {
  Metadata metadata = options_.metadata;
  if (needs_leader) metadata.add("hasleader", "true");
  return metadata;
}

std::chrono::nanoseconds ClientImpl::time_for(TimePoint deadline, std::size_t tries_left, Way way) const {
  const auto left =
      std::max(deadline - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration(0));
  // What may be repeated shares its time between the endpoints, so that one that hangs does not take all of
  // it.
  return way.changes ? left : left / static_cast<std::int64_t>(tries_left);
}

ClientImpl::Verdict ClientImpl::judge(const Status& failure, Way way, const CallDetails& details) {
  const bool unavailable = failure.code() == StatusCode::kUnavailable;
  const bool hangs =
      failure.code() == StatusCode::kDeadlineExceeded && failure.origin() == StatusOrigin::kLocal;
  if (!unavailable && !hangs) return Verdict::kFinal;
  if (!way.changes) return Verdict::kTryNext;
  // A call that never had a connection was not sent: that is the only proof there is.
  const bool sent = !details.peer.empty();
  return unavailable && !sent ? Verdict::kTryNext : Verdict::kFinalHere;
}

// ---- Client ----

namespace {

constexpr ClientImpl::Way kRead{.changes = false, .needs_leader = true};
constexpr ClientImpl::Way kReadAnywhere{.changes = false, .needs_leader = false};
constexpr ClientImpl::Way kChange{.changes = true, .needs_leader = true};

Task<Result<pb::LeaseKeepAliveResponse>> keep_alive_once(const Channel& channel,
                                                         pb::LeaseKeepAliveRequest request,
                                                         CallOptions options) {
  auto stream = pb::Lease::Client(channel).LeaseKeepAlive(std::move(options));
  auto writing = stream.write(request);
  co_await writing;
  auto reading = stream.read();
  std::optional<pb::LeaseKeepAliveResponse> response = co_await reading;
  if (response) co_return *std::move(response);
  auto finishing = stream.finish();
  Status status = co_await finishing;
  if (status.ok()) status = Status(StatusCode::kUnavailable, "the server has closed the keepalive stream");
  co_return status;
}

}  // namespace

Client::Client(Runtime& runtime, std::string_view endpoints, ClientOptions options)
    : impl_(std::make_shared<ClientImpl>(runtime, endpoints, std::move(options))) {}
Client::~Client() = default;

const std::vector<std::string>& Client::endpoints() const { return impl_->endpoints(); }
Runtime& Client::runtime() const { return impl_->runtime(); }

Task<Result<RangeResponse>> Client::Range(RangeRequest request) {
  const ClientImpl::Way way = request.serializable ? kReadAnywhere : kRead;
  return impl_->call(way, to_proto(std::move(request)),
                     [](const Channel& channel, const pb::RangeRequest& message, CallOptions options) {
                       return pb::KV::Client(channel).Range(message, std::move(options));
                     });
}

Task<Result<PutResponse>> Client::Put(PutRequest request) {
  return impl_->call(kChange, to_proto(std::move(request)),
                     [](const Channel& channel, const pb::PutRequest& message, CallOptions options) {
                       return pb::KV::Client(channel).Put(message, std::move(options));
                     });
}

Task<Result<DeleteRangeResponse>> Client::DeleteRange(DeleteRangeRequest request) {
  return impl_->call(kChange, to_proto(std::move(request)),
                     [](const Channel& channel, const pb::DeleteRangeRequest& message, CallOptions options) {
                       return pb::KV::Client(channel).DeleteRange(message, std::move(options));
                     });
}

Task<Result<TxnResponse>> Client::Txn(TxnRequest request) {
  return impl_->call(kChange, to_proto(std::move(request)),
                     [](const Channel& channel, const pb::TxnRequest& message, CallOptions options) {
                       return pb::KV::Client(channel).Txn(message, std::move(options));
                     });
}

Task<Result<CompactionResponse>> Client::Compact(CompactionRequest request) {
  return impl_->call(kChange, to_proto(std::move(request)),
                     [](const Channel& channel, const pb::CompactionRequest& message, CallOptions options) {
                       return pb::KV::Client(channel).Compact(message, std::move(options));
                     });
}

Task<Result<LeaseGrantResponse>> Client::LeaseGrant(LeaseGrantRequest request) {
  return impl_->call(kChange, to_proto(std::move(request)),
                     [](const Channel& channel, const pb::LeaseGrantRequest& message, CallOptions options) {
                       return pb::Lease::Client(channel).LeaseGrant(message, std::move(options));
                     });
}

Task<Result<LeaseRevokeResponse>> Client::LeaseRevoke(LeaseId id) {
  pb::LeaseRevokeRequest request;
  request.set_id(id);
  return impl_->call(kChange, std::move(request),
                     [](const Channel& channel, const pb::LeaseRevokeRequest& message, CallOptions options) {
                       return pb::Lease::Client(channel).LeaseRevoke(message, std::move(options));
                     });
}

Task<Result<LeaseKeepAliveResponse>> Client::LeaseKeepAlive(LeaseId id) {
  pb::LeaseKeepAliveRequest request;
  request.set_id(id);
  return impl_->call(
      kRead, std::move(request),
      [](const Channel& channel, const pb::LeaseKeepAliveRequest& message, CallOptions options) {
        return keep_alive_once(channel, message, std::move(options));
      });
}

Task<Result<LeaseTimeToLiveResponse>> Client::LeaseTimeToLive(LeaseTimeToLiveRequest request) {
  return impl_->call(
      kRead, to_proto(std::move(request)),
      [](const Channel& channel, const pb::LeaseTimeToLiveRequest& message, CallOptions options) {
        return pb::Lease::Client(channel).LeaseTimeToLive(message, std::move(options));
      });
}

Task<Result<LeaseLeasesResponse>> Client::LeaseLeases() {
  return impl_->call(kRead, pb::LeaseLeasesRequest(),
                     [](const Channel& channel, const pb::LeaseLeasesRequest& message, CallOptions options) {
                       return pb::Lease::Client(channel).LeaseLeases(message, std::move(options));
                     });
}

Task<Result<MemberListResponse>> Client::MemberList() {
  return impl_->call(kReadAnywhere, pb::MemberListRequest(),
                     [](const Channel& channel, const pb::MemberListRequest& message, CallOptions options) {
                       return pb::Cluster::Client(channel).MemberList(message, std::move(options));
                     });
}

Task<Result<MemberStatusResponse>> Client::MemberStatus(std::string endpoint) {
  const std::vector<std::string> wanted = parse_endpoints(endpoint);
  const auto found = std::ranges::find(endpoints(), wanted.size() == 1 ? wanted.front() : endpoint);
  if (found == endpoints().end())
    co_return Status(StatusCode::kInvalidArgument, "'" + endpoint + "' is none of this client's endpoints");
  const Channel& channel = impl_->channel(static_cast<std::size_t>(found - endpoints().begin()));
  CallOptions options{.metadata = impl_->metadata(false)};
  if (impl_->options().request_timeout.count() > 0) options.timeout = impl_->options().request_timeout;
  auto calling = pb::Maintenance::Client(channel).Status(pb::StatusRequest(), std::move(options));
  Result<pb::StatusResponse> response = co_await calling;
  if (!response) co_return std::move(response).error();
  co_return from_proto(*std::move(response));
}

}  // namespace minigrpc::etcd
