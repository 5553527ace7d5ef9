// HttpGateway: HTTP/1.1 on the registry's port: etcd's JSON gateway, and its pages.
//
//   request ─▶ /v3/… ─▶ JSON to message ─▶ a call of the registry itself ─▶ message to JSON ─▶ response
//        └───▶ /health, /metrics …: http_pages.h
//
// A call goes the way of every gRPC client's, by a socket that nobody else can reach: what holds there, authentication,
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
  // Both are borrowed for the life of the server; `loopback` leads to the registry's own services.
  HttpGateway(Member& member, const Channel& loopback) : member_(member), loopback_(loopback) {}

  void take_over(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share, net::Transport transport,
                 std::string received) override;

 private:
  Member& member_;
  const Channel& loopback_;
};

// The directory of the gateway's socket, which only this user may enter; gone with the object.
class LoopbackDirectory {
 public:
  // In `data_dir` where that is not empty and leaves room for a socket's name, else in the system's temporary directory.
  static Result<std::unique_ptr<LoopbackDirectory>> make(const std::string& data_dir);
  ~LoopbackDirectory();
  LoopbackDirectory(const LoopbackDirectory&) = delete;

  // As Server::listen() and Channel take it.
  std::string address() const { return "unix:" + path_ + "/s"; }

 private:
  explicit LoopbackDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace minigrpc::registry
