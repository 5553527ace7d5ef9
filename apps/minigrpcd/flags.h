// minigrpcd's command line: etcd's flags, as Go's flag package reads them, and its environment variables.
//
//   --flag value   --flag=value   -flag value        a boolean: --flag or --flag=false
//   ETCD_FLAG_NAME=value                             counts where the flag is not given; so does MINIGRPC_FLAG_NAME
//   --config-file FILE                               etcd's YAML; counts more than all of them
//
// Thread rule: free functions.
#pragma once

#include <minigrpc/registry.h>
#include <minigrpc/result.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpcd {

struct Flags {
  minigrpc::RegistryOptions registry{.listen_addresses = {}};  // all but the log
  minigrpc::LogLevel log_level = minigrpc::LogLevel::kInfo;
  std::vector<std::string> listen_client_urls;
  // With https:// or unixs:// among the URLs: what goes into `registry.credentials`, with who hears of renewal.
  bool serves_tls = false;
  minigrpc::TlsServerOptions tls;
  std::vector<std::string> warnings;
  // Those that were given and mean nothing to a single member: "--heartbeat-interval".
  std::vector<std::string> without_effect;
  // Where there is no data yet, begin with that snapshot; empty: with nothing.
  std::string restore;
  bool skip_hash_check = false;
  std::int64_t bump_revision = 0;
  bool help = false;
  bool version = false;
};

// The value of an environment variable, none if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// INVALID_ARGUMENT that says what is wrong and what to do instead.
minigrpc::Result<Flags> parse_flags(const std::vector<std::string>& arguments, const Environment& environment);

// "http://127.0.0.1:2379" to "127.0.0.1:2379", "unix:///run/x.sock" to "unix:/run/x.sock"; "https://" and "unixs://" stay.
minigrpc::Result<std::string> listen_address(std::string_view url);

// What --help prints.
std::string help_text();

}  // namespace minigrpcd
