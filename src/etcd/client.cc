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

namespace {

ChannelCredentials credentials_for(EndpointScheme scheme, const ChannelCredentials& given) {
  switch (scheme) {
    case EndpointScheme::kNone:
      return given;
    case EndpointScheme::kHttp:
      return {};
    case EndpointScheme::kHttps:
      return given.is_tls() ? given : ChannelCredentials::tls();
  }
  return given;
}

}  // namespace

Status no_endpoints() { return Status(StatusCode::kInvalidArgument, "no endpoint of a registry was given"); }

// ---- ClientImpl ----

ClientImpl::ClientImpl(Runtime& runtime, std::string_view endpoints, ClientOptions options)
    : runtime_(runtime), options_(std::move(options)), authenticator_(runtime, options_.user, options_.password) {
  ChannelOptions channel_options;
  channel_options.connect_timeout = options_.dial_timeout;
  // Answers of any size: a range is as large as its user asked for.
  channel_options.received_message_size_max = std::numeric_limits<std::int32_t>::max();
  // Short: whoever repeats calls here paces them.
  channel_options.backoff = {.initial = std::chrono::milliseconds(50),
                             .max = std::chrono::milliseconds(1000)};
  channel_options.keepalive = options_.keepalive;
  for (const Endpoint& endpoint : parse_endpoints(endpoints)) {
    channel_options.credentials = credentials_for(endpoint.scheme, options_.credentials);
    channels_.emplace_back(runtime, endpoint.address, channel_options);
    endpoints_.push_back(endpoint.address);
  }
}

Metadata ClientImpl::metadata(bool needs_leader) const {
  Metadata metadata = options_.metadata;
  if (needs_leader) metadata.add("hasleader", "true");
  return metadata;
}

Task<Result<Metadata>> ClientImpl::metadata_with_token(bool needs_leader, std::size_t endpoint,
                                                       std::optional<std::chrono::nanoseconds> bound) {
  Metadata carried = metadata(needs_leader);
  CallOptions asking_options{.timeout = bound, .metadata = options_.metadata};
  auto asking = authenticator_.token(channel(endpoint), std::move(asking_options));
  Result<Authenticator::Token> token = co_await asking;
  if (!token) co_return std::move(token).error();
  if (!token->text.empty()) carried.add("token", token->text);
  co_return carried;
}

Task<Result<ClientImpl::StreamOptions>> ClientImpl::stream_options(std::size_t endpoint) {
  StreamOptions stream;
  stream.call.metadata = metadata(true);
  if (options_.user.empty()) co_return stream;
  CallOptions asking_options{.metadata = options_.metadata};
  if (options_.request_timeout.count() > 0) asking_options.timeout = options_.request_timeout;
  auto asking = authenticator_.token(channel(endpoint), std::move(asking_options));
  Result<Authenticator::Token> token = co_await asking;
  if (!token) co_return std::move(token).error();
  if (!token->text.empty()) stream.call.metadata.add("token", token->text);
  stream.token_is_new = token->is_new;
  co_return stream;
}

std::chrono::nanoseconds ClientImpl::time_for(TimePoint deadline, std::size_t tries_left, Way way) const {
  const auto left = std::max(deadline - Runtime::now(), std::chrono::steady_clock::duration(0));
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

Task<Result<Metadata>> Client::call_metadata() {
  const std::shared_ptr<ClientImpl> impl = impl_;
  Result<Metadata> metadata = no_endpoints();
  std::optional<std::chrono::nanoseconds> bound;
  if (impl->options().request_timeout.count() > 0) bound = impl->options().request_timeout;
  for (std::size_t tried = 0; tried < impl->endpoint_count() && !metadata; ++tried) {
    auto preparing = impl->metadata_with_token(true, impl->preferred() + tried, bound);
    metadata = co_await preparing;
    if (!metadata && metadata.error().code() != StatusCode::kUnavailable) break;
  }
  co_return metadata;
}

bool Client::token_refused(const Status& failure) { return impl_->authenticator().refused(failure); }

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
  const std::vector<Endpoint> wanted = parse_endpoints(endpoint);
  const auto found = std::ranges::find(endpoints(), wanted.size() == 1 ? wanted.front().address : endpoint);
  if (found == endpoints().end())
    co_return Status(StatusCode::kInvalidArgument, "'" + endpoint + "' is none of this client's endpoints");
  const std::size_t index = static_cast<std::size_t>(found - endpoints().begin());
  CallOptions options;
  if (impl_->options().request_timeout.count() > 0) options.timeout = impl_->options().request_timeout;
  auto preparing = impl_->metadata_with_token(false, index, options.timeout);
  Result<Metadata> metadata = co_await preparing;
  if (!metadata) co_return std::move(metadata).error();
  options.metadata = *std::move(metadata);
  auto calling = pb::Maintenance::Client(impl_->channel(index)).Status(pb::StatusRequest(), std::move(options));
  Result<pb::StatusResponse> response = co_await calling;
  if (!response) co_return std::move(response).error();
  co_return from_proto(*std::move(response));
}

}  // namespace minigrpc::etcd
