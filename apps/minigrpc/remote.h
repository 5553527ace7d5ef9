// What call, list and describe have in common: how a server is reached, and where its schema comes from.
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
#include "reflection_client.h"

namespace minigrpc::cli {

class Invocation;

struct RemoteFlags {
  SchemaFiles schema;
  std::vector<std::string> headers;
  std::string authority;
  std::chrono::nanoseconds timeout{};
};

// `remote` is borrowed for the life of the set.
void add_remote_flags(FlagSet& flags, RemoteFlags& remote);

// "name: value" each; the value of a "-bin" one is given in base64.
Result<Metadata> parse_headers(const std::vector<std::string>& headers);

// To an address, "etcd://HOST:PORT/SERVICE", or the bare name of a service, which is looked up in the registry.
std::unique_ptr<Channel> open_channel(Invocation& invocation, const RemoteFlags& remote, const std::string& target);

// What the server itself says; see reflect(). Blocks.
Result<Reflected> ask_server(const Channel& channel, const RemoteFlags& remote, ReflectionQuestion question);

}  // namespace minigrpc::cli
