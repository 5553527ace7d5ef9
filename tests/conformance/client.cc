// interop_client: one case of gRPC's interoperability tests against a server, with the flags that every implementation's
// program has. Exits with 0 where the case holds. Of our own: --test_case=list prints the names, "a,b" runs several.
#include <cstdio>
#include <string>
#include <vector>

#include "tests/conformance/cases.h"

namespace minigrpc::conformance {
namespace {

constexpr std::chrono::seconds kCaseMax{100};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto group : {unary_cases(), stream_cases(), soak_cases(), load_cases()})
    cases.insert(cases.end(), group.begin(), group.end());
  return cases;
}

Flags read_flags(int argc, char** argv) {
  return Flags(argc, argv,
               {{"server_host", "localhost"},
                {"server_port", "10000"},
                {"server_host_override", ""},
                {"test_case", "large_unary"},
                {"use_tls", "false"},
                {"use_test_ca", "false"},
                {"ca_file", ""},
                {"custom_credentials_type", ""},
                {"behind_cache", "false"},
                {"soak_iterations", "10"},
                {"soak_max_failures", "0"},
                {"soak_per_iteration_max_acceptable_latency_ms", "1000"},
                {"soak_overall_timeout_seconds", "60"},
                {"soak_min_time_ms_between_rpcs", "0"},
                {"soak_request_size", "271828"},
                {"soak_response_size", "314159"},
                {"soak_num_threads", "1"}});
}

Task<Status> within(Task<Status> task, Runtime* runtime) {
  TaskScope scope(*runtime);
  TaskScope watch(*runtime);
  auto limit = [](Runtime* on, TaskScope* what) -> Task<void> {
    const bool passed = co_await on->sleep_for(kCaseMax);
    if (passed) what->cancel();
  };
  watch.spawn(limit(runtime, &scope));
  auto running = scope.run(std::move(task));
  Status status = co_await std::move(running);
  co_await watch.stop();
  co_await scope.stop();
  co_return status;
}

int run(const Setup& setup, std::string_view names) {
  int exit_code = 0;
  const std::vector<Case> cases = all_cases();
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    const Case* found = nullptr;
    for (const Case& one : cases)
      if (one.name == name) found = &one;
    if (found == nullptr) {
      std::fprintf(stderr, "interop_client: no case %.*s\n", static_cast<int>(name.size()), name.data());
      return 2;
    }
    const Status status = sync_wait(within(found->run(&setup), setup.runtime));
    const std::string outcome = status.ok() ? "ok " + std::string(name)
                                            : "FAIL " + std::string(name) + ": " + status.message();
    std::printf("%s\n", outcome.c_str());
    std::fflush(stdout);
    if (!status.ok()) exit_code = 1;
  }
  return exit_code;
}

}  // namespace
}  // namespace minigrpc::conformance

int main(int argc, char** argv) {
  using namespace minigrpc;
  const conformance::Flags flags = conformance::read_flags(argc, argv);
  if (flags.text("test_case") == "list") {
    for (const conformance::Case& one : conformance::all_cases())
      std::printf("%.*s\n", static_cast<int>(one.name.size()), one.name.data());
    return 0;
  }
  if (!flags.text("custom_credentials_type").empty()) {
    std::fprintf(stderr, "interop_client: --custom_credentials_type: there are none but TLS (--use_tls)\n");
    return 2;
  }
  if (flags.boolean("use_test_ca") && flags.text("ca_file").empty()) {
    std::fprintf(stderr, "interop_client: --use_test_ca: say where it is with --ca_file\n");
    return 2;
  }
  ChannelCredentials credentials;
  if (flags.boolean("use_tls")) {
    TlsChannelOptions tls;
    if (!flags.text("ca_file").empty()) tls.server_ca = Pem::file(flags.text("ca_file"));
    tls.server_name = flags.text("server_host_override");
    credentials = ChannelCredentials::tls(tls);
  }
  Runtime runtime;
  const std::string target = flags.text("server_host") + ":" + flags.text("server_port");
  const auto new_channel = [&](const std::string& policy) {
    return std::make_unique<Channel>(
        runtime, target,
        ChannelOptions{
            .credentials = credentials, .policy = policy, .authority = flags.text("server_host_override")});
  };
  const std::unique_ptr<Channel> channel = new_channel("");
  const conformance::Setup setup{
      .runtime = &runtime, .channel = channel.get(), .new_channel = new_channel, .flags = &flags};
  return conformance::run(setup, flags.text("test_case"));
}
