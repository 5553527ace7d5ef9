// Channel: the way to a service, wherever its instances are. It connects when a call needs it, reconnects, and
// balances. Generated clients are made from one.
//
//   Channel channel(runtime, "127.0.0.1:5051");                // also "unix:/run/prod.sock", "dns:///shop:5051", "in-process:prod"
//   Channel found(runtime, "etcd://127.0.0.1:2379/ProdService");  // after discovery::install(runtime)
//   ProdService::Client client(channel);
//   Result<ProdResponse> answer = sync_wait(client.GetProdStock(request, {.timeout = 200ms}));
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/compression.h>
#include <minigrpc/credentials.h>
#include <minigrpc/keepalive.h>
#include <minigrpc/metadata.h>
#include <minigrpc/resolver.h>
#include <minigrpc/runtime.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc {

// How long to wait before the next try at an endpoint that failed (grpc: doc/connection-backoff.md).
struct BackoffOptions {
  std::chrono::milliseconds initial{1000};
  double multiplier = 1.6;
  double jitter = 0.2;  // of the delay, up or down
  std::chrono::milliseconds max{120'000};
};

class ClientInterceptor;  // minigrpc/interceptor.h

struct ChannelOptions {
  // Around every call, the first outermost.
  std::vector<std::shared_ptr<ClientInterceptor>> interceptors{};
  // Cleartext unless given.
  ChannelCredentials credentials{};
  // What every call carries, before its own credentials.
  CallCredentials call_credentials{};
  // How the service wants to be called, as gRPC's service config in JSON (docs/choosing.md): timeouts, retries, hedging,
  // the policy. One that the resolver brings takes its place. What is wrong with it shows in the first call's status.
  std::string service_config{};
  // "pick_first", "round_robin", "weighted_round_robin", "least_request", "ring_hash", or one of your own
  // (minigrpc/balancer.h), unless a service config names a policy; empty = what the resolver suggests (round_robin for
  // etcd://, else pick_first).
  std::string policy{};
  // Finds the endpoints instead of the resolver that the target's scheme names; fixed_endpoints() is one.
  ResolverFactory resolver{};
  // What servers see as :authority; empty = from the target.
  std::string authority{};
  // Put in front of minigrpc's own user-agent.
  std::string user_agent_prefix{};
  // The largest message accepted, in bytes, compressed or not; a larger one ends its call with
  // RESOURCE_EXHAUSTED.
  std::size_t received_message_size_max = 4u << 20;
  // What requests are compressed with.
  Compression compression = Compression::kIdentity;
  // How long one connection attempt may take, the HTTP/2 handshake included.
  std::chrono::milliseconds connect_timeout{20'000};
  BackoffOptions backoff{};
  ChannelKeepaliveOptions keepalive{};
  // How long sent bytes may stay unacknowledged before a TCP connection is given up; 0 = the kernel's quarter of an hour.
  std::chrono::milliseconds tcp_user_timeout{20'000};
  // After at least this long without a call, the channel closes its connections and is kIdle until the next; kNever.
  std::chrono::milliseconds idle_timeout = std::chrono::minutes(30);
};

// What the answer carried besides its message. Fill in `CallOptions::details` to have it.
struct CallDetails {
  Metadata headers;   // initial metadata
  Metadata trailers;  // trailing metadata
  std::string peer;   // the endpoint that it was sent to last, "10.0.0.1:5051"; empty: never sent
  bool message_compressed = false;  // how the message came that was received last
  int attempts = 0;                 // how often it was sent: more than once where it was retried or hedged
};

struct CallOptions {
  // Until when the call may take, from its start; none = the awaiting task's deadline, or for ever. Both given: the
  // earlier one counts.
  std::optional<std::chrono::nanoseconds> timeout{};
  Metadata metadata{};
  CallCredentials credentials{};
  // Waits for a connection until the deadline instead of failing with UNAVAILABLE where none can be made
  // (grpc: doc/wait-for-ready.md). None = as the service config says, which without one means no.
  std::optional<bool> wait_for_ready{};
  // What this call's requests are compressed with; none = as the channel says.
  std::optional<Compression> compression{};
  // Borrowed until the call has ended: the awaited result, or finish() of a stream. May be null.
  CallDetails* details = nullptr;
};

enum class ChannelState { kIdle, kConnecting, kReady, kTransientFailure, kShutdown };

namespace rpc {
class ChannelImpl;
}

class Channel {
 public:
  // Never fails and connects to nothing: a bad target shows in the first call's status.
  Channel(Runtime& runtime, std::string_view target, ChannelOptions options = {});
  // Calls in flight end with CANCELLED.
  ~Channel();
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;

  ChannelState state() const;
  // Starts connecting, and resumes with true once a call could be sent; false at `deadline` or when cancelled.
  Task<bool> wait_until_ready(TimePoint deadline);
  // Ends its calls with CANCELLED and closes its connections. Idempotent; further calls fail with UNAVAILABLE.
  void shutdown();

  rpc::ChannelImpl& impl() const { return *impl_; }

 private:
  std::shared_ptr<rpc::ChannelImpl> impl_;
};

}  // namespace minigrpc
