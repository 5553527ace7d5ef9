// grpc++'s callback client of the streams of bulk.proto, on one channel.
//
//   grpcpp_streams_client TARGET download|upload SIZE STREAMS SECONDS
//
// Keeps STREAMS streams busy with messages of SIZE bytes; says what the messages cost (tally.h calls them
// calls).
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <deque>
#include <latch>

#include "bulk.grpc.pb.h"
#include "pieces.h"
#include "tally.h"

namespace {

using bench::Piece;

struct Load {
  std::unique_ptr<bench::Bulk::Stub> stub;
  std::uint32_t size;
  std::latch ended;
  bench::Tally tally;
  std::atomic<bool> stopping{false};
  std::atomic<unsigned> failed{0};
};

class Download final : public grpc::ClientReadReactor<Piece> {
 public:
  explicit Download(Load& load) : load_(load) {
    order_.set_size(load_.size);
    load_.stub->async()->Download(&context_, &order_, this);
    StartRead(&piece_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    load_.tally.end({}, bench::is_right(piece_, number_++, load_.size));
    // What comes after it is not read: OnDone() follows.
    if (load_.stopping) return context_.TryCancel();
    StartRead(&piece_);
  }
  void OnDone(const grpc::Status&) override {
    if (!load_.stopping) ++load_.failed;
    load_.ended.count_down();
  }

 private:
  Load& load_;
  grpc::ClientContext context_;
  bench::Order order_;
  Piece piece_;
  std::uint64_t number_ = 0;
};

class Upload final : public grpc::ClientWriteReactor<Piece> {
 public:
  explicit Upload(Load& load) : load_(load), piece_(bench::make_piece(load.size)) {
    load_.stub->async()->Upload(&context_, &receipt_, this);
    StartWrite(&piece_);
    StartCall();
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return;
    load_.tally.end({}, true);
    bench::set_number(piece_, ++number_);
    if (load_.stopping)
      StartWritesDone();
    else
      StartWrite(&piece_);
  }
  void OnDone(const grpc::Status& status) override {
    if (!status.ok() || !receipt_.right() || receipt_.count() != number_) ++load_.failed;
    load_.ended.count_down();
  }

 private:
  Load& load_;
  grpc::ClientContext context_;
  Piece piece_;
  bench::Receipt receipt_;
  std::uint64_t number_ = 0;
};

template <class Stream>
void run(Load& load, int streams, double seconds) {
  std::deque<Stream> running;
  for (int i = 0; i < streams; ++i) running.emplace_back(load);
  load.tally.measure(seconds);
  load.stopping = true;
  load.ended.wait();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int streams = std::atoi(argv[4]);
  Load load{.stub = bench::Bulk::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials())),
            .size = static_cast<std::uint32_t>(std::atoi(argv[3])),
            .ended = std::latch(streams),
            .tally = bench::Tally()};
  if (std::string_view(argv[2]) == "download")
    run<Download>(load, streams, std::atof(argv[5]));
  else
    run<Upload>(load, streams, std::atof(argv[5]));
  return load.tally.report() != 0 || load.failed != 0 ? 1 : 0;
}
