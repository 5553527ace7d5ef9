// handshake(): secures a connected socket by TLS, with HTTP/2 agreed on.
//
// Thread rule: the loop's.
#pragma once

#include <functional>
#include <memory>

#include "net/loop.h"
#include "net/transport.h"

namespace minigrpc::net {

// Calls `done` once on the loop, in a later turn: with the transport, or with UNAVAILABLE and the reason (bad files of
// ours included), also at `deadline`. A client's peer has chosen HTTP/2; a server's, too, unless `options.http11`. The
// returned function cancels: `done` is then not called (unless it has been).
using HandshakeDone = std::function<void(Result<Transport>)>;
std::function<void()> handshake(Loop& loop, Socket socket, std::shared_ptr<TlsContext> context,
                                TlsSession::Options options, TimePoint deadline, HandshakeDone done);

}  // namespace minigrpc::net
