#include "rpc/call_credentials.h"

namespace minigrpc::rpc {

std::string service_url(std::string_view authority, std::string_view method) {
  if (authority.ends_with(":443")) authority.remove_suffix(4);
  return "https://" + std::string(authority) + std::string(method.substr(0, method.rfind('/')));
}

Task<Result<Metadata>> ask_all(CallCredentials credentials, CallCredentialsRequest request) {
  Metadata all;
  for (const auto& plugin : credentials.plugins()) {
    const Result<Metadata> answer = co_await (*plugin)(request);
    if (!answer) co_return answer.error();
    for (const Metadata::Entry& entry : *answer) all.add(entry.name, entry.value);
  }
  co_return all;
}

}  // namespace minigrpc::rpc
