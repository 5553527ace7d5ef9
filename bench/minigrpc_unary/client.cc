// minigrpc's client: GetProdStock, again and again, on one event loop and one channel.
//
//   minigrpc_unary_client TARGET IN_FLIGHT SECONDS     keeps that many calls in flight; says what they cost
//   (tally.h)
#include <minigrpc/channel.h>
#include <minigrpc/runtime.h>

#include <cstdlib>

#include "Prod.minigrpc.h"
#include "tally.h"

namespace {

using namespace minigrpc;

struct Load {
  ProdService::Client client;
  bench::Tally tally;
  std::atomic<bool> stopping{false};
};

Task<void> call_again_and_again(Load* load) {
  ProdRequest request;
  std::int32_t id = 0;
  while (!load->stopping) {
    id = id % 1000 + 1;
    request.set_prod_id(id);
    const auto begin = load->tally.begin();
    Task<Result<ProdResponse>> calling = load->client.GetProdStock(request);
    const Result<ProdResponse> answer = co_await calling;
    load->tally.end(begin, answer && answer->prod_stock() == id * 20);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto in_flight = static_cast<unsigned>(std::atoi(argv[2]));
  Runtime runtime({.loops = 1});
  const Channel channel(runtime, argv[1]);
  Load load{.client = ProdService::Client(channel), .tally = bench::Tally(in_flight)};
  TaskScope scope(runtime);
  for (unsigned i = 0; i < in_flight; ++i) scope.spawn(call_again_and_again(&load));
  load.tally.measure(std::atof(argv[3]));
  load.stopping = true;
  sync_wait(scope.join());
  return load.tally.report();
}
