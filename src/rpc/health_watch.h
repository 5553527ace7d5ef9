// HealthWatch: asks one connection's server whether a service of it can be called, and goes on listening (gRPC A17; the
// method Watch of grpc.health.v1.Health). Without protobuf: its two messages have a field each.
//
// Thread rule: its connection's loop.
#pragma once

#include <minigrpc/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "net/loop.h"
#include "rpc/attempt.h"
#include "rpc/backoff.h"
#include "rpc/inbox.h"

namespace minigrpc::rpc {

class ClientConnection;

enum class ServerHealth : std::uint8_t { kUnknown, kServing, kNotServing };

class HealthWatch final : private StreamUser, private net::Timer {
 public:
  struct Request {
    std::string service;
    std::string authority;
    std::string scheme;
    std::string user_agent;
  };
  // Told when it changes, with why where it is not kServing; may end the watch.
  using Changed = std::function<void(ServerHealth, const Status& why)>;

  // Asks at once. The connection outlives the watch.
  HealthWatch(net::Loop& loop, ClientConnection& connection, Request request, const BackoffOptions& backoff,
              Changed changed);
  ~HealthWatch();

  // Whether it has a stream of the connection.
  bool under_way() const { return stream_ != nullptr; }

 private:
  void ask();
  void on_headers(std::span<const HeaderView> fields, bool end_stream) override;
  void on_data(std::span<const std::byte> bytes, bool end_stream) override;
  void on_writable() override {}
  void on_closed(std::uint32_t error_code, bool unseen) override;
  void on_connection_lost(const Status& why, bool unseen) override;
  void on_timer() noexcept override;
  void leave_stream();
  // The stream ended with `why`. *this may be gone afterwards, as after tell().
  void ended(const Status& why);
  void tell(ServerHealth health, const Status& why);

  net::Loop& loop_;
  ClientConnection& connection_;
  const Request request_;
  Backoff backoff_;
  const Changed changed_;
  h2::Stream* stream_ = nullptr;
  Inbox inbox_;
  bool answered_ = false;
};

}  // namespace minigrpc::rpc
