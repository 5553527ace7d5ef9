#include "registry/http_gateway.h"

#include <utility>

#include "registry/http_connection.h"

namespace minigrpc::registry {

void HttpGateway::take_over(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share,
                            net::Transport transport, std::string received) {
  std::make_shared<HttpConnection>(member_, own_services_, std::move(server), share, std::move(transport),
                                   std::move(received))
      ->start();
}

}  // namespace minigrpc::registry
