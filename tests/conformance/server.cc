// interop_server: gRPC's interoperability test service, with the flags that every implementation's program has.
#include <minigrpc/channelz.h>
#include <minigrpc/load_report.h>
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
  const conformance::Flags flags(argc, argv, {{"port", "10000"}, {"use_tls", "false"}, {"tls_cert_file", ""}, {"tls_key_file", ""}});
  ServerCredentials credentials;
  if (flags.boolean("use_tls")) {
    if (flags.text("tls_cert_file").empty() || flags.text("tls_key_file").empty()) {
      std::fprintf(stderr, "interop_server: --use_tls wants a certificate: --tls_cert_file and --tls_key_file\n");
      return 2;
    }
    credentials = ServerCredentials::tls({.certificate_chain = Pem::file(flags.text("tls_cert_file")),
                                          .private_key = Pem::file(flags.text("tls_key_file"))});
  }
  Runtime runtime;
  LoadReporter load(runtime, {.period_min = std::chrono::seconds(1)});
  conformance::TestService service(runtime, load, "minigrpc-" + std::to_string(getpid()));
  Channelz channelz(runtime);
  Reflection reflection;
  Server server(runtime);
  server.add(service);
  server.add(load.service());
  server.add(channelz.service());
  reflection.add_to(server);
  const Result<std::uint16_t> port = server.listen("0.0.0.0:" + flags.text("port"), credentials);
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
