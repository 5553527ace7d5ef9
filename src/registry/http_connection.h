// HttpConnection: one client of the gateway.
//
// Thread rule: as Http1Connection.
#pragma once

#include <minigrpc/channel.h>

#include <memory>
#include <string>

#include "registry/http_pages.h"
#include "registry/http_routes.h"
#include "rpc/http1_connection.h"

namespace minigrpc::registry {

class HttpConnection final : public rpc::Http1Connection {
 public:
  // `member` and `own_services` are borrowed as by the gateway.
  HttpConnection(Member& member, const Channel& own_services, std::shared_ptr<rpc::ServerImpl> server,
                 rpc::ServerImpl::LoopShare& share, net::Transport transport, std::string received);

 private:
  Task<Outcome> respond(Request request) override;
  net::http1::ResponseHead head_for(const Request& request, int status,
                                    std::string_view content_type) const override;
  Task<Outcome> respond_call(const Request& request, const HttpRoute& route);
  Task<Outcome> respond_once(const Request& request, const HttpRoute& route, std::string message);
  Task<Outcome> respond_stream(const Request& request, const HttpRoute& route);
  bool host_allowed(const Request& request) const;

  Member& member_;
  const Channel& own_services_;
};

}  // namespace minigrpc::registry
