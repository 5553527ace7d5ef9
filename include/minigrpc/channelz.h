// Channelz: gRPC's channelz service (grpc.channelz.v1, gRPC A14), by which grpcdebug and other tools see what
// a program has of channels, servers and connections: states, calls, addresses, certificates, the latest
// events.
//
//   Channelz channelz(runtime);
//   server.add(channelz.service());
//
// It tells of all that was made with that runtime, the server itself included. That is not for everybody:
// offer it on a port that only operators reach ("127.0.0.1:…", or a Unix socket). What it tells is counted in
// any case.
//
// Thread rule: any thread, but construction and destruction. Must outlive the server it was added to.
#pragma once

#include <minigrpc/server.h>

#include <memory>

namespace minigrpc {

namespace services {
class ChannelzService;
}

class Channelz {
 public:
  // `runtime` is borrowed for the life of this.
  explicit Channelz(Runtime& runtime);
  ~Channelz();
  Channelz(const Channelz&) = delete;
  Channelz& operator=(const Channelz&) = delete;

  // Borrowed for the life of this.
  Service& service();

 private:
  std::unique_ptr<services::ChannelzService> impl_;
};

}  // namespace minigrpc
