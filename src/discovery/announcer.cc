#include <minigrpc/discovery.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <random>

#include "discovery/registration_plan.h"
#include "etcd/backoff.h"

namespace minigrpc::discovery {

namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kPauseMax{5000};
constexpr int kRevokeTriesMax = 2;

std::string default_instance_id(const std::string& address) {
  char host[256] = "localhost";
  if (gethostname(host, sizeof host - 1) != 0) return address;
  return std::string(host) + "/" + address;
}

std::vector<OwnKey> keys_of(const AnnouncerOptions& options) {
  std::vector<OwnKey> keys;
  for (const std::string& service : options.services)
    keys.push_back({.key = instance_key(service, options.address)});
  return keys;
}

std::string value_of(const AnnouncerOptions& options) {
  return format_instance({.address = options.address,
                          .weight = options.weight,
                          .zone = options.zone,
                          .version = options.version,
                          .id = options.instance_id});
}

AnnouncerOptions completed(AnnouncerOptions options) {
  if (options.instance_id.empty()) options.instance_id = default_instance_id(options.address);
  return options;
}

bool is_lease_gone(const Status& status) {
  return status.code() == StatusCode::kNotFound && status.origin() == StatusOrigin::kPeer;
}

}  // namespace

// Shared by the Announcer and its tasks, which run on the scope's loop; what others read is guarded.
//
//   no lease ──grant──▶ tenure: renew the lease, put the keys, watch them ──lease lost──▶ no lease
class Announcer::State {
 public:
  State(Runtime& runtime, AnnouncerOptions options)
      : runtime_(runtime),
        options_(completed(std::move(options))),
        client_(runtime, options_.registry, options_.client),
        own_{.value = value_of(options_), .instance_id = options_.instance_id, .lease = 0},
        keys_(keys_of(options_)),
        backoff_(kFirstPause, kPauseMax),
        calm_(kFirstPause, std::chrono::milliseconds(options_.ttl) / 3) {
    status_.last_error = Status(StatusCode::kUnavailable, "not registered yet");
  }

  static Task<void> run(std::shared_ptr<State> self);
  // After run() has ended: takes the keys away; true when some stood there.
  Task<bool> remove_keys(std::chrono::milliseconds timeout);
  Task<void> revoke(std::chrono::milliseconds timeout);

  AnnouncerStatus status() const;
  AsyncEvent& registered() { return registered_; }
  Runtime& runtime() const { return runtime_; }
  void silence() {
    std::lock_guard lock(log_mutex_);
    options_.log = nullptr;
  }

 private:
  // One lease's time, from its grant to its loss.
  struct Tenure {
    explicit Tenure(const etcd::Client& client, const etcd::LeaseGrantResponse& lease)
        : keeper(client, lease, {.overdue = etcd::LeaseKeeperOptions::Overdue::kKeepTrying}) {}
    etcd::LeaseKeeper keeper;
    std::vector<std::unique_ptr<etcd::Watcher>> watchers;  // one a key
    AsyncEvent wake;
    bool dirty = true;  // something may be wrong with the keys
    bool lost = false;
  };
  Task<Status> serve_tenure();
  Task<Status> start_watching(Tenure& tenure);
  Task<void> keep_keys(Tenure& tenure);
  Task<void> await_loss(Tenure& tenure);
  Task<void> watch_key(Tenure& tenure, std::size_t index);
  Task<Status> put_keys();
  Task<void> pause(std::chrono::milliseconds duration) {
    Task<bool> sleeping = runtime_.sleep_for(duration);
    co_await sleeping;
  }
  double random() { return std::uniform_real_distribution<double>()(random_); }
  void on_failure(const Status& why);
  void on_standing();
  void set_registered(bool registered);
  void say(const std::string& text) {
    std::lock_guard lock(log_mutex_);
    if (options_.log) options_.log(text);
  }

  Runtime& runtime_;
  AnnouncerOptions options_;
  // For calls that may take so long.
  etcd::ClientOptions client_options(std::chrono::milliseconds timeout) const {
    etcd::ClientOptions options = options_.client;
    options.request_timeout = timeout;
    return options;
  }
  etcd::Client client_;

  // ---- of the tasks ----
  OwnValue own_;
  std::vector<OwnKey> keys_;
  etcd::Backoff backoff_;  // the registry cannot be reached
  etcd::Backoff calm_;     // somebody takes our keys away again and again
  TimePoint last_put_{};
  bool ever_registered_ = false;
  bool outage_said_ = false;
  std::minstd_rand random_{std::random_device{}()};

  AsyncEvent registered_;
  std::mutex log_mutex_;  // held while log() runs

  // ---- guarded ----
  mutable std::mutex mutex_;
  AnnouncerStatus status_;
  const etcd::LeaseKeeper* keeper_ = nullptr;
};

Task<void> Announcer::State::run(std::shared_ptr<State> self) {
  TaskContext& context = co_await current_context();
  while (!context.cancelled()) {
    Task<Status> serving = self->serve_tenure();
    Status ended = co_await serving;
    self->set_registered(false);
    if (context.cancelled()) co_return;
    if (!ended.ok()) {
      self->on_failure(ended);
      Task<void> pausing = self->pause(self->backoff_.next(self->random()));
      co_await pausing;
      continue;
    }
    // The lease is lost. A registry that was wiped has lost everybody's: spread the grants over a third of
    // the TTL.
    self->say("the lease is lost: registering again");
    const auto third = std::chrono::milliseconds(self->options_.ttl) / 3;
    Task<void> spreading =
        self->pause(std::chrono::duration_cast<std::chrono::milliseconds>(third * self->random()));
    co_await spreading;
  }
}

// OK when a lease was granted and lost, or the task is cancelled; else why there was none.
Task<Status> Announcer::State::serve_tenure() {
  etcd::LeaseGrantRequest request{.ttl_s = options_.ttl.count()};
  Task<Result<etcd::LeaseGrantResponse>> granting = client_.LeaseGrant(request);
  Result<etcd::LeaseGrantResponse> lease = co_await granting;
  if (!lease) co_return std::move(lease).error();
  own_.lease = lease->id;
  for (OwnKey& key : keys_) key.held = false;

  Tenure tenure(client_, *lease);
  {
    std::lock_guard lock(mutex_);
    status_.lease = lease->id;
    keeper_ = &tenure.keeper;
  }
  Task<Status> starting = start_watching(tenure);
  Status started = co_await starting;
  if (started.ok()) {
    std::vector<Task<void>> duties;
    duties.push_back(keep_keys(tenure));
    duties.push_back(await_loss(tenure));
    for (std::size_t i = 0; i < keys_.size(); ++i) duties.push_back(watch_key(tenure, i));
    auto all = when_all(std::move(duties));
    co_await all;
  }
  std::lock_guard lock(mutex_);
  keeper_ = nullptr;
  co_return started;
}

// The watches begin where this read ends, so that no change of a key is missed.
Task<Status> Announcer::State::start_watching(Tenure& tenure) {
  Task<Result<etcd::TxnResponse>> reading = client_.Txn(read_keys(keys_));
  Result<etcd::TxnResponse> read = co_await reading;
  if (!read) co_return std::move(read).error();
  for (const OwnKey& key : keys_) {
    tenure.watchers.push_back(std::make_unique<etcd::Watcher>(
        client_, etcd::WatchOptions{.keys = etcd::KeyRange::single(key.key), .after = read->header}));
  }
  co_return Status();
}

// Puts the keys whenever something may be wrong with them, until the lease is lost; then ends the tenure's
// other tasks.
Task<void> Announcer::State::keep_keys(Tenure& tenure) {
  TaskContext& context = co_await current_context();
  while (!tenure.lost && !context.cancelled()) {
    tenure.wake.reset();
    std::optional<TimePoint> again;
    if (std::exchange(tenure.dirty, false)) {
      Task<Status> putting = put_keys();
      const Status put = co_await putting;
      if (is_lease_gone(put)) {
        tenure.lost = true;
        break;
      }
      if (context.cancelled()) break;
      if (!put.ok()) {
        on_failure(put);
        tenure.dirty = true;
        again = Runtime::now() + backoff_.next(random());
      }
    }
    Task<bool> waiting = again ? tenure.wake.wait_until(runtime_, *again) : tenure.wake.wait();
    co_await waiting;
  }
  tenure.keeper.stop();
  for (const auto& watcher : tenure.watchers) watcher->close();
}

Task<void> Announcer::State::await_loss(Tenure& tenure) {
  Task<Status> waiting = tenure.keeper.lost();
  const Status lost = co_await waiting;
  if (lost.code() != StatusCode::kCancelled) tenure.lost = true;
  tenure.wake.set();
}

// Sees that somebody deleted or overwrote one of our keys, or that a foreign one has gone.
Task<void> Announcer::State::watch_key(Tenure& tenure, std::size_t index) {
  etcd::Watcher& watcher = *tenure.watchers[index];
  while (true) {
    Task<Result<etcd::WatchUpdate>> waiting = watcher.next();
    Result<etcd::WatchUpdate> update = co_await waiting;
    if (!update) co_return;
    if (update->kind == etcd::WatchUpdate::Kind::kProgress) continue;
    if (update->kind == etcd::WatchUpdate::Kind::kEvents) {
      const etcd::WatchEvent& last = update->events.back();
      if (last.type == etcd::EventType::kPut && last.kv.lease == own_.lease && last.kv.value == own_.value)
        continue;
      set_registered(false);
    }
    tenure.dirty = true;
    tenure.wake.set();
  }
}

// Looks at the keys, and puts in one transaction those that are missing.
Task<Status> Announcer::State::put_keys() {
  while (true) {
    Task<Result<etcd::TxnResponse>> reading = client_.Txn(read_keys(keys_));
    Result<etcd::TxnResponse> read = co_await reading;
    if (!read) co_return std::move(read).error();
    etcd::TxnRequest repair;
    Status taken = take_in(*read, own_, keys_, repair);
    if (!taken.ok()) co_return taken;
    if (repair.success.empty()) {
      on_standing();
      co_return Status();
    }
    // Who deletes our keys as often as we put them meets ever longer pauses.
    const TimePoint now = Runtime::now();
    if (now - last_put_ > options_.ttl) calm_.reset();
    Task<void> calming = pause(calm_.next(random()));
    co_await calming;
    last_put_ = Runtime::now();
    Task<Result<etcd::TxnResponse>> putting = client_.Txn(std::move(repair));
    Result<etcd::TxnResponse> put = co_await putting;
    if (!put) co_return std::move(put).error();
    // It stands, or the keys have changed in between: either way the next look tells.
    if (!put->succeeded) continue;
    std::lock_guard lock(mutex_);
    if (ever_registered_) ++status_.resync_count;
  }
}

// The keys are as good as they can be; says what that means.
void Announcer::State::on_standing() {
  backoff_.reset();
  outage_said_ = false;
  std::uint64_t conflicts = 0;
  std::uint64_t disabled = 0;
  Status why;
  for (const OwnKey& key : keys_) {
    if (key.standing == Standing::kOurs) continue;
    if (key.standing == Standing::kDisabled) {
      ++disabled;
      why = Status(StatusCode::kFailedPrecondition, key.key + " was disabled by an operator");
    } else {
      ++conflicts;
      why = Status(StatusCode::kAlreadyExists, key.key + " belongs to another instance");
    }
  }
  bool news = false;
  {
    std::lock_guard lock(mutex_);
    news = status_.conflict_count != conflicts || status_.disabled_count != disabled;
    status_.conflict_count = conflicts;
    status_.disabled_count = disabled;
    status_.last_error = why;
  }
  if (!why.ok()) {
    if (news) say(why.message());
    return set_registered(false);
  }
  if (registered_.is_set()) return;
  for (const OwnKey& key : keys_) say("registered " + key.key);
  ever_registered_ = true;
  set_registered(true);
}

void Announcer::State::on_failure(const Status& why) {
  {
    std::lock_guard lock(mutex_);
    status_.last_error = why;
  }
  if (!std::exchange(outage_said_, true))
    say("the registry " + options_.registry + " does not answer (" + why.message() + "): trying on");
}

void Announcer::State::set_registered(bool registered) {
  {
    std::lock_guard lock(mutex_);
    status_.registered = registered;
  }
  if (registered)
    registered_.set();
  else
    registered_.reset();
}

AnnouncerStatus Announcer::State::status() const {
  std::lock_guard lock(mutex_);
  AnnouncerStatus status = status_;
  status.lease_remaining = keeper_ == nullptr ? std::chrono::milliseconds(0) : keeper_->remaining();
  if (status.lease_remaining.count() > 0) return status;
  if (status.registered)
    status.last_error = Status(StatusCode::kUnavailable, "nobody could renew the lease in time");
  status.registered = false;
  return status;
}

// A client of its own: the other one's connection may be what hangs, and its calls may take longer.
Task<bool> Announcer::State::remove_keys(std::chrono::milliseconds timeout) {
  if (own_.lease == 0) co_return false;
  etcd::Client client(runtime_, options_.registry, client_options(timeout));
  Task<Result<etcd::TxnResponse>> deleting = client.Txn(delete_keys(keys_, own_.lease));
  Result<etcd::TxnResponse> deleted = co_await deleting;
  co_return deleted.has_value();
}

Task<void> Announcer::State::revoke(std::chrono::milliseconds timeout) {
  if (own_.lease == 0) co_return;
  etcd::Client client(runtime_, options_.registry, client_options(timeout / kRevokeTriesMax));
  for (int i = 0; i < kRevokeTriesMax; ++i) {
    Task<Result<etcd::LeaseRevokeResponse>> revoking = client.LeaseRevoke(own_.lease);
    Result<etcd::LeaseRevokeResponse> revoked = co_await revoking;
    if (revoked || is_lease_gone(revoked.error())) co_return;
  }
  // It ends by itself after its TTL.
}

Announcer::Announcer(Runtime& runtime, AnnouncerOptions options)
    : state_(std::make_shared<State>(runtime, std::move(options))), scope_(runtime) {
  scope_.spawn(State::run(state_));
}
Announcer::~Announcer() { state_->silence(); }

AnnouncerStatus Announcer::status() const { return state_->status(); }
Task<bool> Announcer::wait_registered(TimePoint deadline) {
  if (deadline == TimePoint::max()) return state_->registered().wait();
  return state_->registered().wait_until(state_->runtime(), deadline);
}

Task<void> Announcer::leave(Server& server, LeaveOptions options) {
  if (options.not_serving) options.not_serving();
  // From here on nobody can bring the keys back.
  Task<void> stopping = scope_.stop();
  co_await stopping;
  Task<bool> removing = state_->remove_keys(options.registry_timeout);
  if (co_await removing) {
    Task<bool> propagating = state_->runtime().sleep_for(options.propagation);
    co_await propagating;
  }
  Task<void> shutting_down = server.shutdown(options.grace);
  co_await shutting_down;
  Task<void> revoking = state_->revoke(options.registry_timeout);
  co_await revoking;
}

}  // namespace minigrpc::discovery
