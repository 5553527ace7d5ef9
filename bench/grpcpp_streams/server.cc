// grpc++'s callback service: the streams of bulk.proto as its users write them.
//
//   grpcpp_streams [PORT]     serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until
//   killed
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <string>

#include "bulk.grpc.pb.h"
#include "pieces.h"

namespace {

using bench::Piece;

class Download final : public grpc::ServerWriteReactor<Piece> {
 public:
  explicit Download(const bench::Order& order) : piece_(bench::make_piece(order.size())) {
    StartWrite(&piece_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    bench::set_number(piece_, ++number_);
    StartWrite(&piece_);
  }
  void OnDone() override { delete this; }

 private:
  Piece piece_;
  std::uint64_t number_ = 0;
};

class Upload final : public grpc::ServerReadReactor<Piece> {
 public:
  explicit Upload(bench::Receipt* receipt) : receipt_(receipt) {
    receipt_->set_right(true);
    StartRead(&piece_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    if (!bench::is_right(piece_, receipt_->count())) receipt_->set_right(false);
    receipt_->set_count(receipt_->count() + 1);
    StartRead(&piece_);
  }
  void OnDone() override { delete this; }

 private:
  Piece piece_;
  bench::Receipt* receipt_;
};

class Echo final : public grpc::ServerBidiReactor<Piece, Piece> {
 public:
  Echo() { StartRead(&piece_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartWrite(&piece_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&piece_);
  }
  void OnDone() override { delete this; }

 private:
  Piece piece_;
};

class Bulk final : public bench::Bulk::CallbackService {
  grpc::ServerWriteReactor<Piece>* Download(grpc::CallbackServerContext*,
                                            const bench::Order* order) override {
    return new class Download(*order);
  }
  grpc::ServerReadReactor<Piece>* Upload(grpc::CallbackServerContext*, bench::Receipt* receipt) override {
    return new class Upload(receipt);
  }
  grpc::ServerBidiReactor<Piece, Piece>* Echo(grpc::CallbackServerContext*) override {
    return new class Echo;
  }
};

}  // namespace

int main(int argc, char** argv) {
  Bulk bulk;
  int port = 0;
  grpc::ServerBuilder builder;
  // As many as minigrpc takes on one connection; grpc++ itself has no bound.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000);
  const std::string address = std::string("127.0.0.1:") + (argc > 1 ? argv[1] : "0");
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&bulk);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  server->Wait();
}
