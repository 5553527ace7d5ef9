// One request, many replies: the server writes as fast as the client reads.
#include "countdown.minigrpc.h"

#include <iostream>

using namespace minigrpc;
using namespace std::chrono_literals;

class Countdown final : public countdown::Countdown::Handler {
 public:
  Task<Status> Start(ServerContext&, countdown::Request request, ServerWriter<countdown::Tick>& writer) override {
    countdown::Tick tick;
    for (int left = request.from(); left >= 0; --left) {
      tick.set_left(left);
      const bool taken = co_await writer.write(tick);
      if (!taken) break;  // the client has gone
    }
    co_return Status();
  }
};

Task<Status> count(countdown::Countdown::Client client) {
  countdown::Request request;
  request.set_from(3);
  auto ticks = client.Start(request, {.timeout = 5s});
  while (std::optional<countdown::Tick> tick = co_await ticks.read()) std::cout << tick->left() << '\n';
  co_return co_await ticks.finish();
}

int main() {
  Runtime runtime;

  Countdown service;
  Server server(runtime);
  server.add(service);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) {
    std::cerr << port.error().to_string() << '\n';
    return 1;
  }

  const Channel channel(runtime, "127.0.0.1:" + std::to_string(*port));
  const countdown::Countdown::Client client(channel);
  const Status status = sync_wait(count(client));
  std::cout << status.to_string() << '\n';
  return status.ok() ? 0 : 1;
}
