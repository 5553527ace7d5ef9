#include "interruption.h"

#include <csignal>

namespace minigrpc::cli {

Interruption::Interruption(Runtime& runtime) : work_(runtime), listening_(runtime) {
  listening_.spawn(listen(runtime));
}

Interruption::~Interruption() = default;

Task<void> Interruption::listen(Runtime& runtime) {
  while (true) {
    std::vector<int> signals{SIGINT, SIGTERM, SIGHUP};
    const int signal = co_await runtime.wait_for_signal(std::move(signals));
    if (signal == 0) co_return;
    int none = 0;
    signal_.compare_exchange_strong(none, signal);
    if (const pid_t process = process_; process != 0) kill(process, signal);
    work_.cancel();
  }
}

}  // namespace minigrpc::cli
