// One GET over plain HTTP/1.1, for the pages that a registry has beside its API.
//
// Thread rule: any thread; it blocks.
#pragma once

#include <minigrpc/result.h>

#include <chrono>
#include <string>

namespace minigrpc::cli {

// The body of http://ADDRESS/PATH, where ADDRESS is host:port; UNAVAILABLE for what fails, or any status but
// 200.
Result<std::string> http_get(const std::string& address, const std::string& path,
                             std::chrono::milliseconds timeout);

}  // namespace minigrpc::cli
