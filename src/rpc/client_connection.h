// ClientConnection: one connected socket of a channel: carries calls, and says when it can take them and when it is over.
//
// Thread rule: its loop.
#pragma once

#include <memory>
#include <string>

#include "base/limits.h"
#include "h2/bdp_estimator.h"
#include "h2/connection.h"
#include "net/transport.h"
#include "rpc/call_tally.h"
#include "rpc/channelz_registry.h"
#include "rpc/keepalive.h"

namespace minigrpc::rpc {

class StreamUser;

class ClientConnection final : public std::enable_shared_from_this<ClientConnection>,
                               private net::Flushable,
                               private net::Timer {
 public:
  class Owner {
   public:
    // The server's SETTINGS are here: calls may go.
    virtual void on_ready(ClientConnection& connection) = 0;
    // It takes no new call (GOAWAY, or gone). Called once, also where it never was ready.
    virtual void on_unusable(ClientConnection& connection, const Status& why) = 0;

    // The server finds that this side asks too often whether it is there; on_unusable() follows.
    virtual void on_too_many_pings() = 0;

   protected:
    virtual ~Owner() = default;
  };

  // `tally` is where its calls count.
  ClientConnection(net::Loop& loop, net::Transport transport, std::string address,
                   const ChannelKeepaliveOptions& keepalive, std::shared_ptr<CallTally> tally);
  ~ClientConnection() override;

  // `owner` is borrowed until on_unusable() or disown().
  void start(Owner& owner, TimePoint settings_deadline);
  void disown() { owner_ = nullptr; }
  // Lets its calls end, then closes.
  void drain();
  // Ends its calls with UNAVAILABLE and `why`.
  void close(const Status& why);

  h2::Connection& h2() { return h2_; }
  channelz::Socket& entity() { return entity_; }
  channelz::SocketCounters& counters() { return entity_.counters; }
  // Opens a stream of gRPC's for `user`: h2::Connection::submit_request(), counted.
  h2::Stream* open_stream(std::span<const HeaderView> headers, StreamUser& user);
  const std::string& address() const { return address_; }
  CallTally& tally() { return *tally_; }
  bool usable() const { return !closed_ && !draining_ && h2_.accepts_requests(); }
  void touch() {
    if (!in_turn_) loop_.flush_later(*this);
  }

 private:
  void flush() override;
  void on_timer() noexcept override;
  // Tells channelz of this turn.
  void account();
  void wait_readable();
  void on_readable();
  void wait_writable();
  h2::SpareTurn& spare_turn() { return loop_.shared<h2::SpareTurn>(); }
  void process_events();
  void process(const h2::Event& event);
  void lost(const net::Transport::IoResult& result);
  void unusable(const Status& why);
  void close_if_idle();
  bool anxious() const { return keepalive_without_calls_ || h2_.stream_count() > 0; }
  void keep_alive();
  void arm_keepalive(TimePoint now);
  void measure(std::size_t received_size);
  void on_goaway(const h2::Event& event);

  net::Loop& loop_;
  net::Transport transport_;
  h2::Connection h2_;
  const std::string address_;
  channelz::Socket entity_;
  const std::shared_ptr<CallTally> tally_;
  std::string going_away_;  // what the server's GOAWAY said
  Owner* owner_ = nullptr;
  bool in_turn_ = false;
  bool waiting_writable_ = false;
  bool ready_ = false;
  bool draining_ = false;
  bool closed_ = false;
  bool called_ = false;  // a stream was opened in this turn

  net::TimerOf<ClientConnection, &ClientConnection::keep_alive> keepalive_timer_{*this};
  Keepalive keepalive_;
  const bool keepalive_without_calls_;
  h2::BdpEstimator bandwidth_{limits::kStreamWindowSize, limits::kStreamWindowSizeMax};
};

}  // namespace minigrpc::rpc
