#include "services/channelz_service.h"

#include <algorithm>

#include "base/limits.h"
#include "rpc/runtime_impl.h"
#include "services/channelz_messages.h"

namespace minigrpc {

namespace services {

using grpc::channelz::v1::GetChannelRequest;
using grpc::channelz::v1::GetChannelResponse;
using grpc::channelz::v1::GetServerRequest;
using grpc::channelz::v1::GetServerResponse;
using grpc::channelz::v1::GetServerSocketsRequest;
using grpc::channelz::v1::GetServerSocketsResponse;
using grpc::channelz::v1::GetServersRequest;
using grpc::channelz::v1::GetServersResponse;
using grpc::channelz::v1::GetSocketRequest;
using grpc::channelz::v1::GetSocketResponse;
using grpc::channelz::v1::GetSubchannelRequest;
using grpc::channelz::v1::GetSubchannelResponse;
using grpc::channelz::v1::GetTopChannelsRequest;
using grpc::channelz::v1::GetTopChannelsResponse;
using rpc::channelz::GroupView;
using rpc::channelz::Kind;
using rpc::channelz::Page;

namespace {

struct Range {
  std::int64_t start;
  std::size_t count_max;
};

Result<Range> range_of(std::int64_t start, std::int64_t results_max) {
  if (start < 0) return Status(StatusCode::kInvalidArgument, "an id to start from is not negative");
  if (results_max < 0) return Status(StatusCode::kInvalidArgument, "max_results is not negative");
  const auto wanted = static_cast<std::size_t>(results_max);
  return Range{start,
               wanted == 0 ? limits::kChannelzPageSizeMax : std::min(wanted, limits::kChannelzPageSizeMax)};
}

Status no_such(std::string_view kind, std::int64_t id) {
  if (id < 0) return Status(StatusCode::kInvalidArgument, "an id is not negative");
  return Status(StatusCode::kNotFound, "there is no " + std::string(kind) + " " + std::to_string(id));
}

}  // namespace

Task<Result<GetTopChannelsResponse>> ChannelzService::GetTopChannels(ServerContext&,
                                                                     GetTopChannelsRequest request) {
  const Result<Range> range = range_of(request.start_channel_id(), request.max_results());
  if (!range) co_return range.error();
  const Page<GroupView> page = registry_.channels(range->start, range->count_max);
  const WallClock clock;
  GetTopChannelsResponse response;
  for (const GroupView& channel : page.entries) fill(*response.add_channel(), channel, clock);
  response.set_end(page.end);
  co_return response;
}

Task<Result<GetServersResponse>> ChannelzService::GetServers(ServerContext&, GetServersRequest request) {
  const Result<Range> range = range_of(request.start_server_id(), request.max_results());
  if (!range) co_return range.error();
  const Page<GroupView> page = registry_.servers(range->start, range->count_max);
  const WallClock clock;
  GetServersResponse response;
  for (const GroupView& server : page.entries) fill(*response.add_server(), server, clock);
  response.set_end(page.end);
  co_return response;
}

Task<Result<GetServerResponse>> ChannelzService::GetServer(ServerContext&, GetServerRequest request) {
  const auto server = registry_.find_group(Kind::kServer, request.server_id());
  if (!server) co_return no_such("server", request.server_id());
  GetServerResponse response;
  fill(*response.mutable_server(), *server, WallClock());
  co_return response;
}

Task<Result<GetServerSocketsResponse>> ChannelzService::GetServerSockets(ServerContext&,
                                                                         GetServerSocketsRequest request) {
  const Result<Range> range = range_of(request.start_socket_id(), request.max_results());
  if (!range) co_return range.error();
  const auto page = registry_.server_sockets(request.server_id(), range->start, range->count_max);
  if (!page) co_return no_such("server", request.server_id());
  GetServerSocketsResponse response;
  for (const rpc::channelz::Reference& socket : page->entries) fill(*response.add_socket_ref(), socket);
  response.set_end(page->end);
  co_return response;
}

Task<Result<GetChannelResponse>> ChannelzService::GetChannel(ServerContext&, GetChannelRequest request) {
  const auto channel = registry_.find_group(Kind::kChannel, request.channel_id());
  if (!channel) co_return no_such("channel", request.channel_id());
  GetChannelResponse response;
  fill(*response.mutable_channel(), *channel, WallClock());
  co_return response;
}

Task<Result<GetSubchannelResponse>> ChannelzService::GetSubchannel(ServerContext&,
                                                                   GetSubchannelRequest request) {
  const auto subchannel = registry_.find_group(Kind::kSubchannel, request.subchannel_id());
  if (!subchannel) co_return no_such("subchannel", request.subchannel_id());
  GetSubchannelResponse response;
  fill(*response.mutable_subchannel(), *subchannel, WallClock());
  co_return response;
}

Task<Result<GetSocketResponse>> ChannelzService::GetSocket(ServerContext&, GetSocketRequest request) {
  using Detail = rpc::channelz::Registry::Detail;
  const Detail detail = request.summary() ? Detail::kSummary : Detail::kWithOptions;
  const auto socket = registry_.find_socket(request.socket_id(), detail);
  if (!socket) co_return no_such("socket", request.socket_id());
  GetSocketResponse response;
  fill(*response.mutable_socket(), *socket, WallClock());
  co_return response;
}

}  // namespace services

Channelz::Channelz(Runtime& runtime)
    : impl_(std::make_unique<services::ChannelzService>(runtime.impl().channelz())) {}
Channelz::~Channelz() = default;
Service& Channelz::service() { return *impl_; }

}  // namespace minigrpc
