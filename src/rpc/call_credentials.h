// What a call's credentials have to say: their plugins, asked one after the other.
//
// Thread rule: none of their own; the channel's loop in practice.
#pragma once

#include <minigrpc/credentials.h>

#include <string>
#include <string_view>

namespace minigrpc::rpc {

// "https://shop.example/shop.ProdService" for a call to "/shop.ProdService/GetProdStock": the port is left out where it
// is the default one.
std::string service_url(std::string_view authority, std::string_view method);

// The metadata of all plugins, in order; the first failure ends it.
Task<Result<Metadata>> ask_all(CallCredentials credentials, CallCredentialsRequest request);

}  // namespace minigrpc::rpc
