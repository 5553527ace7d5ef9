// ServerWatch: a call of one request and many answers that a channel itself makes on a connection, to hear of
// its server: of its health (gRPC A17), of its load (A51). When it ends it is made again, after a pause that
// grows as long as nothing is heard.
//
// Thread rule: its connection's loop.
#pragma once

#include <minigrpc/channel.h>

#include <functional>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "rpc/attempt.h"
#include "rpc/backoff.h"
#include "rpc/inbox.h"

namespace minigrpc::rpc {

class ClientConnection;

class ServerWatch final : private StreamUser, private net::Timer {
 public:
  // What every call of the channel says.
  struct Caller {
    std::string authority;
    std::string scheme;
    std::string user_agent;
  };
  struct Request {
    std::string path;
    std::string message;
    Caller caller;
    std::size_t answer_size_max;
  };
  // Either may end the watch.
  struct Listener {
    // The newest answer, where several came at once; borrowed until the call returns.
    std::function<void(std::string_view answer)> heard;
    // After UNIMPLEMENTED the server is not asked again.
    std::function<void(const Status& why)> ended;
  };

  // Asks at once. The connection outlives the watch.
  ServerWatch(net::Loop& loop, ClientConnection& connection, Request request, const BackoffOptions& backoff,
              Listener listener);
  ~ServerWatch();

  // Whether it has a stream of the connection.
  bool under_way() const { return stream_ != nullptr; }

 private:
  void ask();
  void on_headers(std::span<const HeaderView> fields, bool end_stream) override;
  void on_data(std::span<const std::byte> bytes, bool end_stream) override;
  void on_writable() override {}
  void on_closed(std::uint32_t error_code, Reach reach) override;
  void on_connection_lost(const Status& why, Reach reach) override;
  void on_timer() noexcept override;
  void leave_stream();
  // The stream ended with `why`. *this may be gone afterwards, as after the listener's functions.
  void ended(const Status& why);

  net::Loop& loop_;
  ClientConnection& connection_;
  const Request request_;
  Backoff backoff_;
  const Listener listener_;
  h2::Stream* stream_ = nullptr;
  Inbox inbox_;
  bool answered_ = false;
};

}  // namespace minigrpc::rpc
