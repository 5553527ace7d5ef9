// SignalWait: waits for the first of some signals, on a loop.
//
// Thread rule: start() and cancel() from any thread, once each and in this order; the callback comes on the
// loop.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "net/loop.h"

namespace minigrpc::net {

class SignalWait : public std::enable_shared_from_this<SignalWait> {
 public:
  // Called once: with the signal's number, or with 0 after cancel().
  using Callback = std::function<void(int)>;

  // `loop` outlives the wait.
  static std::shared_ptr<SignalWait> create(Loop& loop) {
    return std::shared_ptr<SignalWait>(new SignalWait(loop));
  }

  // From its return on, the default action of `signals` is replaced. A number that is no signal, or one that
  // cannot be caught, is left out.
  void start(const std::vector<int>& signals, Callback callback);
  void cancel();

 private:
  explicit SignalWait(Loop& loop) : loop_(loop), signals_(loop.io()) {}

  Loop& loop_;
  boost::asio::signal_set signals_;
};

}  // namespace minigrpc::net
