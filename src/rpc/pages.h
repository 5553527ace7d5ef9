// Pages: those that Server::add_page() was given, served to whoever comes with HTTP/1.1.
//
// Thread rule: add() before the server listens; the rest on any loop.
#pragma once

#include <minigrpc/page.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/other_protocol.h"

namespace minigrpc::rpc {

class Pages final : public OtherProtocol {
 public:
  using Make = std::function<Page()>;

  void add(std::string path, Make make) { pages_[std::move(path)] = std::move(make); }
  // Null: there is none. `path` is without a query.
  const Make* find(std::string_view path) const;

  void take_over(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport,
                 std::string received) override;

 private:
  std::map<std::string, Make, std::less<>> pages_;
};

}  // namespace minigrpc::rpc
