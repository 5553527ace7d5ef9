// etcd's --config-file: YAML whose keys are the names of flags; those of TLS stand under client-transport-security.
//
//   name: shop
//   listen-client-urls: http://localhost:2379,unix:///run/shop.sock
//   client-transport-security:
//     cert-file: /etc/shop/cert.pem
//
// Thread rule: free functions.
#pragma once

#include <minigrpc/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace minigrpcd {

// What a file says of one flag.
struct Setting {
  std::string name;
  std::string value;
};

// In the order of the file. INVALID_ARGUMENT that says where it is no such YAML.
minigrpc::Result<std::vector<Setting>> parse_config(const std::string& yaml);
// Of a file; `path` is named in errors.
minigrpc::Result<std::vector<Setting>> read_config(const std::string& path);

}  // namespace minigrpcd
