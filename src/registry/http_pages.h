// What etcd serves by HTTP beside its gateway: /version, /health, /livez, /readyz, /metrics and /debug/vars.
//
// Thread rule: any loop.
#pragma once

#include <minigrpc/task.h>

#include <optional>
#include <string>
#include <string_view>

#include "registry/member.h"

namespace minigrpc::registry {

struct HttpPage {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
};

// nullopt: there is no such page. `member` is borrowed until the awaited result.
Task<std::optional<HttpPage>> make_page(Member& member, std::string path, std::string query);

}  // namespace minigrpc::registry
