// Attempt: what a channel places on a connection: a call, or one of the attempts of a hedged call.
//
//   channel: start(attempt) ─▶ attach(connection) or refuse(status)
//   connection, once it has a stream: on_headers() … on_closed() or on_connection_lost()
//
// Thread rule: the channel's loop.
#pragma once

#include <minigrpc/status.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/header_view.h"
#include "base/limits.h"
#include "h2/connection.h"

namespace minigrpc::rpc {

class ClientCallCore;
class ClientConnection;

// What may have become of a request whose stream ended without an answer.
enum class Reach : std::uint8_t {
  kUnsent,   // it never left this side
  kRefused,  // the server says that it has not looked at it: REFUSED_STREAM, or beyond its GOAWAY's last
             // stream
  kPerhapsSeen,
};

// How often a call is sent again though no policy says so, since nobody has seen it (gRPC A6, "transparent
// retries").
class TransparentRetries {
 public:
  // Whether it may be now; then that counts.
  bool take(Reach reach) {
    int* const left = reach == Reach::kUnsent    ? &unsent_left_
                      : reach == Reach::kRefused ? &refused_left_
                                                 : nullptr;
    if (left == nullptr || *left == 0) return false;
    --*left;
    return true;
  }

 private:
  int unsent_left_ = limits::kUnsentRetriesMax;
  int refused_left_ = limits::kRefusedRetriesMax;
};

// Who is told of the events of a client's stream.
class StreamUser {
 public:
  // The user of `stream`, or null.
  static StreamUser* of(const h2::Stream& stream) { return static_cast<StreamUser*>(stream.user); }

  virtual void on_headers(std::span<const HeaderView> fields, bool end_stream) = 0;
  virtual void on_data(std::span<const std::byte> bytes, bool end_stream) = 0;
  virtual void on_writable() = 0;
  // The stream is over.
  virtual void on_closed(std::uint32_t error_code, Reach reach) = 0;
  virtual void on_connection_lost(const Status& why, Reach reach) = 0;

 protected:
  ~StreamUser() = default;
};

class Attempt : public StreamUser {
 public:
  virtual ClientCallCore& call() = 0;
  // Sends it there.
  virtual void attach(ClientConnection& connection) = 0;
  // It cannot be placed; `final`: nor could any other attempt.
  virtual void refuse(Status why, bool final) = 0;

 protected:
  ~Attempt() = default;
};

}  // namespace minigrpc::rpc
