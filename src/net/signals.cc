#include "net/signals.h"

namespace minigrpc::net {

void SignalWait::start(const std::vector<int>& signals, Callback callback) {
  for (const int signal : signals) {
    boost::system::error_code left_out;
    signals_.add(signal, left_out);
  }
  signals_.async_wait(
      [self = shared_from_this(), callback = std::move(callback)](
          const boost::system::error_code& error, int signal) { callback(error ? 0 : signal); });
}

void SignalWait::cancel() {
  loop_.post([self = shared_from_this()] {
    boost::system::error_code nothing_to_cancel;
    self->signals_.cancel(nothing_to_cancel);
  });
}

}  // namespace minigrpc::net
