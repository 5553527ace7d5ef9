// Globals: the flags that every verb has, and what follows from them for a connection.
//
// Thread rule: one thread.
#pragma once

#include <minigrpc/credentials.h>
#include <minigrpc/keepalive.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "flags.h"

namespace minigrpc::cli {

struct Globals {
  std::vector<std::string> endpoints{"127.0.0.1:2379"};
  std::chrono::nanoseconds command_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds dial_timeout = std::chrono::seconds(2);
  std::chrono::nanoseconds keepalive_time = std::chrono::seconds(2);
  std::chrono::nanoseconds keepalive_timeout = std::chrono::seconds(6);
  std::string write_out = "simple";
  bool hex = false;
  bool debug = false;

  std::string user{};  // "name" or "name:password"
  std::string password{};
  std::string cacert{};
  std::string cert{};
  std::string key{};
  bool insecure_transport = true;
  bool insecure_skip_tls_verify = false;
  // etcdctl's, for addresses found by DNS, which this program does not look up.
  bool insecure_discovery = true;
};

// `globals` is borrowed for the life of the set.
void add_global_flags(FlagSet& flags, Globals& globals);

// INVALID_ARGUMENT for flags that do not fit together, and for a malformed endpoint.
Status check(const Globals& globals);

// An endpoint as a channel takes it: "https://10.0.0.1:2379/" is 10.0.0.1:2379 over TLS. Without a scheme it
// is TLS where a flag asks for that: --cacert, --cert, --key, --insecure-skip-tls-verify,
// --insecure-transport=false.
struct Address {
  std::string target{};
  bool tls = false;
};
bool wants_tls(const Globals& globals);
Result<Address> parse_address(std::string_view endpoint, const Globals& globals);

// Of the flags; `server_name` is what the certificate must be for, where that is not the host.
ChannelCredentials tls_credentials(const Globals& globals, std::string_view server_name = {});

ChannelKeepaliveOptions keepalive(const Globals& globals);

// Each flag with its value, as --debug shows them. No password.
std::string describe(const FlagSet& flags);

}  // namespace minigrpc::cli
