// The handler of grpc.channelz.v1.Channelz: pages and entities of one runtime's registry.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/channelz.h>

#include "grpc/channelz/v1/channelz.minigrpc.h"
#include "rpc/channelz_registry.h"

namespace minigrpc::services {

class ChannelzService final : public grpc::channelz::v1::Channelz::Handler {
 public:
  explicit ChannelzService(const rpc::channelz::Registry& registry) : registry_(registry) {}

  Task<Result<grpc::channelz::v1::GetTopChannelsResponse>> GetTopChannels(
      ServerContext&, grpc::channelz::v1::GetTopChannelsRequest request) override;
  Task<Result<grpc::channelz::v1::GetServersResponse>> GetServers(
      ServerContext&, grpc::channelz::v1::GetServersRequest request) override;
  Task<Result<grpc::channelz::v1::GetServerResponse>> GetServer(
      ServerContext&, grpc::channelz::v1::GetServerRequest request) override;
  Task<Result<grpc::channelz::v1::GetServerSocketsResponse>> GetServerSockets(
      ServerContext&, grpc::channelz::v1::GetServerSocketsRequest request) override;
  Task<Result<grpc::channelz::v1::GetChannelResponse>> GetChannel(
      ServerContext&, grpc::channelz::v1::GetChannelRequest request) override;
  Task<Result<grpc::channelz::v1::GetSubchannelResponse>> GetSubchannel(
      ServerContext&, grpc::channelz::v1::GetSubchannelRequest request) override;
  Task<Result<grpc::channelz::v1::GetSocketResponse>> GetSocket(
      ServerContext&, grpc::channelz::v1::GetSocketRequest request) override;

 private:
  const rpc::channelz::Registry& registry_;
};

}  // namespace minigrpc::services
