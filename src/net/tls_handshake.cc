#include "net/tls_handshake.h"

#include <boost/asio/steady_timer.hpp>

#include "base/limits.h"

namespace minigrpc::net {

namespace {

// One handshake. Keeps itself alive through its pending wait; the timer's handler only looks at it while it lives.
class Handshake : public std::enable_shared_from_this<Handshake>, private Timer {
 public:
  Handshake(Loop& loop, std::shared_ptr<TlsContext> context, bool http11, HandshakeDone done)
      : loop_(loop), context_(std::move(context)), http11_(http11), done_(std::move(done)) {}
  ~Handshake() override { loop_.disarm(*this); }

  void start(Socket socket, TlsSession::Options options, TimePoint deadline) {
    peer_ = socket.peer();
    Result<std::unique_ptr<TlsSession>> session = TlsSession::make(*context_, socket.descriptor(), std::move(options));
    if (!session) {
      early_failure_ = Status(StatusCode::kUnavailable, session.error().message());
      return loop_.post([self = shared_from_this()] { self->finish(std::move(self->early_failure_)); });
    }
    transport_.emplace(std::move(socket), *std::move(session));
    loop_.arm(*this, deadline);
    loop_.post([self = shared_from_this()] { self->go_on(); });
  }

  void cancel() {
    done_ = nullptr;
    close();
  }

 private:
  void on_timer() noexcept override {
    const auto keep = shared_from_this();
    if (lingering_) return close();
    fail("it took too long" + std::string(context_->is_server() ? "" : ": is the server speaking TLS?"));
    close();
  }

  void go_on() {
    if (!transport_ || lingering_) return;
    const auto again = [self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->go_on();
    };
    switch (transport_->tls()->handshake()) {
      case TlsSession::Step::kWantRead:
        return transport_->wait_readable(again);
      case TlsSession::Step::kWantWrite:
        return transport_->wait_writable(again);
      case TlsSession::Step::kFailed:
        fail(transport_->tls()->failure());
        return linger();
      case TlsSession::Step::kDone:
        break;
    }
    if (transport_->tls()->protocol() == TlsSession::Protocol::kNone && !http11_) {
      fail(std::string("the ") + (context_->is_server() ? "client" : "server") + " did not agree on HTTP/2 (ALPN 'h2')");
      return close();
    }
    loop_.disarm(*this);
    Transport done = *std::move(transport_);
    transport_.reset();
    finish(std::move(done));
  }

  void fail(const std::string& reason) {
    finish(Status(StatusCode::kUnavailable, "TLS handshake with " + peer_ + " failed: " + reason));
  }

  void finish(Result<Transport> result) {
    if (HandshakeDone done = std::exchange(done_, nullptr)) done(std::move(result));
  }

  // The alert that says why must not be lost in a reset, which closing with unread bytes would send.
  void linger() {
    if (!transport_) return;
    if (!lingering_) {
      lingering_ = true;
      transport_->shutdown_send();
      loop_.arm(*this, Loop::now() + limits::kLingerMax);
    }
    if (transport_->discard(loop_.receive_buffer()).state == Transport::IoState::kClosed) return close();
    transport_->wait_readable([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->linger();
    });
  }

  void close() {
    loop_.disarm(*this);
    if (transport_) transport_->close();
    transport_.reset();
  }

  Loop& loop_;
  const std::shared_ptr<TlsContext> context_;
  const bool http11_;
  HandshakeDone done_;
  std::string peer_;
  std::optional<Transport> transport_;
  Status early_failure_;
  bool lingering_ = false;
};

}  // namespace

std::function<void()> handshake(Loop& loop, Socket socket, std::shared_ptr<TlsContext> context,
                                TlsSession::Options options, TimePoint deadline, HandshakeDone done) {
  auto running = std::make_shared<Handshake>(loop, std::move(context), options.http11, std::move(done));
  running->start(std::move(socket), std::move(options), deadline);
  return [weak = std::weak_ptr(running)] {
    if (auto alive = weak.lock()) alive->cancel();
  };
}

}  // namespace minigrpc::net
