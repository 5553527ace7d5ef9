// The resolvers that need no registry: "dns" (host:port, all its addresses), "ipv4", "ipv6", "unix" and
// "in-process".
//
// Thread rule: as for every Resolver.
#pragma once

namespace minigrpc::rpc {

class RuntimeImpl;
void add_builtin_resolvers(RuntimeImpl& runtime);

}  // namespace minigrpc::rpc
