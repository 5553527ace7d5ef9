#include "rpc/hedging.h"

#include <algorithm>

#include "base/limits.h"
#include "rpc/channel_impl.h"
#include "rpc/client_call.h"
#include "rpc/client_connection.h"
#include "wire/status_trailers.h"

namespace minigrpc::rpc {

// One of the attempts.
class Hedging::One final : public Attempt {
 public:
  One(Hedging& hedging, int number) : hedging_(hedging), number_(number) {}
  ~One() {
    hedging_.call_.channel().forget(*this);
    if (stream_ == nullptr) return;
    stream_->user = nullptr;
    connection_->h2().reset(*stream_, h2::ErrorCode::kCancel);
    connection_->touch();
  }

  h2::Stream* release_stream() { return std::exchange(stream_, nullptr); }
  ClientConnection& connection() const { return *connection_; }

  ClientCallCore& call() override { return hedging_.call_; }
  void attach(ClientConnection& connection) override {
    stream_ = hedging_.call_.open_stream(connection, *this, number_);
    if (stream_ == nullptr) return hedging_.call_.channel().start(*this);
    connection_ = &connection;
    hedging_.call_.send_copies(connection, *stream_);
  }
  void refuse(Status why, bool) override { hedging_.lost(*this, std::move(why), {}); }

  void on_headers(std::span<const HeaderView> fields, bool end_stream) override {
    if (http_status_of(fields) / 100 == 1) return;
    if (!end_stream) return hedging_.won(*this, fields, end_stream);
    Status status = wire::status_from_trailers(fields, http_status_of(fields));
    if (status.ok() || !hedging_.policy_.non_fatal.contains(status.code())) return hedging_.won(*this, fields, end_stream);
    tally(connection_->tally(), status.code(), fields);
    hedging_.lost(*this, std::move(status), pushback_of(fields));
  }
  void on_data(std::span<const std::byte>, bool) override {
    hedging_.lost(*this, Status(StatusCode::kInternal, "the server sent data before its headers"), {});
  }
  void on_writable() override {}
  void on_closed(std::uint32_t error_code, Reach reach) override {
    stream_ = nullptr;
    if (again(reach)) return;
    connection_->tally().add(StatusCode::kUnavailable);
    hedging_.lost(*this, hedging_.call_.status_of_reset(error_code), {});
  }
  void on_connection_lost(const Status& why, Reach reach) override {
    stream_ = nullptr;
    if (again(reach)) return;
    connection_->tally().add(StatusCode::kUnavailable);
    hedging_.lost(*this, why, {});
  }

 private:
  bool again(Reach reach) {
    if (hedging_.call_.channel().is_shut_down() || !transparent_retries_.take(reach)) return false;
    hedging_.call_.channel().start(*this);
    return true;
  }

  Hedging& hedging_;
  const int number_;
  TransparentRetries transparent_retries_;
  ClientConnection* connection_ = nullptr;
  h2::Stream* stream_ = nullptr;
};

Hedging::Hedging(ClientCallCore& call, const HedgingPolicy& policy) : call_(call), policy_(policy) {}

Hedging::~Hedging() { call_.loop().disarm(timer_); }

bool Hedging::may_send() const {
  if (sent_ == 0) return true;
  const std::optional<RetryThrottle>& throttle = call_.channel().throttle();
  return !stopped_ && sent_ < policy_.attempts_max && (!throttle || throttle->allows());
}

void Hedging::arm(std::chrono::nanoseconds pause) {
  call_.loop().arm(timer_, net::Loop::now() + std::chrono::duration_cast<TimePoint::duration>(pause));
}

void Hedging::send_next() {
  if (!may_send()) {
    if (attempts_.empty()) call_.end(std::move(last_failure_));
    return;
  }
  attempts_.push_back(std::make_unique<One>(*this, sent_++));
  // First: starting may end the call, and *this with it.
  if (sent_ < policy_.attempts_max) arm(policy_.delay);
  call_.channel().start(*attempts_.back());
}

void Hedging::won(One& one, std::span<const HeaderView> fields, bool end_stream) {
  ClientCallCore& call = call_;
  call.adopt(one.connection(), *one.release_stream());  // ends *this
  call.on_headers(fields, end_stream);
}

void Hedging::lost(One& one, Status status, Pushback pushback) {
  ClientCallCore& call = call_;
  const auto place = std::find_if(attempts_.begin(), attempts_.end(), [&](const auto& each) { return each.get() == &one; });
  attempts_.erase(place);
  if (!policy_.non_fatal.contains(status.code())) return call.end(std::move(status));
  if (auto& throttle = call.channel().throttle()) throttle->failed();
  if (pushback.never) stopped_ = true;
  last_failure_ = std::move(status);
  if (pushback.pause && may_send()) return arm(*pushback.pause);
  call.loop().disarm(timer_);
  send_next();
}

}  // namespace minigrpc::rpc
