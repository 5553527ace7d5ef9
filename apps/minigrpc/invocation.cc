#include "invocation.h"

#include <limits>

#include "flags.h"
#include "password.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

ChannelOptions channel_options(const Globals& globals, bool tls) {
  ChannelOptions options;
  if (tls) options.credentials = tls_credentials(globals);
  options.connect_timeout = std::chrono::ceil<std::chrono::milliseconds>(globals.dial_timeout);
  options.keepalive = keepalive(globals);
  // Snapshots and lists are as large as they are.
  options.received_message_size_max = std::numeric_limits<std::int32_t>::max();
  return options;
}

}  // namespace

std::optional<OutputFormat> parse_output_format(std::string_view name) {
  if (name == "simple") return OutputFormat::kSimple;
  if (name == "json") return OutputFormat::kJson;
  if (name == "fields") return OutputFormat::kFields;
  if (name == "table") return OutputFormat::kTable;
  if (name == "protobuf") return OutputFormat::kProtobuf;
  return std::nullopt;
}

Invocation::Invocation(const Globals& globals, Streams streams)
    : globals_(globals),
      streams_(streams),
      printer_(make_printer(streams.out, {.format = format(), .hex = globals.hex})) {}

Runtime& Invocation::runtime() {
  if (!runtime_) runtime_ = std::make_unique<Runtime>(RuntimeOptions{.loops = 1});
  return *runtime_;
}

std::string Invocation::password_of(const Globals& globals) {
  const std::size_t colon = globals.user.find(':');
  if (colon != std::string::npos) return globals.user.substr(colon + 1);
  return globals.password.empty() ? read_password(in(), err(), globals.user) : globals.password;
}

etcd::ClientOptions Invocation::options_of(const Globals& globals) {
  using std::chrono::milliseconds;
  etcd::ClientOptions options{.request_timeout = std::chrono::ceil<milliseconds>(globals.command_timeout),
                              .dial_timeout = std::chrono::ceil<milliseconds>(globals.dial_timeout)};
  if (parse_address(globals.endpoints.front(), globals).value().tls) options.credentials = tls_credentials(globals);
  if (!globals.user.empty()) {
    options.user = globals.user.substr(0, globals.user.find(':'));
    options.password = &globals == &globals_ && password_ ? *password_ : password_of(globals);
  }
  options.keepalive = keepalive(globals);
  return options;
}

etcd::ClientOptions Invocation::client_options() {
  etcd::ClientOptions options = options_of(globals_);
  password_ = options.password;  // asked for once
  return options;
}

std::unique_ptr<etcd::Client> Invocation::client_of(const Globals& other) {
  std::vector<std::string> targets;
  for (const std::string& endpoint : other.endpoints) targets.push_back(parse_address(endpoint, other).value().target);
  return std::make_unique<etcd::Client>(runtime(), joined(targets, ","), options_of(other));
}

std::string Invocation::endpoint_list() const {
  std::vector<std::string> targets;
  for (const std::string& endpoint : globals_.endpoints)
    targets.push_back(parse_address(endpoint, globals_).value().target);
  return joined(targets, ",");
}

etcd::Client& Invocation::client() {
  if (!client_) client_ = std::make_unique<etcd::Client>(runtime(), endpoint_list(), client_options());
  return *client_;
}

std::unique_ptr<etcd::Client> Invocation::client_for(const std::string& endpoint) {
  etcd::ClientOptions options = client_options();
  const Result<Address> address = parse_address(endpoint, globals_);
  options.credentials = address && address->tls ? tls_credentials(globals_) : ChannelCredentials();
  return std::make_unique<etcd::Client>(runtime(), address ? address->target : endpoint, std::move(options));
}

Channel Invocation::open_channel() {
  const bool tls = parse_address(globals_.endpoints.front(), globals_).value().tls;
  return Channel(runtime(), endpoint_list(), channel_options(globals_, tls));
}

Channel Invocation::open_channel(const std::string& endpoint) {
  const Result<Address> address = parse_address(endpoint, globals_);
  if (!address) return Channel(runtime(), endpoint);  // its calls tell
  return Channel(runtime(), address->target, channel_options(globals_, address->tls));
}

Result<CallOptions> Invocation::call_options(etcd::Client& client) {
  Result<Metadata> metadata = sync_wait(client.call_metadata());
  if (!metadata) return metadata.error();
  CallOptions options;
  options.metadata = *std::move(metadata);
  return options;
}

int Invocation::fail(Exit exit, std::string_view message) {
  out().flush();
  err() << "Error: " << message << "\n";
  return static_cast<int>(exit);
}

int Invocation::fail(const Status& status, Exit exit) {
  // etcdctl has no client then.
  const bool denied = status.message().find("authentication failed, invalid user ID or password") != std::string::npos;
  return fail(denied ? Exit::kBadConnection : exit, explain(status));
}

std::string Invocation::explain(const Status& status) const {
  if (status.origin() == StatusOrigin::kPeer) return status.message();
  const std::string where = joined(globals_.endpoints, ", ");
  if (status.message().find("does it expect TLS?") != std::string::npos)
    return status.message() + "\nFor TLS: --endpoints https://HOST:PORT, and --cacert FILE where its authority is your own";
  if (status.code() == StatusCode::kUnavailable)
    return status.message() + "\nIs minigrpcd or etcd running at " + where +
           "? Start one with: minigrpcd. Another address: --endpoints HOST:PORT";
  if (status.code() == StatusCode::kDeadlineExceeded)
    return "no answer from " + where + " within " + format_duration(globals_.command_timeout) +
           " (--command-timeout): " + status.message();
  return status.message();
}

}  // namespace minigrpc::cli
