// ServerConnection: one accepted socket: reads, feeds HTTP/2, starts calls, writes what a turn produced in one go.
//
// Thread rule: its loop. Kept alive by its pending waits; closed exactly once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/limits.h"
#include "h2/bdp_estimator.h"
#include "h2/connection.h"
#include "net/transport.h"
#include "rpc/allowance.h"
#include "rpc/caller.h"
#include "rpc/keepalive.h"
#include "rpc/server_impl.h"

namespace minigrpc::rpc {

class ServerCallCore;

class ServerConnection final : public std::enable_shared_from_this<ServerConnection>,
                               public AcceptedConnection,
                               private net::Flushable,
                               private net::Timer {
 public:
  ServerConnection(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport);
  ~ServerConnection() override;

  // `received`: what has been read of the connection already. Borrowed until the call returns.
  void start(std::string_view received = {});
  // RFC 9113, 6.8.
  void drain() override;
  void abort() override;

  // ---- for its calls ----
  h2::Connection& h2() { return h2_; }
  channelz::SocketCounters& counters() { return entity_.counters; }
  net::Loop& loop() { return share_.loop; }
  ServerImpl& server() { return *server_; }
  ServerImpl::LoopShare& share() { return share_; }
  // Something was submitted: it leaves at the end of the turn.
  void touch() {
    if (!in_turn_) share_.loop.flush_later(*this);
  }

 private:
  enum class Flushed : std::uint8_t { kAll, kBlocked, kClosed };
  void flush() override;
  Flushed write_output();
  // Tells channelz of this turn.
  void account();
  void on_timer() noexcept override;
  void wait_readable();
  void on_readable();
  void wait_writable();
  h2::SpareTurn& spare_turn() { return share_.loop.shared<h2::SpareTurn>(); }
  bool read_and_process();
  void feed(std::span<const std::byte> bytes);
  void process_events();
  void process(const h2::Event& event);
  void begin_call(const h2::Event& event);
  void refuse(h2::Stream& stream, const Status& status);
  void refuse_http(const h2::Event& request, std::string_view http_status, std::string_view text);
  void drop_data(const h2::Event& event);
  // Keepalive, age and idleness.
  void housekeep();
  void arm_housekeeping(TimePoint now);
  void measure(std::size_t received_size);
  void note_progress();
  void on_ping();
  void bound_floods();
  void send_off(std::string_view why);
  bool stalled(TimePoint now);
  void on_ping_ack(PingPurpose purpose);
  void finish_drain();
  void linger();
  void close();

  std::shared_ptr<ServerImpl> server_;
  ServerImpl::LoopShare& share_;
  net::Transport transport_;
  h2::Connection h2_;
  std::shared_ptr<Peer> peer_;
  channelz::Socket entity_;
  CallerRef caller_;  // of the latest call
  bool in_turn_ = false;
  bool waiting_writable_ = false;
  bool failed_ = false;      // the peer broke the protocol: say so, then close
  bool lingering_ = false;   // our side is shut; reading on until the peer's is
  bool closed_ = false;
  bool draining_ = false;
  bool drained_ = false;     // the final GOAWAY is on its way
  bool settled_ = false;     // the client's SETTINGS have arrived
  bool progress_ = false;    // headers or data went out since stalling was looked at
  bool stalling_ = false;    // … and before that something waited in vain
  bool used_ = false;        // a call has begun since idleness was looked at
  bool called_ = false;      // … in this turn

  net::TimerOf<ServerConnection, &ServerConnection::housekeep> housekeeping_{*this};
  Keepalive keepalive_;
  PingStrikes strikes_;
  h2::BdpEstimator bandwidth_{limits::kStreamWindowSize, limits::kStreamWindowSizeMax};
  Allowance resets_allowance_{limits::kStreamResetsBurst, limits::kStreamResetsPerSecond};
  Allowance barren_allowance_{limits::kBarrenFramesBurst, limits::kBarrenFramesPerSecond};
  std::uint32_t resets_ = 0;  // not yet held against the allowance
  TimePoint stalled_at_;
  TimePoint ages_at_;
  TimePoint idle_at_;
  TimePoint drained_at_ = TimePoint::max();  // the client is not waited for any longer
  TimePoint ends_at_ = TimePoint::max();     // the grace of its age is over
};

}  // namespace minigrpc::rpc
