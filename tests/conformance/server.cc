// interop_server: gRPC's interoperability test service, with the flags that every implementation's program has.
#include <minigrpc/reflection.h>
#include <minigrpc/server.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "tests/conformance/flags.h"
#include "tests/conformance/test_service.h"

int main(int argc, char** argv) {
  using namespace minigrpc;
  const conformance::Flags flags(argc, argv, {{"port", "10000"}, {"use_tls", "false"}});
  if (flags.boolean("use_tls")) {
    std::fprintf(stderr, "interop_server has no TLS yet\n");
    return 2;
  }
  Runtime runtime;
  conformance::TestService service(runtime, "minigrpc-" + std::to_string(getpid()));
  Reflection reflection;
  Server server(runtime);
  server.add(service);
  reflection.add_to(server);
  const Result<std::uint16_t> port = server.listen("0.0.0.0:" + flags.text("port"));
  if (!port) {
    std::fprintf(stderr, "interop_server: %s\n", port.error().to_string().c_str());
    return 1;
  }
  std::printf("listening %u\n", *port);
  std::fflush(stdout);
  sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
  sync_wait(server.shutdown(std::chrono::seconds(1)));
  return 0;
}
