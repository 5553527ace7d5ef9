// minigrpc: the streams of bulk.proto as its users write them, on one event loop.
//
//   minigrpc_streams [PORT]     serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs
//   until SIGTERM
#include <minigrpc/runtime.h>
#include <minigrpc/server.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "bulk.minigrpc.h"
#include "pieces.h"

namespace {

using namespace minigrpc;
using bench::Piece;

class Bulk final : public bench::Bulk::Handler {
 public:
  Task<Status> Download(ServerContext&, bench::Order order, ServerWriter<Piece>& writer) override {
    Piece piece = bench::make_piece(order.size());
    for (std::uint64_t number = 0;; ++number) {
      bench::set_number(piece, number);
      auto writing = writer.write(piece);
      if (!co_await writing) co_return Status();
    }
  }

  Task<Result<bench::Receipt>> Upload(ServerContext&, ServerReader<Piece>& reader) override {
    bench::Receipt receipt;
    receipt.set_right(true);
    while (true) {
      auto reading = reader.read();
      const std::optional<Piece> piece = co_await reading;
      if (!piece) break;
      if (!bench::is_right(*piece, receipt.count())) receipt.set_right(false);
      receipt.set_count(receipt.count() + 1);
    }
    co_return receipt;
  }

  Task<Status> Echo(ServerContext&, ServerStream<Piece, Piece>& stream) override {
    while (true) {
      auto reading = stream.read();
      const std::optional<Piece> piece = co_await reading;
      if (!piece) co_return Status();
      auto writing = stream.write(*piece);
      if (!co_await writing) co_return Status();
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  Runtime runtime({.loops = 1});
  Bulk bulk;
  Server server(runtime);
  server.add(bulk);
  const Result<std::uint16_t> port = server.listen(std::string("127.0.0.1:") + (argc > 1 ? argv[1] : "0"));
  if (!port) {
    std::fprintf(stderr, "%s\n", port.error().to_string().c_str());
    return 1;
  }
  std::printf("listening %u\n", *port);
  std::fflush(stdout);
  sync_wait(runtime.wait_for_signal({SIGINT, SIGTERM}));
}
