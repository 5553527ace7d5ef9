#include <minigrpc/etcd.h>

#include <mutex>
#include <random>

#include "etcd/api/lease.minigrpc.h"
#include "etcd/backoff.h"
#include "etcd/client_impl.h"
#include "etcd/lease_clock.h"
#include "etcd/waiting.h"

namespace minigrpc::etcd {

namespace pb = etcdserverpb;

namespace {

using Stream = ClientStream<pb::LeaseKeepAliveRequest, pb::LeaseKeepAliveResponse>;

constexpr std::chrono::milliseconds kFirstPause{50};

TimePoint now() { return Runtime::now(); }

}  // namespace

// Shared by the keeper and its tasks. The tasks run on the scope's loop; what others read is guarded.
class LeaseKeeper::State {
 public:
  State(std::shared_ptr<ClientImpl> client, const LeaseGrantResponse& lease, LeaseKeeperOptions options)
      : client_(std::move(client)),
        id_(lease.id),
        options_(std::move(options)),
        clock_(lease.ttl_s, now()),
        deadline_(clock_.deadline()) {}

  // Opens streams, one after the other, until the lease is lost.
  static Task<void> run(std::shared_ptr<State> self);
  static Task<Status> lost(std::shared_ptr<State> self);
  void end(Status why);
  // No callback starts after it has returned.
  void stop() {
    end(Status(StatusCode::kCancelled, "the lease is not kept any more"));
    std::lock_guard lock(callback_mutex_);
    options_.on_answer = nullptr;
  }

  LeaseId id() const { return id_; }
  std::chrono::milliseconds remaining() const {
    std::lock_guard lock(mutex_);
    if (!end_.ok()) return std::chrono::milliseconds(0);
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - now()),
                    std::chrono::milliseconds(0));
  }

 private:
  Task<void> run_stream(std::size_t endpoint);
  Task<void> read(Stream& stream, AsyncEvent& ended);
  Task<void> renew(Stream& stream, AsyncEvent& ended);
  void on_answer(const pb::LeaseKeepAliveResponse& response);
  bool over() const {
    std::lock_guard lock(mutex_);
    return !end_.ok();
  }
  // Ends the keeping when the deadline has passed and nobody wants to go on.
  void check_deadline();
  TimePoint no_later_than_deadline(TimePoint time) const;
  Runtime& runtime() const { return client_->runtime(); }

  const std::shared_ptr<ClientImpl> client_;
  const LeaseId id_;
  std::mutex callback_mutex_;
  LeaseKeeperOptions options_;  // on_answer is guarded by it

  // ---- of the tasks ----
  LeaseClock clock_;
  bool answered_ = false;  // the stream at hand has worked

  // ---- guarded ----
  mutable std::mutex mutex_;
  TimePoint deadline_;
  Status end_;  // not OK: it is over
  AsyncEvent ended_;
};

Task<void> LeaseKeeper::State::run(std::shared_ptr<State> self) {
  if (self->client_->endpoint_count() == 0) co_return self->end(no_endpoints());
  std::minstd_rand random(std::random_device{}());
  std::uniform_real_distribution<double> uniform;
  Backoff backoff(kFirstPause, std::max(self->clock_.period(), kFirstPause));
  std::size_t endpoint = self->client_->preferred();
  while (!self->over()) {
    self->answered_ = false;
    Task<void> streaming = self->run_stream(endpoint);
    co_await streaming;
    if (self->answered_) backoff.reset();
    ++endpoint;
    const TimePoint again = now() + backoff.next(uniform(random));
    Task<bool> pausing = self->ended_.wait_until(self->runtime(), self->no_later_than_deadline(again));
    co_await pausing;
    self->check_deadline();
    TaskContext& context = co_await current_context();
    if (context.cancelled()) co_return;
  }
}

Task<void> LeaseKeeper::State::run_stream(std::size_t endpoint) {
  auto preparing = client_->stream_options(endpoint);
  Result<ClientImpl::StreamOptions> options = co_await preparing;
  if (!options) co_return;
  Stream stream = pb::Lease::Client(client_->channel(endpoint)).LeaseKeepAlive(std::move(options->call));
  clock_.on_stream_opened();
  AsyncEvent ended;
  auto both = when_all(read(stream, ended), renew(stream, ended));
  co_await both;
}

Task<void> LeaseKeeper::State::read(Stream& stream, AsyncEvent& ended) {
  while (!over()) {
    auto reading = stream.read();
    std::optional<pb::LeaseKeepAliveResponse> response = co_await reading;
    if (!response) {
      auto finishing = stream.finish();
      const Status status = co_await finishing;
      client_->authenticator().refused(status);
      break;
    }
    on_answer(*response);
  }
  ended.set();
}

// Sends a request each third of the TTL, and cancels a stream that does not answer within that time.
Task<void> LeaseKeeper::State::renew(Stream& stream, AsyncEvent& ended) {
  pb::LeaseKeepAliveRequest request;
  request.set_id(id_);
  while (true) {
    const TimePoint sent = now();
    clock_.on_sent(sent);
    auto writing = stream.write(request);
    if (!co_await writing) break;
    Task<bool> waiting = ended.wait_until(runtime(), no_later_than_deadline(sent + clock_.period()));
    if (co_await waiting) break;
    check_deadline();
    if (over()) break;
    if (clock_.waiting_since() && now() - *clock_.waiting_since() >= clock_.period()) break;
    TaskContext& context = co_await current_context();
    if (context.cancelled()) break;
  }
  stream.cancel();
}

void LeaseKeeper::State::on_answer(const pb::LeaseKeepAliveResponse& response) {
  if (response.id() != id_) return;
  if (response.ttl() <= 0) {
    end(Status(StatusCode::kNotFound, "etcdserver: requested lease not found", {}, StatusOrigin::kPeer));
  } else {
    answered_ = true;
    clock_.on_answer(response.ttl());
    std::lock_guard lock(mutex_);
    deadline_ = clock_.deadline();
  }
  std::lock_guard lock(callback_mutex_);
  if (options_.on_answer) options_.on_answer(from_proto(pb::LeaseKeepAliveResponse(response)));
}

void LeaseKeeper::State::check_deadline() {
  if (options_.overdue == LeaseKeeperOptions::Overdue::kLost && now() >= clock_.deadline())
    end(Status(StatusCode::kAborted, "nobody could renew the lease before it ended"));
}

TimePoint LeaseKeeper::State::no_later_than_deadline(TimePoint time) const {
  return options_.overdue == LeaseKeeperOptions::Overdue::kLost ? std::min(time, clock_.deadline()) : time;
}

void LeaseKeeper::State::end(Status why) {
  std::lock_guard lock(mutex_);
  if (!end_.ok()) return;
  end_ = std::move(why);
  ended_.set();
}

Task<Status> LeaseKeeper::State::lost(std::shared_ptr<State> self) {
  Task<Status> waiting = wait_for(self->runtime(), self->ended_);
  Status waited = co_await waiting;
  if (!waited.ok()) co_return waited;
  std::lock_guard lock(self->mutex_);
  co_return self->end_;
}

LeaseKeeper::LeaseKeeper(const Client& client, LeaseGrantResponse lease, LeaseKeeperOptions options)
    : state_(std::make_shared<State>(client.impl(), lease, std::move(options))), scope_(client.runtime()) {
  scope_.spawn(State::run(state_));
}
LeaseKeeper::~LeaseKeeper() { stop(); }

LeaseId LeaseKeeper::id() const { return state_->id(); }
std::chrono::milliseconds LeaseKeeper::remaining() const { return state_->remaining(); }
Task<Status> LeaseKeeper::lost() { return State::lost(state_); }
void LeaseKeeper::stop() {
  state_->stop();
  scope_.cancel();
}

}  // namespace minigrpc::etcd
