// grpc++'s callback client: GetProdStock, again and again, on one channel.
//
//   grpcpp_callback_client TARGET IN_FLIGHT SECONDS     keeps that many calls in flight; says what they cost
//   (tally.h)
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <deque>
#include <latch>
#include <optional>

#include "Prod.grpc.pb.h"
#include "tally.h"

namespace {

struct Load {
  std::unique_ptr<ProdService::Stub> stub;
  bench::Tally tally;
  std::latch ended;
  std::atomic<bool> stopping{false};
};

// One call at a time; the next begins in the callback of the last.
class Caller {
 public:
  explicit Caller(Load& load) : load_(load) {}
  void call() {
    id_ = id_ % 1000 + 1;
    request_.set_prod_id(id_);
    context_.emplace();
    begin_ = load_.tally.begin();
    load_.stub->async()->GetProdStock(&*context_, &request_, &response_, [this](grpc::Status status) {
      load_.tally.end(begin_, status.ok() && response_.prod_stock() == id_ * 20);
      if (load_.stopping)
        load_.ended.count_down();
      else
        call();
    });
  }

 private:
  Load& load_;
  std::int32_t id_ = 0;
  ProdRequest request_;
  ProdResponse response_;
  std::optional<grpc::ClientContext> context_;
  bench::Clock::time_point begin_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto in_flight = static_cast<unsigned>(std::atoi(argv[2]));
  Load load{.stub = ProdService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials())),
            .tally = bench::Tally(in_flight),
            .ended = std::latch(in_flight)};
  std::deque<Caller> callers;
  for (unsigned i = 0; i < in_flight; ++i) callers.emplace_back(load).call();
  load.tally.measure(std::atof(argv[3]));
  load.stopping = true;
  load.ended.wait();
  return load.tally.report();
}
