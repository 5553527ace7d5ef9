// grpc++'s asynchronous client, with a completion queue and one thread: GetProdStock, again and again, on one
// channel.
//
//   grpcpp_async_client TARGET IN_FLIGHT SECONDS     keeps that many calls in flight; says what they cost
//   (tally.h)
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <deque>
#include <optional>

#include "Prod.grpc.pb.h"
#include "tally.h"

namespace {

struct Load {
  std::unique_ptr<ProdService::Stub> stub;
  bench::Tally tally;
  grpc::CompletionQueue queue{};
  std::atomic<bool> stopping{false};
};

// One call at a time; its address is the tag.
class Caller {
 public:
  explicit Caller(Load& load) : load_(load) {}
  void call() {
    id_ = id_ % 1000 + 1;
    request_.set_prod_id(id_);
    context_.emplace();
    begin_ = load_.tally.begin();
    reader_ = load_.stub->AsyncGetProdStock(&*context_, request_, &load_.queue);
    reader_->Finish(&response_, &status_, this);
  }
  void ended() { load_.tally.end(begin_, status_.ok() && response_.prod_stock() == id_ * 20); }

 private:
  Load& load_;
  std::int32_t id_ = 0;
  ProdRequest request_;
  ProdResponse response_;
  grpc::Status status_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<ProdResponse>> reader_;
  bench::Clock::time_point begin_;
};

void take_answers(Load& load, unsigned in_flight) {
  void* tag = nullptr;
  bool ok = false;
  while (in_flight > 0 && load.queue.Next(&tag, &ok)) {
    auto* caller = static_cast<Caller*>(tag);
    caller->ended();
    if (load.stopping)
      --in_flight;
    else
      caller->call();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto in_flight = static_cast<unsigned>(std::atoi(argv[2]));
  Load load{.stub = ProdService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials())),
            .tally = bench::Tally(in_flight)};
  std::deque<Caller> callers;
  for (unsigned i = 0; i < in_flight; ++i) callers.emplace_back(load).call();
  std::thread taking([&load, in_flight] { take_answers(load, in_flight); });
  load.tally.measure(std::atof(argv[3]));
  load.stopping = true;
  taking.join();
  return load.tally.report();
}
