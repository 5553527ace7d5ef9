#include "rpc/pages.h"

#include <utility>

#include "base/limits.h"
#include "rpc/http1_connection.h"

namespace minigrpc::rpc {

namespace {

// Of a request whose body nobody reads.
constexpr std::uint64_t kBodySizeMax = std::uint64_t{64} << 10;

class PageConnection final : public Http1Connection {
 public:
  // `pages` is borrowed: the server that owns it is kept by the connection.
  PageConnection(const Pages& pages, std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share,
                 net::Transport transport, std::string received)
      : Http1Connection(std::move(server), share, std::move(transport), std::move(received),
                        {.header_size_max = limits::kHeaderListSizeMax, .body_size_max = kBodySizeMax}),
        pages_(pages) {}

 private:
  Task<Outcome> respond(Request request) override {
    Task<Outcome> sending = respond_page(request, page_for(request));
    const Outcome outcome = co_await sending;
    co_return outcome;
  }

  Page page_for(const Request& request) const {
    const Pages::Make* make = pages_.find(request.path());
    if (make == nullptr) return {.status = 404, .body = "there is no such page\n"};
    if (request.method != "GET" && request.method != "HEAD") return {.status = 405, .body = "pages are for GET\n"};
    try {
      return (*make)();
    } catch (...) {
      // As with a call, what was thrown is not the client's to know.
      return {.status = 500, .body = "the page could not be made\n"};
    }
  }

  const Pages& pages_;
};

}  // namespace

const Pages::Make* Pages::find(std::string_view path) const {
  const auto found = pages_.find(path);
  return found != pages_.end() ? &found->second : nullptr;
}

void Pages::take_over(std::shared_ptr<ServerImpl> server, ServerImpl::LoopShare& share, net::Transport transport,
                      std::string received) {
  std::make_shared<PageConnection>(*this, std::move(server), share, std::move(transport), std::move(received))->start();
}

}  // namespace minigrpc::rpc
