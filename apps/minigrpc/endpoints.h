// Which endpoints a verb asks that speaks to each of them.
//
// Thread rule: the main thread.
#pragma once

#include <minigrpc/result.h>

#include <string>
#include <vector>

namespace minigrpc::cli {

class Invocation;

// As the user wrote them, or, with `cluster`, as the members announce them.
Result<std::vector<std::string>> wanted_endpoints(Invocation& invocation, bool cluster);

}  // namespace minigrpc::cli
