#include <minigrpc/credentials.h>

#include "net/tls_context.h"

namespace minigrpc {

ServerCredentials ServerCredentials::tls(TlsServerOptions options) {
  ServerCredentials credentials;
  credentials.tls_ = std::make_shared<net::TlsContext>(std::move(options));
  return credentials;
}

ChannelCredentials ChannelCredentials::tls(TlsChannelOptions options) {
  ChannelCredentials credentials;
  credentials.server_name_ = options.server_name;
  credentials.tls_ = std::make_shared<net::TlsContext>(std::move(options));
  return credentials;
}

namespace {
Task<Result<Metadata>> bearer(std::string value) {
  Metadata metadata;
  metadata.add("authorization", value);
  co_return metadata;
}
}  // namespace

CallCredentials CallCredentials::bearer_token(std::string_view token) {
  return plugin([value = "Bearer " + std::string(token)](CallCredentialsRequest) { return bearer(value); });
}

CallCredentials CallCredentials::plugin(Plugin plugin) {
  CallCredentials credentials;
  credentials.plugins_.push_back(std::make_shared<const Plugin>(std::move(plugin)));
  return credentials;
}

CallCredentials CallCredentials::combine(CallCredentials first, CallCredentials second) {
  first.plugins_.insert(first.plugins_.end(), second.plugins_.begin(), second.plugins_.end());
  return first;
}

}  // namespace minigrpc
