#include "remote.h"

#include <minigrpc/discovery.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "command_line.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

// A server that answers no reflection must not keep us for ever, where the call itself has all the time it wants.
constexpr std::chrono::seconds kReflectionMax{10};

std::optional<std::string> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    group = (group << 6 | static_cast<std::uint32_t>(digit)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xff);
  }
  return bytes;
}

Address channel_address(const Invocation& invocation, const std::string& target) {
  const Globals& globals = invocation.globals();
  if (target.starts_with("http://") || target.starts_with("https://"))
    if (Result<Address> address = parse_address(target, globals)) return *std::move(address);
  Address address{.target = target, .tls = wants_tls(globals)};
  if (target.find_first_of(":/") == std::string::npos)
    address.target = "etcd://" + invocation.endpoint_list() + "/" + target;
  return address;
}

}  // namespace

void add_target_flags(FlagSet& flags, RemoteFlags& remote) {
  flags.add("authority", &remote.authority, "what the server sees as :authority, instead of the target");
  flags.add("header", &remote.headers, "metadata to send, 'name: value'; may be repeated", 'H');
  flags.add("servername", &remote.server_name, "TLS: the name that the server's certificate must be for");
  flags.add("timeout", &remote.timeout, "how long the call may take; 0s: for ever");
}

void add_remote_flags(FlagSet& flags, RemoteFlags& remote) {
  add_target_flags(flags, remote);
  flags.add("import-path", &remote.schema.import_paths, "where imports are looked up; may be repeated", 'I');
  flags.add("proto", &remote.schema.protos, "a .proto file with the service; may be repeated");
  flags.add("protoset", &remote.schema.descriptor_sets,
            "a file of descriptors (protoc --include_imports --descriptor_set_out); may be repeated");
}

Result<Metadata> parse_headers(const std::vector<std::string>& headers) {
  Metadata metadata;
  for (const std::string& header : headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0)
      return bad_arguments("-H '" + header + "': write 'name: value'");
    std::string name = header.substr(0, colon);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::size_t value_at = std::min(header.find_first_not_of(' ', colon + 1), header.size());
    std::string value = header.substr(value_at);
    if (name.ends_with("-bin")) {
      std::optional<std::string> bytes = from_base64(value);
      if (!bytes) return bad_arguments("-H '" + header + "': the value of a -bin header is base64");
      value = *std::move(bytes);
    }
    metadata.add(name, value);
  }
  return metadata;
}

std::unique_ptr<Channel> open_channel(Invocation& invocation, const RemoteFlags& remote,
                                      const std::string& target) {
  discovery::install(invocation.runtime(), invocation.client_options());
  RemoteAddress address = remote_address(invocation, remote, target);
  return std::make_unique<Channel>(invocation.runtime(), address.target, std::move(address.options));
}

RemoteAddress remote_address(const Invocation& invocation, const RemoteFlags& remote, const std::string& target) {
  const Globals& globals = invocation.globals();
  const Address address = channel_address(invocation, target);
  ChannelOptions options;
  if (address.tls) options.credentials = tls_credentials(globals, remote.server_name);
  options.authority = remote.authority;
  options.connect_timeout = std::chrono::ceil<std::chrono::milliseconds>(globals.dial_timeout);
  options.keepalive = keepalive(globals);
  return {address.target, std::move(options)};
}

std::string_view advice_on(const Status& status) {
  if (status.code() != StatusCode::kUnavailable || status.origin() != StatusOrigin::kLocal) return "";
  const auto says = [&](std::string_view words) { return status.message().find(words) != std::string::npos; };
  if (says("does it expect TLS?"))
    return "For TLS write https://HOST:PORT, and --cacert FILE where its authority is your own.\n";
  if (says("certificate is not accepted"))
    return "Its authority is given by --cacert FILE, the name that it is for by --servername NAME.\n";
  if (says("TLS handshake")) return "";
  return "Nobody answers there. 'minigrpc services' shows who is registered.\n";
}

int fail(Invocation& invocation, const Status& status, Exit exit) {
  const int code = invocation.fail(exit, status.message());
  invocation.err() << advice_on(status);
  return code;
}

Result<Reflected> ask_server(const Channel& channel, const RemoteFlags& remote, ReflectionQuestion question) {
  Result<Metadata> metadata = parse_headers(remote.headers);
  if (!metadata) return metadata.error();
  CallOptions options{.metadata = *std::move(metadata)};
  options.timeout = remote.timeout.count() > 0 ? remote.timeout : kReflectionMax;
  return sync_wait(reflect(&channel, std::move(question), std::move(options)));
}

Result<CallSchema> find_schema(const RemoteFlags& remote, const Channel& channel, const std::string& method) {
  Result<CallSchema> schema = CallSchema::load(remote.schema);
  if (!schema || !remote.schema.empty() || schema->find_method(method)) return schema;
  const std::size_t slash = method.rfind('/');
  std::string service = method.substr(0, slash != std::string::npos ? slash : method.rfind('.'));
  if (service.starts_with('/')) service.erase(0, 1);
  const Result<Reflected> reflected = ask_server(channel, remote, {.service = service});
  if (reflected && !reflected->files.file().empty()) return CallSchema::of(reflected->files);
  if (reflected)
    return Status(StatusCode::kNotFound,
                  "the server has no service \"" + service + "\"; there are: " + joined(reflected->services, ", "));
  if (reflected.error().code() != StatusCode::kUnimplemented) return reflected.error();
  return Status(StatusCode::kInvalidArgument, "the server has no reflection, so the schema of " + method +
                                                  " is needed: pass --proto FILE, and -I DIR for each directory "
                                                  "that its imports come from, or --protoset FILE");
}

bool is_callers_fault(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kNotFound;
}

}  // namespace minigrpc::cli
