// What call, list, describe and channelz have in common: how a server is reached, and where its schema comes from.
//
// Thread rule: the main thread.
#pragma once

#include <minigrpc/channel.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "call_schema.h"
#include "flags.h"
#include "invocation.h"
#include "reflection_client.h"

namespace minigrpc::cli {

struct RemoteFlags {
  SchemaFiles schema;
  std::vector<std::string> headers;
  std::string authority;
  std::string server_name;
  std::chrono::nanoseconds timeout{};
};

// `remote` is borrowed for the life of the set.
void add_remote_flags(FlagSet& flags, RemoteFlags& remote);
// The same without those of the schema.
void add_target_flags(FlagSet& flags, RemoteFlags& remote);

// "name: value" each; the value of a "-bin" one is given in base64.
Result<Metadata> parse_headers(const std::vector<std::string>& headers);

// To an address, "etcd://HOST:PORT/SERVICE", or the bare name of a service, which is looked up in the registry. TLS where
// the target begins with "https://", or where it has no scheme of its own and a flag asks for it.
std::unique_ptr<Channel> open_channel(Invocation& invocation, const RemoteFlags& remote, const std::string& target);

// The same, for who makes channels of its own.
struct RemoteAddress {
  std::string target;
  ChannelOptions options;
};
RemoteAddress remote_address(const Invocation& invocation, const RemoteFlags& remote, const std::string& target);

// Where the files that were given, or the schemas that are built in, do not have the method, the server itself is asked.
// Blocks.
Result<CallSchema> find_schema(const RemoteFlags& remote, const Channel& channel, const std::string& method);
// Whether it is what was typed that has no schema, and not the server that failed.
bool is_callers_fault(const Status& status);

// A line on what to do where the way to the target failed as `status` says; or "".
std::string_view advice_on(const Status& status);
// Writes what a server, or the way to it, answered, and that; returns the exit status.
int fail(Invocation& invocation, const Status& status, Exit exit = Exit::kError);

// What the server itself says; see reflect(). Blocks.
Result<Reflected> ask_server(const Channel& channel, const RemoteFlags& remote, ReflectionQuestion question);

}  // namespace minigrpc::cli
