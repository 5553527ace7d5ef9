// minigrpc's end of the TLS tests: a server or one call, with certificates from files. Messages are bytes.
//
//   tls_peer serve CERTIFICATE KEY CLIENT_CA      prints its port, serves until standard input ends
//   tls_peer call PORT NAME CA CERTIFICATE KEY    calls Unary("hello") once and prints what came of it
//
// "-" stands for a file that is not given.
#include <minigrpc/generated.h>
#include <minigrpc/server.h>

#include <cstdio>
#include <string>

#include "rpc/test_echo.h"

using namespace minigrpc;

namespace {

Pem file_or_none(const std::string& path) { return path == "-" ? Pem() : Pem::file(path); }

int serve(const std::string& certificate, const std::string& key, const std::string& client_ca) {
  Runtime runtime({.loops = 1});
  test::Echo echo(runtime);
  Server server(runtime);
  server.add(echo);
  TlsServerOptions options{.certificate_chain = Pem::file(certificate), .private_key = Pem::file(key)};
  options.client_ca = file_or_none(client_ca);
  if (!options.client_ca.empty()) options.client_certificate = ClientCertificate::kRequired;
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0", ServerCredentials::tls(options));
  if (!port) return std::fprintf(stderr, "%s\n", port.status().to_string().c_str()), 1;
  std::printf("%d\n", *port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  sync_wait(server.shutdown(std::chrono::seconds(5)));
  return 0;
}

int call(const std::string& port, const std::string& name, TlsChannelOptions options) {
  Runtime runtime({.loops = 1});
  options.server_name = name;
  Channel channel(runtime, "127.0.0.1:" + port, {.credentials = ChannelCredentials::tls(std::move(options))});
  const Result<test::Text> answer = test::call_unary(channel, "hello", {.timeout = std::chrono::seconds(20)});
  std::printf("%s\n", answer ? answer->value.c_str() : answer.status().to_string().c_str());
  return answer ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 4 && arguments[0] == "serve") return serve(arguments[1], arguments[2], arguments[3]);
  if (arguments.size() == 6 && arguments[0] == "call")
    return call(arguments[1], arguments[2],
                {.server_ca = file_or_none(arguments[3]),
                 .certificate_chain = file_or_none(arguments[4]),
                 .private_key = file_or_none(arguments[5])});
  std::fprintf(stderr, "usage: tls_peer serve CERTIFICATE KEY CLIENT_CA | call PORT NAME CA CERTIFICATE KEY\n");
  return 2;
}
