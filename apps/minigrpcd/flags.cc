#include "flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cctype>
#include <utility>

#include "config_file.h"
#include "etcd_flags.h"

namespace minigrpcd {

using minigrpc::Result;
using minigrpc::Status;
using minigrpc::StatusCode;

namespace {

// What has been given, before it is checked together.
struct Given {
  std::string name = "default";
  std::string data_dir;
  std::string listen_client_urls = "http://localhost:2379";
  std::string advertise_client_urls;
  std::string initial_advertise_peer_urls = "http://localhost:2380";
  std::string initial_cluster;
  std::string log_level = "info";
  std::string quota_backend_bytes = "0";
  std::string max_txn_ops = "128";
  std::string max_request_bytes = "1572864";
  std::string progress_interval = "10m";
  std::string compaction_mode = "periodic";
  std::string compaction_retention = "0";
  std::string auth_token = "simple";
  std::string auth_token_ttl = "300";
  std::string bcrypt_cost = "10";
  std::string debug = "false";
  std::string config_file;
  std::string cert_file;
  std::string key_file;
  std::string client_cert_auth = "false";
  std::string trusted_ca_file;
  std::string tls_min_version;
  std::string tls_max_version;
  std::string cipher_suites;
  std::string cors = "*";
  std::string host_whitelist = "*";
  std::string grpc_gateway = "true";
  std::string snapshot_count = "0";
  std::string unsafe_no_fsync = "false";
  std::string in_memory = "false";
  std::string restore;
  std::string skip_hash_check = "false";
  std::string bump_revision = "0";
  std::string mark_compacted = "false";
};

struct FlagRow {
  std::string_view name;
  std::string Given::* place;
  std::string_view help;
  bool boolean = false;
};

constexpr std::array kFlags{
    FlagRow{"name", &Given::name, "Name of this member.  [default]"},
    FlagRow{"data-dir", &Given::data_dir,
            "Where the data is kept; one process at a time.  [${name}.minigrpc]"},
    FlagRow{"listen-client-urls", &Given::listen_client_urls,
            "Where to serve clients: http://HOST:PORT or unix:///PATH, several with commas; with https:// or "
            "unixs:// under "
            "TLS.  [http://localhost:2379]"},
    FlagRow{"advertise-client-urls", &Given::advertise_client_urls,
            "Where clients are told to find this member.  [the listen URLs]"},
    FlagRow{"log-level", &Given::log_level, "debug, info, warn or error (panic, fatal: as error).  [info]"},
    FlagRow{"quota-backend-bytes", &Given::quota_backend_bytes,
            "Refuse writes when the data is larger; 0 is 2 GiB.  [0]"},
    FlagRow{"max-txn-ops", &Given::max_txn_ops, "Operations of one transaction.  [128]"},
    FlagRow{"max-request-bytes", &Given::max_request_bytes, "Size of one request.  [1572864]"},
    FlagRow{"experimental-watch-progress-notify-interval", &Given::progress_interval,
            "How often a silent watcher that asked for it hears of progress.  [10m]"},
    FlagRow{"auto-compaction-mode", &Given::compaction_mode,
            "What --auto-compaction-retention counts: periodic, time; revision, revisions.  [periodic]"},
    FlagRow{"auto-compaction-retention", &Given::compaction_retention,
            "How much history stays: 1h or 30m (a bare number is hours), or a number of revisions; 0 keeps "
            "all.  [0]"},
    FlagRow{"auth-token", &Given::auth_token,
            "What users who signed in show: simple, or "
            "jwt,sign-method=RS256,priv-key=FILE,pub-key=FILE,ttl=5m.  [simple]"},
    FlagRow{"auth-token-ttl", &Given::auth_token_ttl,
            "Seconds for which a simple token lives unused.  [300]"},
    FlagRow{"bcrypt-cost", &Given::bcrypt_cost,
            "Work for each password, 4 to 31: each step doubles it.  [10]"},
    FlagRow{"cert-file", &Given::cert_file,
            "The server's certificate, in PEM form; read again when it changes."},
    FlagRow{"key-file", &Given::key_file, "Its private key, in PEM form, without a passphrase."},
    FlagRow{"client-cert-auth", &Given::client_cert_auth,
            "Want certificates of clients; who shows no token is the user of its common name.  [false]",
            true},
    FlagRow{"trusted-ca-file", &Given::trusted_ca_file,
            "Who signs clients' certificates, in PEM form; given, every client needs one."},
    FlagRow{"tls-min-version", &Given::tls_min_version, "TLS1.2 or TLS1.3.  [TLS1.2]"},
    FlagRow{"tls-max-version", &Given::tls_max_version, "TLS1.2 or TLS1.3.  [TLS1.3]"},
    FlagRow{"cipher-suites", &Given::cipher_suites,
            "What TLS 1.2 may use, by IANA's names, with commas.  [what HTTP/2 allows]"},
    FlagRow{"config-file", &Given::config_file,
            "YAML with the names of flags as keys, as etcd takes it; what it sets counts more than flags."},
    FlagRow{"enable-grpc-gateway", &Given::grpc_gateway, "Serve etcd's JSON gateway below /v3.  [true]",
            true},
    FlagRow{"cors", &Given::cors, "Origins whose pages may ask by HTTP, with commas; * is any.  [*]"},
    FlagRow{"host-whitelist", &Given::host_whitelist,
            "Host names under which HTTP is answered, with commas; * is any.  [*]"},
    FlagRow{"snapshot-count", &Given::snapshot_count,
            "After so many transactions, save a snapshot to DATA_DIR/snapshots, and keep the newest five; 0: "
            "never.  [0]"},
    FlagRow{
        "unsafe-no-fsync", &Given::unsafe_no_fsync,
        "Acknowledge writes before they are on disk; the machine's crash may lose all. For tests.  [false]",
        true},
    FlagRow{"in-memory", &Given::in_memory,
            "Keep the data in memory, gone with the process; there is no data directory. For tests.  [false]",
            true},
    FlagRow{"restore", &Given::restore,
            "Begin with a snapshot, of etcd or of minigrpcd, where the data directory is new."},
    FlagRow{
        "skip-hash-check", &Given::skip_hash_check,
        "With --restore: take a file without a checksum, as one copied from etcd's member/snap/db.  [false]",
        true},
    FlagRow{"bump-revision", &Given::bump_revision,
            "With --restore and --mark-compacted: go on at a revision greater by that.  [0]"},
    FlagRow{"mark-compacted", &Given::mark_compacted,
            "With --bump-revision: watches from before hear that it was compacted.  [false]", true},
    FlagRow{"debug", &Given::debug, "The same as --log-level debug.  [false]", true},
    FlagRow{"initial-advertise-peer-urls", &Given::initial_advertise_peer_urls,
            "Shown as peer addresses in `member list`; nobody listens there.  [http://localhost:2380]"},
    FlagRow{"initial-cluster", &Given::initial_cluster, "Accepted with one member, without effect."},
};

// etcd's flags whose effect a user would miss: refused, not ignored. More of them in etcd_flags.h.
struct Refusal {
  std::string_view name;
  std::string_view advice;
};
constexpr std::array kRefusals{
    Refusal{"auto-tls", "it makes no certificates: give --cert-file and --key-file"},
    Refusal{"client-crl-file", "revocation lists are not looked at: let clients' certificates live for a short time"},
    Refusal{"client-cert-allowed-hostname",
            "let --trusted-ca-file sign only who may come in, or use users and roles with --client-cert-auth"},
    Refusal{"wal-dir", "the journal lies in --data-dir: put that on the fast disk"},
    Refusal{"listen-metrics-urls", "/metrics is served on --listen-client-urls"},
};

Status bad(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

const FlagRow* find_row(std::string_view name) {
  const auto found = std::ranges::find(kFlags, name, &FlagRow::name);
  return found == kFlags.end() ? nullptr : &*found;
}

Status unknown_flag(const std::string& name) {
  return bad("flag provided but not defined: -" + name + "\nSee 'minigrpcd --help'.");
}

// Why etcd's flag of that name is not minigrpcd's; nullopt: it is not refused.
std::optional<std::string_view> refusal_of(std::string_view name) {
  if (const auto found = std::ranges::find(kRefusals, name, &Refusal::name); found != kRefusals.end())
    return found->advice;
  const EtcdFlag* flag = find_etcd_flag(name);
  if (flag == nullptr || flag->refusal.empty()) return std::nullopt;
  return flag->refusal;
}

bool is_true(std::string_view text) { return text == "true" || text == "1" || text == "t" || text == "T" || text == "TRUE"; }
bool is_boolean(std::string_view text) {
  return is_true(text) || text == "false" || text == "0" || text == "f" || text == "F" || text == "FALSE";
}

std::string environment_name(std::string_view prefix, std::string_view flag) {
  std::string name(prefix);
  for (const char c : flag)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

// Takes a flag with its value, wherever it was given. A refused one may say that it is not wanted.
Status take(const std::string& name, std::string value, Given& given, Flags& flags) {
  if (const FlagRow* row = find_row(name)) {
    if (row->boolean && !is_boolean(value))
      return bad("invalid boolean value \"" + value + "\" for -" + name + ": say true or false");
    given.*row->place = std::move(value);
    return Status();
  }
  const std::optional<std::string_view> refusal = refusal_of(name);
  if (refusal && !asks_for_nothing(value))
    return bad("--" + name + " is etcd's, and not minigrpcd's: " + std::string(*refusal));
  if (!refusal && find_etcd_flag(name) == nullptr) return unknown_flag(name);
  std::string shown = "--" + name;
  if (!refusal && std::ranges::find(flags.without_effect, shown) == flags.without_effect.end())
    flags.without_effect.push_back(std::move(shown));
  return Status();
}

// Whether a flag may stand alone. Of one that is refused it does not matter.
bool is_boolean_flag(const std::string& name) {
  if (const FlagRow* row = find_row(name)) return row->boolean;
  if (const EtcdFlag* flag = find_etcd_flag(name)) return flag->boolean;
  return true;
}

// One argument, and the next where it is its value; the index of the last one used.
Result<std::size_t> take_argument(const std::vector<std::string>& arguments, std::size_t index, Given& given,
                                  Flags& flags) {
  const std::string& argument = arguments[index];
  if (argument.size() < 2 || argument[0] != '-' || argument == "--")
    return bad("'" + argument + "' is not a valid flag. See 'minigrpcd --help'.");
  std::string name = argument.substr(argument[1] == '-' ? 2 : 1);
  std::optional<std::string> value;
  if (const std::size_t equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name.resize(equals);
  }
  if (name == "h" || name == "help") {
    flags.help = true;
    return index;
  }
  if (name == "version") {
    flags.version = true;
    return index;
  }
  if (!value && is_boolean_flag(name)) value = "true";
  if (!value) {
    if (index + 1 == arguments.size()) return bad("flag needs an argument: -" + name);
    value = arguments[++index];
  }
  if (Status status = take(name, *std::move(value), given, flags); !status.ok()) return status;
  return index;
}

template <class Number>
Status parse_number(std::string_view flag, std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  if (error == std::errc() && end == text.data() + text.size() && *number >= 0) return Status();
  return bad("invalid value \"" + std::string(text) + "\" for flag -" + std::string(flag) + ": it takes a number");
}

// Go's durations, of one unit: "10m", "500ms".
Result<std::chrono::milliseconds> parse_duration(std::string_view flag, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double factor = unit == "ms" ? 1 : unit == "s" ? 1e3 : unit == "m" ? 6e4 : unit == "h" ? 3.6e6 : 0;
  if (error != std::errc() || factor == 0 || number <= 0 || number * factor > 1e12)
    return bad("invalid value \"" + std::string(text) + "\" for flag -" + std::string(flag) +
               ": it takes a duration such as 10m or 500ms");
  return std::chrono::milliseconds(static_cast<std::int64_t>(number * factor));
}

// etcd's rule: a bare number is hours, or revisions.
Status parse_retention(const Given& given, minigrpc::RegistryOptions* registry) {
  const std::string& text = given.compaction_retention;
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  std::int64_t number = 0;
  if (is_number)
    if (Status status = parse_number("auto-compaction-retention", text, &number); !status.ok()) return status;
  if (given.compaction_mode == "revision") {
    if (!is_number) return bad("--auto-compaction-retention=" + text + ": in mode revision it is a number of revisions");
    registry->compaction_retention_revisions = number;
    return Status();
  }
  if (given.compaction_mode != "periodic")
    return bad("invalid value \"" + given.compaction_mode +
               "\" for flag -auto-compaction-mode: it is periodic or revision");
  if (is_number) {
    if (number > 1'000'000) return bad("--auto-compaction-retention=" + text + ": so many hours are never");
    registry->compaction_retention = std::chrono::hours(number);
    return Status();
  }
  const Result<std::chrono::milliseconds> duration = parse_duration("auto-compaction-retention", text);
  if (!duration) return duration.error();
  registry->compaction_retention = *duration;
  return Status();
}

Result<minigrpc::LogLevel> parse_level(std::string_view text) {
  if (text == "debug") return minigrpc::LogLevel::kDebug;
  if (text == "info") return minigrpc::LogLevel::kInfo;
  if (text == "warn") return minigrpc::LogLevel::kWarn;
  if (text == "error" || text == "panic" || text == "fatal" || text == "dpanic") return minigrpc::LogLevel::kError;
  return bad("invalid value \"" + std::string(text) + "\" for flag -log-level: it is debug, info, warn or error");
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

// "a=http://…,b=http://…": how many names there are. One member may have several URLs.
Status check_initial_cluster(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& part : split_commas(text)) {
    std::string name = part.substr(0, part.find('='));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  if (names.size() <= 1) return Status();
  return bad("--initial-cluster names " + std::to_string(names.size()) +
             " members, and minigrpcd is a single member: run etcd for a cluster, and point clients at it");
}

Status finish_restore(const Given& given, Flags& flags) {
  flags.restore = given.restore;
  flags.skip_hash_check = is_true(given.skip_hash_check);
  if (Status status = parse_number("bump-revision", given.bump_revision, &flags.bump_revision); !status.ok())
    return status;
  if ((flags.bump_revision > 0) != is_true(given.mark_compacted))
    return bad("--bump-revision N and --mark-compacted belong together: who has seen a later revision than the "
               "snapshot's must read all again");
  if (flags.restore.empty() && (flags.skip_hash_check || flags.bump_revision > 0))
    return bad("--skip-hash-check, --bump-revision and --mark-compacted need --restore FILE");
  return Status();
}

Status parse_version(std::string_view flag, std::string_view text, minigrpc::TlsVersion* version) {
  if (text == "TLS1.2" || text == "TLS1.3") {
    *version = text == "TLS1.2" ? minigrpc::TlsVersion::k1_2 : minigrpc::TlsVersion::k1_3;
    return Status();
  }
  if (text.empty()) return Status();
  return bad("invalid value \"" + std::string(text) + "\" for flag -" + std::string(flag) + ": it is TLS1.2 or TLS1.3");
}

// What the flags of TLS say, and that they say it together.
Status finish_tls(const Given& given, Flags& flags) {
  minigrpc::RegistryOptions& registry = flags.registry;
  const bool https = std::ranges::any_of(registry.listen_addresses, [](const std::string& address) {
    return address.starts_with("https://") || address.starts_with("unixs://");
  });
  if (given.cert_file.empty() != given.key_file.empty())
    return bad("--cert-file and --key-file belong together");
  if (https && given.cert_file.empty())
    return bad("--listen-client-urls with https:// needs --cert-file and --key-file");
  if (is_true(given.client_cert_auth) && given.trusted_ca_file.empty())
    return bad("--client-cert-auth needs --trusted-ca-file: who signs the clients' certificates");
  minigrpc::TlsServerOptions& tls = flags.tls;
  if (Status status = parse_version("tls-min-version", given.tls_min_version, &tls.version_min); !status.ok())
    return status;
  if (Status status = parse_version("tls-max-version", given.tls_max_version, &tls.version_max); !status.ok())
    return status;
  if (tls.version_min > tls.version_max) return bad("--tls-min-version is greater than --tls-max-version");
  tls.cipher_suites = split_commas(given.cipher_suites);
  if (!https && !(given.cert_file.empty() && given.trusted_ca_file.empty()))
    flags.warnings.push_back("certificates were given, but no URL of --listen-client-urls begins with https://: all is cleartext");
  if (!https) return Status();
  flags.serves_tls = true;
  registry.client_cert_auth = is_true(given.client_cert_auth);
  tls.certificate_chain = minigrpc::Pem::file(given.cert_file);
  tls.private_key = minigrpc::Pem::file(given.key_file);
  if (given.trusted_ca_file.empty()) return Status();
  tls.client_ca = minigrpc::Pem::file(given.trusted_ca_file);
  tls.client_certificate = minigrpc::ClientCertificate::kRequired;
  return Status();
}

Status finish(const Given& given, Flags& flags) {
  minigrpc::RegistryOptions& registry = flags.registry;
  registry.name = given.name;
  registry.data_dir = given.data_dir.empty() ? given.name + ".minigrpc" : given.data_dir;
  flags.listen_client_urls = split_commas(given.listen_client_urls);
  if (flags.listen_client_urls.empty()) return bad("--listen-client-urls is empty: say where to serve clients");
  for (const std::string& url : flags.listen_client_urls) {
    Result<std::string> address = listen_address(url);
    if (!address) return std::move(address).error();
    registry.listen_addresses.push_back(*std::move(address));
  }
  if (Status status = finish_tls(given, flags); !status.ok()) return status;
  registry.advertise_client_urls = split_commas(given.advertise_client_urls);
  registry.advertise_peer_urls = split_commas(given.initial_advertise_peer_urls);
  if (!given.initial_cluster.empty()) flags.without_effect.push_back("--initial-cluster");
  if (Status status = check_initial_cluster(given.initial_cluster); !status.ok()) return status;

  Result<minigrpc::LogLevel> level = parse_level(is_true(given.debug) ? "debug" : given.log_level);
  if (!level) return std::move(level).error();
  flags.log_level = *level;
  std::int64_t quota_bytes = 0;
  if (Status status = parse_number("quota-backend-bytes", given.quota_backend_bytes, &quota_bytes); !status.ok())
    return status;
  if (quota_bytes != 0) registry.quota_bytes = static_cast<std::size_t>(quota_bytes);
  if (Status status = parse_number("max-txn-ops", given.max_txn_ops, &registry.txn_ops_max); !status.ok())
    return status;
  if (Status status = parse_number("max-request-bytes", given.max_request_bytes, &registry.request_size_max);
      !status.ok())
    return status;
  if (Status status = parse_number("snapshot-count", given.snapshot_count, &registry.snapshot_count); !status.ok())
    return status;
  if (Status status = finish_restore(given, flags); !status.ok()) return status;
  if (is_true(given.in_memory)) {
    if (!given.data_dir.empty()) return bad("--in-memory has no data directory: leave --data-dir out");
    if (!given.restore.empty()) return bad("--in-memory cannot begin with a snapshot: leave --restore out");
    registry.data_dir.clear();
    flags.warnings.push_back("--in-memory: all data is gone when this process ends");
  }
  registry.fsync = !is_true(given.unsafe_no_fsync);
  if (!registry.fsync) flags.warnings.push_back("--unsafe-no-fsync: a crash of the machine may lose or corrupt all data");
  registry.http_gateway = is_true(given.grpc_gateway);
  registry.cors = split_commas(given.cors);
  registry.host_whitelist = split_commas(given.host_whitelist);
  const Result<std::chrono::milliseconds> interval =
      parse_duration("experimental-watch-progress-notify-interval", given.progress_interval);
  if (!interval) return interval.error();
  registry.watch_progress_interval = *interval;
  if (Status status = parse_retention(given, &registry); !status.ok()) return status;
  registry.auth_token = given.auth_token;
  std::int64_t ttl_s = 0;
  if (Status status = parse_number("auth-token-ttl", given.auth_token_ttl, &ttl_s); !status.ok()) return status;
  if (ttl_s == 0 || ttl_s > 1'000'000'000) return bad("--auth-token-ttl=" + given.auth_token_ttl + ": say some seconds");
  registry.auth_token_ttl = std::chrono::seconds(ttl_s);
  std::int64_t cost = 0;
  if (Status status = parse_number("bcrypt-cost", given.bcrypt_cost, &cost); !status.ok()) return status;
  if (cost < 4 || cost > 31) return bad("--bcrypt-cost=" + given.bcrypt_cost + ": it is 4 to 31");
  registry.bcrypt_cost = static_cast<int>(cost);
  return Status();
}

// ETCD_NAME, or MINIGRPC_NAME, which counts more.
Status take_environment(const Environment& environment, Given& given, Flags& flags) {
  std::vector<std::string_view> names;
  for (const FlagRow& row : kFlags) names.push_back(row.name);
  for (const Refusal& refusal : kRefusals) names.push_back(refusal.name);
  for (const EtcdFlag& flag : etcd_flags()) names.push_back(flag.name);
  for (const std::string_view prefix : {"ETCD_", "MINIGRPC_"})
    for (const std::string_view name : names)
      if (std::optional<std::string> value = environment(environment_name(prefix, name)); value && !value->empty())
        if (Status status = take(std::string(name), *std::move(value), given, flags); !status.ok()) return status;
  return Status();
}

// What the configuration file sets counts, whatever was given beside it.
Status take_config(Given& given, Flags& flags) {
  if (given.config_file.empty()) return Status();
  const std::string path = given.config_file;
  Result<std::vector<Setting>> settings = read_config(path);
  if (!settings) return settings.error();
  for (Setting& setting : *settings) {
    // As in etcd's own example, where most are spelled out and empty.
    if (setting.value.empty()) continue;
    if (Status status = take(setting.name, std::move(setting.value), given, flags); !status.ok())
      return bad("configuration file " + path + ": " + status.message());
  }
  return Status();
}

}  // namespace

Result<std::string> listen_address(std::string_view url) {
  const auto refuse = [&](std::string_view why) {
    return bad("cannot listen on \"" + std::string(url) + "\": " + std::string(why));
  };
  const std::size_t separator = url.find("://");
  const std::string_view scheme = url.substr(0, std::min(separator, url.size()));
  if (separator == std::string_view::npos || (scheme != "http" && scheme != "https" && scheme != "unix" && scheme != "unixs"))
    return refuse("a URL begins with http://, https://, unix:// or unixs://");
  std::string_view address = url.substr(separator + 3);
  if (scheme.starts_with("unix")) {
    if (address.empty()) return refuse("a unix:// URL names a path: unix:///run/minigrpcd.sock");
    return (scheme == "unixs" ? "unixs://" : "unix:") + std::string(address);
  }
  if (address.ends_with('/')) address.remove_suffix(1);
  const std::size_t colon = address.rfind(':');
  if (address.find('/') != std::string_view::npos) return refuse("it must be http://HOST:PORT, without a path");
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == address.size() || address[colon - 1] == ':')
    return refuse("it must be http://HOST:PORT");
  return (scheme == "https" ? "https://" : "") + std::string(address);
}

Result<Flags> parse_flags(const std::vector<std::string>& arguments, const Environment& environment) {
  Flags flags;
  Given given;
  if (Status status = take_environment(environment, given, flags); !status.ok()) return status;
  for (std::size_t index = 0; index < arguments.size(); ++index) {
    const Result<std::size_t> last = take_argument(arguments, index, given, flags);
    if (!last) return last.error();
    index = *last;
  }
  if (flags.help || flags.version) return flags;
  if (Status status = take_config(given, flags); !status.ok()) return status;
  if (Status status = finish(given, flags); !status.ok()) return status;
  return flags;
}

std::string help_text() {
  std::string text =
      "Usage:\n"
      "  minigrpcd [flags]\n"
      "    Serve the etcd v3 API, as the only member, from a data directory.\n"
      "  minigrpcd --version\n"
      "  minigrpcd --help\n"
      "\n"
      "Flags are etcd's; each can also be given as MINIGRPC_ or ETCD_ and its name in the environment (ETCD_DATA_DIR).\n"
      "\n";
  for (const FlagRow& row : kFlags) text += "  --" + std::string(row.name) + "\n    " + std::string(row.help) + "\n";
  text += "\nAccepted for etcd's start scripts, without effect on a single member:\n ";
  for (const EtcdFlag& flag : etcd_flags())
    if (flag.refusal.empty()) text += " --" + std::string(flag.name);
  return text + "\n\nFor a cluster run etcd, and point clients at it: they need no change.\n";
}

}  // namespace minigrpcd
