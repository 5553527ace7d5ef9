#include <minigrpc/etcd.h>

#include <deque>
#include <mutex>
#include <random>

#include "base/limits.h"
#include "etcd/api/watch.minigrpc.h"
#include "etcd/backoff.h"
#include "etcd/client_impl.h"
#include "etcd/waiting.h"
#include "etcd/watch_cursor.h"

namespace minigrpc::etcd {

namespace pb = etcdserverpb;

namespace {

using Stream = ClientStream<pb::WatchRequest, pb::WatchResponse>;
using Next = WatchCursor::Next;
using Step = WatchCursor::Step;

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kPauseMax{3000};

// Up to where an update tells all.
std::int64_t covered_revision(const WatchUpdate& update) {
  return update.events.empty() ? update.header.revision : update.events.back().kv.mod_revision;
}

}  // namespace

// Shared by the Watcher and its tasks. The tasks run on the scope's loop, next() anywhere: what both touch is
// guarded.
class Watcher::State {
 public:
  State(std::shared_ptr<ClientImpl> client, WatchOptions options)
      : client_(std::move(client)),
        silence_max_(options.silence_max),
        revision_(options.after ? options.after->revision
                                : std::max<std::int64_t>(options.start_revision - 1, 0)),
        cursor_(std::move(options)) {}

  // Opens streams, one after the other, until the watch is closed or refused.
  static Task<void> run(std::shared_ptr<State> self);
  static Task<Result<WatchUpdate>> next(std::shared_ptr<State> self);
  void request_progress();
  void close();

  std::int64_t revision() const { return revision_.load(std::memory_order_acquire); }
  std::uint64_t resume_count() const { return resume_count_.load(std::memory_order_relaxed); }
  Status health() const {
    std::lock_guard lock(mutex_);
    return health_;
  }

 private:
  Task<Step> run_stream(std::size_t endpoint);
  bool may_be_the_token(const Status& failure, bool token_is_new);
  Task<Step> read(Stream& stream);
  Task<void> guard(Stream& stream);
  std::optional<WatchUpdate> wanted_progress(const pb::WatchResponse& response);
  Task<bool> push(WatchUpdate update);
  void fail(Status status);
  void set_health(Status status) {
    std::lock_guard lock(mutex_);
    health_ = std::move(status);
  }
  Runtime& runtime() const { return client_->runtime(); }

  const std::shared_ptr<ClientImpl> client_;
  const std::chrono::milliseconds silence_max_;
  std::atomic<std::int64_t> revision_;
  std::atomic<std::uint64_t> resume_count_{0};

  // ---- of the tasks ----
  WatchCursor cursor_;
  TimePoint last_heard_{};
  bool reading_paused_ = false;  // the queue is full: the silence is ours
  bool stream_ended_ = false;
  bool progress_asked_ = false;  // on this stream, for its user

  // ---- any thread ----
  std::atomic<bool> progress_wanted_ = false;
  AsyncEvent stirred_;  // the stream has ended, or its user wants to know the progress

  // ---- guarded ----
  mutable std::mutex mutex_;
  std::deque<WatchUpdate> queue_;
  Status health_{StatusCode::kUnavailable, "the watch has not begun"};
  Status failure_;  // not OK: the watch is over
  AsyncEvent available_;
  AsyncEvent room_;
};

Task<void> Watcher::State::run(std::shared_ptr<State> self) {
  TaskContext& context = co_await current_context();
  if (self->client_->endpoint_count() == 0) co_return self->fail(no_endpoints());
  std::minstd_rand random(std::random_device{}());
  std::uniform_real_distribution<double> uniform;
  Backoff backoff(kFirstPause, kPauseMax);
  std::size_t endpoint = self->client_->preferred();
  while (!context.cancelled()) {
    Task<Step> streaming = self->run_stream(endpoint);
    Step ended = co_await streaming;
    self->resume_count_.fetch_add(1, std::memory_order_relaxed);
    if (ended.next == Next::kFail) co_return self->fail(std::move(ended.failure));
    if (ended.next == Next::kReopen) continue;
    if (self->cursor_.confirmed()) backoff.reset();
    self->set_health(std::move(ended.failure));
    ++endpoint;
    Task<bool> pausing = self->runtime().sleep_for(backoff.next(uniform(random)));
    co_await pausing;
  }
}

Task<Step> Watcher::State::run_stream(std::size_t endpoint) {
  auto preparing = client_->stream_options(endpoint);
  Result<ClientImpl::StreamOptions> options = co_await preparing;
  if (!options) co_return WatchCursor::on_stream_ended(std::move(options).error());
  const bool token_is_new = options->token_is_new;
  Stream stream = pb::Watch::Client(client_->channel(endpoint)).Watch(std::move(options->call));
  last_heard_ = Runtime::now();
  auto creating = stream.write(cursor_.create_request());
  co_await creating;  // where it fails, reading tells why
  stream_ended_ = false;
  progress_asked_ = false;
  auto both = when_all(read(stream), guard(stream));
  auto outcome = co_await both;
  Step step = std::move(std::get<0>(outcome));
  if (step.next == Next::kFail && may_be_the_token(step.failure, token_is_new)) step.next = Next::kRetry;
  co_return step;
}

// Whether the watch was refused for a token that has expired. etcd 3.4 says "permission denied" of that as well.
bool Watcher::State::may_be_the_token(const Status& failure, bool token_is_new) {
  Authenticator& authenticator = client_->authenticator();
  if (authenticator.refused(failure)) return true;
  if (failure.code() != StatusCode::kPermissionDenied || client_->options().user.empty() || token_is_new) return false;
  authenticator.forget();
  return true;
}

Task<Step> Watcher::State::read(Stream& stream) {
  Step step;
  while (step.next == Next::kRead) {
    auto reading = stream.read();
    std::optional<pb::WatchResponse> response = co_await reading;
    if (!response) {
      auto finishing = stream.finish();
      Status status = co_await finishing;
      step = WatchCursor::on_stream_ended(std::move(status));
      break;
    }
    last_heard_ = Runtime::now();
    std::optional<WatchUpdate> progress = wanted_progress(*response);
    step = cursor_.on_response(*std::move(response));
    if (progress && !step.update) step.update = std::move(progress);
    if (cursor_.confirmed()) set_health(Status());
    if (cursor_.confirmed() && progress_wanted_ && !progress_asked_) stirred_.set();
    if (!step.update) continue;
    Task<bool> pushing = push(*std::move(step.update));
    if (!co_await pushing)
      step = WatchCursor::on_stream_ended(Status(StatusCode::kCancelled, "the watch was closed"));
  }
  stream.cancel();
  stream_ended_ = true;
  stirred_.set();
  co_return step;
}

// The answer to a question of the watch's user; nullopt where this is none.
std::optional<WatchUpdate> Watcher::State::wanted_progress(const pb::WatchResponse& response) {
  const bool answers = !response.created() && !response.canceled() && response.events().empty();
  if (!progress_asked_ || !answers) return std::nullopt;
  progress_asked_ = false;
  progress_wanted_ = false;
  WatchUpdate update;
  update.header = from_proto(response.header());
  return update;
}

void Watcher::State::request_progress() {
  progress_wanted_ = true;
  stirred_.set();
}

// Asks for progress when the stream is silent or the user wants it, and cancels the stream when there is no answer.
Task<void> Watcher::State::guard(Stream& stream) {
  TaskContext& context = co_await current_context();
  std::optional<TimePoint> asked_at;
  while (!context.cancelled()) {
    stirred_.reset();
    if (stream_ended_) co_return;
    const bool wanted = progress_wanted_ && !progress_asked_ && cursor_.confirmed();
    if (!wanted) {
      const TimePoint since = asked_at.value_or(last_heard_);
      Task<bool> waiting = stirred_.wait_until(runtime(), since + silence_max_);
      if (co_await waiting) continue;
      const TimePoint now = Runtime::now();
      if (reading_paused_) last_heard_ = now;
      if (asked_at && last_heard_ >= *asked_at) asked_at.reset();
      if (asked_at) co_return stream.cancel();
      if (last_heard_ + silence_max_ > now) continue;
    }
    asked_at = Runtime::now();
    progress_asked_ = progress_wanted_;
    pb::WatchRequest question;
    question.mutable_progress_request();
    auto asking = stream.write(question);
    co_await asking;
  }
}

Task<bool> Watcher::State::push(WatchUpdate update) {
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (queue_.size() < limits::kWatchUpdatesQueuedMax) {
        queue_.push_back(std::move(update));
        available_.set();
        co_return true;
      }
      room_.reset();
    }
    reading_paused_ = true;
    Task<bool> waiting = room_.wait();
    const bool has_room = co_await waiting;
    reading_paused_ = false;
    last_heard_ = Runtime::now();
    if (!has_room) co_return false;
  }
}

Task<Result<WatchUpdate>> Watcher::State::next(std::shared_ptr<State> self) {
  while (true) {
    {
      std::lock_guard lock(self->mutex_);
      if (!self->queue_.empty()) {
        WatchUpdate update = std::move(self->queue_.front());
        self->queue_.pop_front();
        self->room_.set();
        self->revision_.store(covered_revision(update), std::memory_order_release);
        co_return update;
      }
      if (!self->failure_.ok()) co_return self->failure_;
      self->available_.reset();
    }
    Task<Status> waiting = wait_for(self->runtime(), self->available_);
    Status waited = co_await waiting;
    if (!waited.ok()) co_return waited;
  }
}

void Watcher::State::fail(Status status) {
  std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = status;
  health_ = failure_;
  available_.set();
}

void Watcher::State::close() {
  std::lock_guard lock(mutex_);
  queue_.clear();
  failure_ = Status(StatusCode::kCancelled, "the watch was closed");
  health_ = failure_;
  available_.set();
}

Watcher::Watcher(const Client& client, WatchOptions options)
    : state_(std::make_shared<State>(client.impl(), std::move(options))), scope_(client.runtime()) {
  scope_.spawn(State::run(state_));
}
Watcher::~Watcher() { close(); }

Task<Result<WatchUpdate>> Watcher::next() { return State::next(state_); }
void Watcher::request_progress() { state_->request_progress(); }
void Watcher::close() {
  state_->close();
  scope_.cancel();
}
std::int64_t Watcher::revision() const { return state_->revision(); }
Status Watcher::health() const { return state_->health(); }
std::uint64_t Watcher::resume_count() const { return state_->resume_count(); }

}  // namespace minigrpc::etcd
