// HttpGateway: HTTP/1.1 on the registry's port: etcd's JSON gateway, and its pages.
//
//   request ─▶ /v3/… ─▶ JSON to message ─▶ a call of the registry itself ─▶ message to JSON ─▶ response
//        └───▶ /health, /metrics …: http_pages.h
//
// A call goes the way of every gRPC client's, by an address that only this process reaches: what holds there, authentication,
// limits and errors, holds here.
//
// Thread rule: take_over() on any loop; the rest belongs to the owner.
#pragma once

#include <minigrpc/channel.h>

#include <memory>
#include <string>

#include "registry/member.h"
#include "rpc/other_protocol.h"

namespace minigrpc::registry {

class HttpGateway final : public rpc::OtherProtocol {
 public:
  // Both are borrowed for the life of the server; `own_services` leads to the registry's own services.
  HttpGateway(Member& member, const Channel& own_services) : member_(member), own_services_(own_services) {}

  void take_over(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share, net::Transport transport,
                 std::string received) override;

 private:
  Member& member_;
  const Channel& own_services_;
};

}  // namespace minigrpc::registry
