// minigrpc's client of the streams of bulk.proto, on one event loop and one channel.
//
//   minigrpc_streams_client TARGET download|upload SIZE STREAMS SECONDS
//
// Keeps STREAMS streams busy with messages of SIZE bytes; says what the messages cost (tally.h calls them
// calls).
#include <minigrpc/channel.h>
#include <minigrpc/runtime.h>

#include <cstdlib>

#include "bulk.minigrpc.h"
#include "pieces.h"
#include "tally.h"

namespace {

using namespace minigrpc;
using bench::Piece;

struct Load {
  bench::Bulk::Client client;
  std::uint32_t size;
  bench::Tally tally;
  std::atomic<bool> stopping{false};
  std::atomic<unsigned> failed{0};
};

Task<void> download(Load* load) {
  bench::Order order;
  order.set_size(load->size);
  ClientReader<Piece> reader = load->client.Download(order);
  for (std::uint64_t number = 0; !load->stopping; ++number) {
    auto reading = reader.read();
    const std::optional<Piece> piece = co_await reading;
    if (!piece) {
      ++load->failed;
      co_return;
    }
    load->tally.end({}, bench::is_right(*piece, number, load->size));
  }
}

Task<void> upload(Load* load) {
  auto writer = load->client.Upload();
  Piece piece = bench::make_piece(load->size);
  std::uint64_t count = 0;
  for (; !load->stopping; ++count) {
    bench::set_number(piece, count);
    auto writing = writer.write(piece);
    if (!co_await writing) break;
    load->tally.end({}, true);
  }
  Task<Result<bench::Receipt>> finishing = writer.finish();
  const Result<bench::Receipt> receipt = co_await finishing;
  if (!receipt || !receipt->right() || receipt->count() != count) ++load->failed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const bool downloads = std::string_view(argv[2]) == "download";
  Runtime runtime({.loops = 1});
  const Channel channel(runtime, argv[1]);
  Load load{.client = bench::Bulk::Client(channel),
            .size = static_cast<std::uint32_t>(std::atoi(argv[3])),
            .tally = bench::Tally()};
  TaskScope scope(runtime);
  for (int i = 0; i < std::atoi(argv[4]); ++i) scope.spawn(downloads ? download(&load) : upload(&load));
  load.tally.measure(std::atof(argv[5]));
  load.stopping = true;
  sync_wait(scope.join());
  return load.tally.report() != 0 || load.failed != 0 ? 1 : 0;
}
