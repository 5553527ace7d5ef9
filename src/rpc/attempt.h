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
#include "h2/connection.h"

namespace minigrpc::rpc {

class ClientCallCore;
class ClientConnection;

// Who is told of the events of a client's stream.
class StreamUser {
 public:
  // The user of `stream`, or null.
  static StreamUser* of(const h2::Stream& stream) { return static_cast<StreamUser*>(stream.user); }

  virtual void on_headers(std::span<const HeaderView> fields, bool end_stream) = 0;
  virtual void on_data(std::span<const std::byte> bytes, bool end_stream) = 0;
  virtual void on_writable() = 0;
  // The stream is over; `unseen`: no server can have processed it.
  virtual void on_closed(std::uint32_t error_code, bool unseen) = 0;
  virtual void on_connection_lost(const Status& why, bool unseen) = 0;

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
