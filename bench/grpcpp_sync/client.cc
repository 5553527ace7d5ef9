// grpc++'s synchronous client: GetProdStock, again and again, on one channel, with a thread for each call in
// flight.
//
//   grpcpp_sync_client TARGET IN_FLIGHT SECONDS     keeps that many calls in flight; says what they cost
//   (tally.h)
#include <grpcpp/grpcpp.h>

#include <cstdlib>

#include "Prod.grpc.pb.h"
#include "tally.h"

namespace {

struct Load {
  std::unique_ptr<ProdService::Stub> stub;
  bench::Tally tally;
  std::atomic<bool> stopping{false};
};

void call_again_and_again(Load& load) {
  ProdRequest request;
  ProdResponse response;
  std::int32_t id = 0;
  while (!load.stopping) {
    id = id % 1000 + 1;
    request.set_prod_id(id);
    grpc::ClientContext context;
    const auto begin = load.tally.begin();
    const grpc::Status status = load.stub->GetProdStock(&context, request, &response);
    load.tally.end(begin, status.ok() && response.prod_stock() == id * 20);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto in_flight = static_cast<unsigned>(std::atoi(argv[2]));
  Load load{.stub = ProdService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials())),
            .tally = bench::Tally(in_flight)};
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < in_flight; ++i) threads.emplace_back([&load] { call_again_and_again(load); });
  load.tally.measure(std::atof(argv[3]));
  load.stopping = true;
  threads.clear();
  return load.tally.report();
}
