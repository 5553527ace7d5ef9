// ClientImpl: one channel for each endpoint, and the way of a call over them.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/etcd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "etcd/authenticator.h"
#include "etcd/convert.h"
#include "etcd/endpoints.h"

namespace minigrpc::etcd {

class ClientImpl {
 public:
  ClientImpl(Runtime& runtime, std::string_view endpoints, ClientOptions options);

  // What a call does decides how often it may be made.
  struct Way {
    bool changes = false;       // must not be applied twice
    bool needs_leader = false;  // a member that has lost its cluster refuses instead of keeping us waiting
  };
  // Makes one call, on one endpoint after the other: Client's comment tells when it goes on.
  // `invoke(channel, request, options)` starts the RPC; it is a function without state.
  template <class Request, class Invoke>
  auto call(Way way, Request request, Invoke invoke) -> Task<Result<decltype(from_proto(
      std::declval<typename std::invoke_result_t<Invoke, const Channel&, const Request&,
                                                 CallOptions>::value_type::value_type>()))>>;

  // For streams, which live as long as they can.
  struct StreamOptions {
    CallOptions call;
    bool token_is_new = false;
  };
  Task<Result<StreamOptions>> stream_options(std::size_t endpoint);
  // What every call carries, and for one with a user who signs in, with the token. `bound` is how long that may take.
  Metadata metadata(bool needs_leader) const;
  Task<Result<Metadata>> metadata_with_token(bool needs_leader, std::size_t endpoint,
                                             std::optional<std::chrono::nanoseconds> bound);
  Authenticator& authenticator() { return authenticator_; }
  const ClientOptions& options() const { return options_; }

  Runtime& runtime() const { return runtime_; }
  const std::vector<std::string>& endpoints() const { return endpoints_; }
  std::size_t endpoint_count() const { return endpoints_.size(); }
  // The endpoint to try first: the one that answered last.
  std::size_t preferred() const { return preferred_.load(std::memory_order_relaxed); }
  void prefer(std::size_t endpoint) { preferred_.store(endpoint, std::memory_order_relaxed); }
  // `endpoint` counts on round the list; there must be one.
  const Channel& channel(std::size_t endpoint) const { return channels_[endpoint % channels_.size()]; }

 private:
  // What one endpoint's failure means for the call.
  enum class Verdict : std::uint8_t { kFinal, kFinalHere, kTryNext };
  static Verdict judge(const Status& failure, Way way, const CallDetails& details);
  std::chrono::nanoseconds time_for(TimePoint deadline, std::size_t tries_left, Way way) const;

  Runtime& runtime_;
  ClientOptions options_;
  std::vector<std::string> endpoints_;
  std::vector<Channel> channels_;
  std::atomic<std::size_t> preferred_{0};
  Authenticator authenticator_;
};

Status no_endpoints();

template <class Request, class Invoke>
auto ClientImpl::call(Way way, Request request, Invoke invoke) -> Task<Result<decltype(from_proto(
    std::declval<typename std::invoke_result_t<Invoke, const Channel&, const Request&,
                                               CallOptions>::value_type::value_type>()))>> {
  const bool bounded = options_.request_timeout.count() > 0;
  const TimePoint deadline = bounded ? Runtime::now() + options_.request_timeout : TimePoint::max();
  Status failure = no_endpoints();
  bool signed_in_again = false;
  const std::size_t first = preferred();
  for (std::size_t tried = 0; tried < endpoint_count(); ++tried) {
    const std::size_t endpoint = (first + tried) % endpoint_count();
    CallDetails details;
    CallOptions options{.details = &details};
    if (bounded) options.timeout = time_for(deadline, endpoint_count() - tried, way);
    Result<Metadata> prepared = metadata(way.needs_leader);
    if (!options_.user.empty()) {
      auto preparing = metadata_with_token(way.needs_leader, endpoint, options.timeout);
      prepared = co_await preparing;
    }
    if (prepared) {
      options.metadata = *std::move(prepared);
      auto calling = invoke(channel(endpoint), request, std::move(options));
      auto result = co_await calling;
      if (result) {
        prefer(endpoint);
        co_return from_proto(*std::move(result));
      }
      failure = std::move(result).error();
      // What the server refused for its token, it has not done.
      if (!signed_in_again && authenticator_.refused(failure)) {
        signed_in_again = true;
        --tried;
        continue;
      }
    } else {
      failure = std::move(prepared).error();
    }
    const Verdict verdict = judge(failure, way, details);
    // The next call tries its luck elsewhere, even where this one cannot.
    if (verdict != Verdict::kFinal) prefer((endpoint + 1) % endpoint_count());
    if (verdict != Verdict::kTryNext) co_return failure;
  }
  co_return failure;
}

}  // namespace minigrpc::etcd
