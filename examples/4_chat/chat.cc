// Both sides talk, in whatever order they like. Here they take turns.
#include "chat.minigrpc.h"

#include <iostream>

using namespace minigrpc;
using namespace std::chrono_literals;

class Parrot final : public chat::Chat::Handler {
 public:
  Task<Status> Talk(ServerContext&, ServerStream<chat::Line, chat::Line>& stream) override {
    while (std::optional<chat::Line> line = co_await stream.read()) {
      line->set_text(line->text() + "!");
      const bool taken = co_await stream.write(*line);
      if (!taken) break;
    }
    co_return Status();
  }
};

Task<Status> talk(chat::Chat::Client client, std::vector<std::string> lines) {
  auto stream = client.Talk({.timeout = 5s});
  chat::Line line;
  for (const std::string& text : lines) {
    line.set_text(text);
    const bool taken = co_await stream.write(line);
    const std::optional<chat::Line> answer = co_await stream.read();
    if (!taken || !answer) break;  // the call is over; finish() tells why
    std::cout << "> " << text << "\n< " << answer->text() << '\n';
  }
  co_await stream.writes_done();
  co_return co_await stream.finish();
}

int main() {
  Runtime runtime;

  Parrot parrot;
  Server server(runtime);
  server.add(parrot);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) {
    std::cerr << port.error().to_string() << '\n';
    return 1;
  }

  const Channel channel(runtime, "127.0.0.1:" + std::to_string(*port));
  const chat::Chat::Client client(channel);
  const Status status = sync_wait(talk(client, {"Hello", "Is there an echo"}));
  std::cout << status.to_string() << '\n';
  return status.ok() ? 0 : 1;
}
