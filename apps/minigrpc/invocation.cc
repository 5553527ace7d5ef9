#include "invocation.h"

#include "flags.h"
#include "text.h"

namespace minigrpc::cli {

std::optional<OutputFormat> parse_output_format(std::string_view name) {
  if (name == "simple") return OutputFormat::kSimple;
  if (name == "json") return OutputFormat::kJson;
  if (name == "fields") return OutputFormat::kFields;
  if (name == "table") return OutputFormat::kTable;
  return std::nullopt;
}

Result<std::string> endpoint_address(std::string_view endpoint) {
  constexpr std::string_view kPlain = "http://";
  if (endpoint.starts_with("https://"))
    return Status(StatusCode::kInvalidArgument, "endpoint " + std::string(endpoint) +
                                                    ": TLS is not supported yet; use http:// or host:port");
  if (endpoint.starts_with("unix:")) return std::string(endpoint);
  if (endpoint.starts_with(kPlain)) endpoint.remove_prefix(kPlain.size());
  endpoint = endpoint.substr(0, endpoint.find('/'));
  if (endpoint.empty()) return Status(StatusCode::kInvalidArgument, "an endpoint is empty; write host:port");
  return std::string(endpoint);
}

Invocation::Invocation(const Globals& globals, Streams streams)
    : globals_(globals),
      streams_(streams),
      printer_(make_printer(streams.out, {.format = format(), .hex = globals.hex})) {}

Runtime& Invocation::runtime() {
  if (!runtime_) runtime_ = std::make_unique<Runtime>(RuntimeOptions{.loops = 1});
  return *runtime_;
}

etcd::ClientOptions Invocation::client_options() const {
  using std::chrono::milliseconds;
  return {.request_timeout = std::chrono::ceil<milliseconds>(globals_.command_timeout),
          .dial_timeout = std::chrono::ceil<milliseconds>(globals_.dial_timeout)};
}

std::string Invocation::endpoint_list() const {
  std::vector<std::string> addresses;
  // main() refused the bad ones.
  for (const std::string& endpoint : globals_.endpoints)
    addresses.push_back(endpoint_address(endpoint).value());
  return joined(addresses, ",");
}

etcd::Client& Invocation::client() {
  if (!client_) client_ = std::make_unique<etcd::Client>(runtime(), endpoint_list(), client_options());
  return *client_;
}

std::unique_ptr<etcd::Client> Invocation::client_for(const std::string& endpoint) {
  return std::make_unique<etcd::Client>(runtime(), endpoint, client_options());
}

int Invocation::fail(Exit exit, std::string_view message) {
  out().flush();
  err() << "Error: " << message << "\n";
  return static_cast<int>(exit);
}

int Invocation::fail(const Status& status, Exit exit) { return fail(exit, explain(status)); }

std::string Invocation::explain(const Status& status) const {
  if (status.origin() == StatusOrigin::kPeer) return status.message();
  const std::string where = joined(globals_.endpoints, ", ");
  if (status.code() == StatusCode::kUnavailable)
    return status.message() + "\nIs minigrpcd or etcd running at " + where +
           "? Start one with: minigrpcd. Another address: --endpoints HOST:PORT";
  if (status.code() == StatusCode::kDeadlineExceeded)
    return "no answer from " + where + " within " + format_duration(globals_.command_timeout) +
           " (--command-timeout): " + status.message();
  return status.message();
}

}  // namespace minigrpc::cli
