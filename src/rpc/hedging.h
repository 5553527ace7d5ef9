// Hedging: sends a call several times, a pause apart, and keeps the first answer (gRPC A6, "Hedging Policy").
//
//   begin() ─▶ attempt ─▶ the pause, or a failure that is not fatal ─▶ attempt …
//                 └─▶ an answer, or a fatal failure ─▶ the call takes that stream over; the others are cancelled
//
// An attempt lives until its first headers: no message arrives before them, so only headers are looked at here. Thread
// rule: the channel's loop.
#pragma once

#include <memory>
#include <vector>

#include "net/loop.h"
#include "rpc/attempt.h"
#include "rpc/retry.h"
#include "rpc/service_config.h"

namespace minigrpc::rpc {

class ClientCallCore;

class Hedging {
 public:
  Hedging(ClientCallCore& call, const HedgingPolicy& policy);
  // Cancels the attempts that are left.
  ~Hedging();
  Hedging(const Hedging&) = delete;
  Hedging& operator=(const Hedging&) = delete;

  // Once. *this may be gone afterwards.
  void begin() { send_next(); }

 private:
  class One;

  void send_next();
  void arm(std::chrono::nanoseconds pause);
  // `one` has got an answer, or a failure that ends the call: hands its stream to the call. *this is gone afterwards.
  void won(One& one, std::span<const HeaderView> fields, bool end_stream);
  // `one` is over. *this may be gone afterwards.
  void lost(One& one, Status status, Pushback pushback);
  bool may_send() const;

  ClientCallCore& call_;
  const HedgingPolicy policy_;
  std::vector<std::unique_ptr<One>> attempts_;
  int sent_ = 0;
  bool stopped_ = false;  // a server said so
  Status last_failure_;
  net::TimerOf<Hedging, &Hedging::send_next> timer_{*this};
};

}  // namespace minigrpc::rpc
