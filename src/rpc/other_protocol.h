// OtherProtocol: who serves those connections of a server that do not speak HTTP/2, such as an HTTP/1.1 gateway.
//
// Thread rule: take_over() runs on the loop of the connection, hence on several threads at a time.
#pragma once

#include <memory>
#include <string>

#include "net/transport.h"
#include "rpc/server_impl.h"

namespace minigrpc::rpc {

class OtherProtocol {
 public:
  virtual ~OtherProtocol() = default;
  // Takes a connection over for good. `received` is what the client has sent so far and nobody has answered. Whoever
  // serves it is an AcceptedConnection between ServerImpl::joined(), before this returns, and ServerImpl::left(): until
  // then the server's shutdown waits for it.
  virtual void take_over(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport,
                         std::string received) = 0;
};

}  // namespace minigrpc::rpc
