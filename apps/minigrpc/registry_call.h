// RegistryCalls: calls of those services of etcd that etcd::Client has no functions for.
//
//   RegistryCalls<etcdserverpb::Maintenance::Client> calls(invocation);
//   auto alarms = calls.ask(&etcdserverpb::Maintenance::Client::Alarm, request);
//
// Thread rule: the main thread.
#pragma once

#include <minigrpc/channel.h>

#include <memory>
#include <string>

#include "invocation.h"

namespace minigrpc::cli {

template <class Service>
class RegistryCalls {
 public:
  // To whichever of --endpoints answers, or to one alone.
  explicit RegistryCalls(Invocation& invocation)
      : invocation_(invocation), channel_(invocation.open_channel()), service_(channel_) {}
  RegistryCalls(Invocation& invocation, const std::string& endpoint)
      : invocation_(invocation),
        own_client_(invocation.client_for(endpoint)),
        channel_(invocation.open_channel(endpoint)),
        service_(channel_) {}

  // What a call carries that is not made by ask().
  Result<CallOptions> options() { return invocation_.call_options(client()); }
  const Service& service() const { return service_; }

  // Blocks; --command-timeout applies.
  template <class Request, class Response>
  Result<Response> ask(Task<Result<Response>> (Service::*method)(const Request&, CallOptions) const,
                       const Request& request) {
    Result<Response> response = ask_once(method, request);
    // A token that had its time is no reason to fail.
    if (!response && client().token_refused(response.error())) response = ask_once(method, request);
    return response;
  }

 private:
  etcd::Client& client() { return own_client_ ? *own_client_ : invocation_.client(); }
  template <class Request, class Response>
  Result<Response> ask_once(Task<Result<Response>> (Service::*method)(const Request&, CallOptions) const,
                            const Request& request) {
    Result<CallOptions> carried = options();
    if (!carried) return carried.error();
    if (invocation_.globals().command_timeout.count() > 0)
      carried->timeout = invocation_.globals().command_timeout;
    return sync_wait((service_.*method)(request, *std::move(carried)));
  }

  Invocation& invocation_;
  std::unique_ptr<etcd::Client> own_client_;  // signs in; null: the invocation's
  Channel channel_;
  Service service_;
};

}  // namespace minigrpc::cli
