#include "globals.h"

#include <algorithm>

#include "command_line.h"

namespace minigrpc::cli {

namespace {

// Servers of etcd send off who asks more often than every 5 s; Go's clients never ask more often than this.
constexpr std::chrono::seconds kKeepaliveTimeMin{10};

Pem file_or_none(const std::string& path) { return path.empty() ? Pem() : Pem::file(path); }

std::string value_of(const FlagSet::Flag& flag) {
  FlagSet shown;
  shown.add(flag.name, flag.target, "");
  return shown.all().front().default_text;
}

}  // namespace

void add_global_flags(FlagSet& flags, Globals& globals) {
  flags.add("cacert", &globals.cacert,
            "TLS: who signs the server's certificate, a PEM file; the system's roots without it");
  flags.add("cert", &globals.cert, "TLS: our own certificate, a PEM file, for servers that ask for one");
  flags.add("command-timeout", &globals.command_timeout, "how long one request may take");
  flags.add("debug", &globals.debug, "say on the standard error with which flags it runs");
  flags.add("dial-timeout", &globals.dial_timeout, "how long one try to connect may take");
  flags.add("endpoints", CommaList{&globals.endpoints},
            "addresses of the registry, separated by commas; https://host:port with TLS");
  flags.add("hex", &globals.hex, "print keys and values in hexadecimal");
  flags.add("insecure-discovery", &globals.insecure_discovery, "etcdctl's; without a meaning here");
  flags.add("insecure-skip-tls-verify", &globals.insecure_skip_tls_verify,
            "TLS: believe whoever answers; for tests only");
  flags.add("insecure-transport", &globals.insecure_transport,
            "endpoints without a scheme are cleartext; --insecure-transport=false: TLS");
  flags.add("keepalive-time", &globals.keepalive_time,
            "ask a silent server after that long whether it is there; at least 10s");
  flags.add("keepalive-timeout", &globals.keepalive_timeout, "how long its answer may take");
  flags.add("key", &globals.key, "TLS: the key of --cert, a PEM file");
  flags.add("password", &globals.password, "the password of --user");
  flags.add("user", &globals.user,
            "who you are, NAME or NAME:PASSWORD; asks for the password where none is given");
  flags.add("write-out", &globals.write_out, "output format: simple, json, fields, table or protobuf", 'w');
}

Status check(const Globals& globals) {
  if (globals.endpoints.empty()) return bad_arguments("--endpoints is empty; write host:port");
  bool tls = false;
  bool cleartext = false;
  for (const std::string& endpoint : globals.endpoints) {
    const Result<Address> address = parse_address(endpoint, globals);
    if (!address) return address.error();
    (address->tls ? tls : cleartext) = true;
  }
  if (tls && cleartext)
    return bad_arguments("--endpoints are partly with and partly without TLS; name those of one kind");
  if (globals.cert.empty() != globals.key.empty())
    return bad_arguments("--cert and --key belong together: a certificate and its key");
  if (!globals.password.empty() && globals.user.empty())
    return bad_arguments("--password is given, but no --user");
  if (!globals.password.empty() && globals.user.find(':') != std::string::npos)
    return bad_arguments("the password is given twice: in --user and with --password");
  if (globals.user.starts_with(':')) return bad_arguments("--user " + globals.user + " names no user");
  return Status();
}

bool wants_tls(const Globals& globals) {
  return !globals.cacert.empty() || !globals.cert.empty() || !globals.key.empty() ||
         globals.insecure_skip_tls_verify || !globals.insecure_transport;
}

Result<Address> parse_address(std::string_view endpoint, const Globals& globals) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  Address address{.tls = wants_tls(globals)};
  if (endpoint.starts_with("unix:")) {
    address.target = endpoint;
    return address;
  }
  if (endpoint.starts_with(kHttp)) {
    endpoint.remove_prefix(kHttp.size());
    address.tls = false;
  } else if (endpoint.starts_with(kHttps)) {
    endpoint.remove_prefix(kHttps.size());
    address.tls = true;
  }
  address.target = endpoint.substr(0, endpoint.find('/'));
  if (address.target.empty()) return bad_arguments("an endpoint is empty; write host:port");
  return address;
}

ChannelCredentials tls_credentials(const Globals& globals, std::string_view server_name) {
  TlsChannelOptions options;
  options.server_ca = file_or_none(globals.cacert);
  options.certificate_chain = file_or_none(globals.cert);
  options.private_key = file_or_none(globals.key);
  options.server_name = server_name;
  if (globals.insecure_skip_tls_verify) options.verification = ServerVerification::kNone;
  return ChannelCredentials::tls(std::move(options));
}

ChannelKeepaliveOptions keepalive(const Globals& globals) {
  using std::chrono::milliseconds;
  ChannelKeepaliveOptions options;
  options.time =
      std::max<milliseconds>(std::chrono::ceil<milliseconds>(globals.keepalive_time), kKeepaliveTimeMin);
  options.timeout = std::chrono::ceil<milliseconds>(globals.keepalive_timeout);
  return options;
}

std::string describe(const FlagSet& flags) {
  std::string text;
  for (const FlagSet::Flag& flag : flags.all()) {
    std::string value = value_of(flag);
    if (flag.name == "password" && !value.empty()) value = "***";
    if (flag.name == "user") value = value.substr(0, value.find(':'));
    text += "--" + flag.name + "=" + value + "\n";
  }
  return text;
}

}  // namespace minigrpc::cli
