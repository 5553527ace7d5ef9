// What etcd serves by HTTP beside its gateway: /version, /health, /livez, /readyz, /metrics and /debug/vars.
//
// Thread rule: any loop.
#pragma once

#include <minigrpc/page.h>
#include <minigrpc/task.h>

#include <optional>
#include <string>
#include <string_view>

#include "registry/member.h"

namespace minigrpc::registry {

// nullopt: there is no such page. `member` is borrowed until the awaited result.
Task<std::optional<Page>> make_page(Member& member, std::string path, std::string query);

}  // namespace minigrpc::registry
