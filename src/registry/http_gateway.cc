#include "registry/http_gateway.h"

#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "registry/http_connection.h"

namespace minigrpc::registry {

namespace {
constexpr std::string_view kName = "gateway-";
constexpr std::string_view kPattern = "XXXXXX";
constexpr std::size_t kSocketNameSize = 2;  // "/s"

bool leaves_room(const std::string& directory) {
  return directory.size() + 1 + kName.size() + kPattern.size() + kSocketNameSize < sizeof(sockaddr_un::sun_path);
}

// Of a process that was killed. The data directory's lock says that it is gone.
void remove_left_over(const std::string& data_dir) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(data_dir, ignored))
    if (entry.path().filename().string().starts_with(kName)) std::filesystem::remove_all(entry.path(), ignored);
}
}  // namespace

void HttpGateway::take_over(std::shared_ptr<rpc::ServerImpl> server, rpc::ServerImpl::LoopShare& share,
                            net::Transport transport, std::string received) {
  std::make_shared<HttpConnection>(member_, loopback_, std::move(server), share, std::move(transport),
                                   std::move(received))
      ->start();
}

Result<std::unique_ptr<LoopbackDirectory>> LoopbackDirectory::make(const std::string& data_dir) {
  std::error_code error;
  const bool beside_data = !data_dir.empty() && leaves_room(data_dir);
  if (beside_data) remove_left_over(data_dir);
  std::string path = beside_data ? data_dir : std::filesystem::temp_directory_path(error).string();
  path.append("/").append(kName).append(kPattern);
  if (error || ::mkdtemp(path.data()) == nullptr)
    return Status(StatusCode::kUnavailable, "creating " + path + ": " + std::generic_category().message(errno));
  return std::unique_ptr<LoopbackDirectory>(new LoopbackDirectory(std::move(path)));
}

LoopbackDirectory::~LoopbackDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace minigrpc::registry
