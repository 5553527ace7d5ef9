// One request, one reply. Server and client share a process here; nothing changes when they do not.
#include "hello.minigrpc.h"

#include <iostream>

using namespace minigrpc;
using namespace std::chrono_literals;

class Greeter final : public hello::Greeter::Handler {
 public:
  Task<Result<hello::Reply>> SayHello(ServerContext&, hello::Request request) override {
    hello::Reply reply;
    reply.set_text("Hello, " + request.name() + "!");
    co_return reply;
  }
};

int main() {
  Runtime runtime;  // the threads; first made, last gone

  Greeter greeter;
  Server server(runtime);
  server.add(greeter);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) {
    std::cerr << port.error().to_string() << '\n';
    return 1;
  }

  const Channel channel(runtime, "127.0.0.1:" + std::to_string(*port));
  const hello::Greeter::Client client(channel);
  hello::Request request;
  request.set_name("Ada");
  const Result<hello::Reply> reply = sync_wait(client.SayHello(request, {.timeout = 5s}));
  if (!reply) {
    std::cerr << reply.error().to_string() << '\n';
    return 1;
  }
  std::cout << reply->text() << '\n';
}
