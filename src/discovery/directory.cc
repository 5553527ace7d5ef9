#include <minigrpc/discovery.h>

#include <atomic>
#include <mutex>
#include <random>

#include "discovery/instance_list.h"
#include "etcd/backoff.h"

namespace minigrpc::discovery {

namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kPauseMax{5000};

}  // namespace

// Shared by the Directory and its tasks, which run on the scope's loop; what others read is guarded.
class Directory::State {
 public:
  State(std::shared_ptr<etcd::Client> client, std::string service, Listener listener,
        DirectoryOptions options)
      : client_(std::move(client)),
        service_(std::move(service)),
        options_(options),
        backoff_(kFirstPause, kPauseMax),
        listener_(std::move(listener)) {}

  // Reads and watches, again and again.
  static Task<void> run(std::shared_ptr<State> self);
  // Hands out an empty list once it has been empty for long enough.
  static Task<void> end_hold(std::shared_ptr<State> self);
  void close() {
    std::lock_guard lock(listener_mutex_);
    listener_ = nullptr;
  }

  std::vector<Instance> instances() const {
    std::lock_guard lock(mutex_);
    return published_;
  }
  DirectoryStatus status() const;

 private:
  Task<Status> read();
  Task<Status> follow();
  Task<Status> read_again();
  Task<void> pause();
  void on_failure(Status why);
  void publish();
  void hand_out(std::vector<Instance> instances);
  void tell(Result<std::vector<Instance>> news) {
    std::lock_guard lock(listener_mutex_);
    if (listener_) listener_(std::move(news));
  }

  const std::shared_ptr<etcd::Client> client_;
  const std::string service_;
  const DirectoryOptions options_;

  // ---- of the tasks ----
  etcd::ResponseHeader read_header_{};
  etcd::Backoff backoff_;
  std::minstd_rand random_{std::random_device{}()};
  bool published_any_ = false;
  TimePoint hold_until_{};
  AsyncEvent emptied_;

  // ---- guarded by mutex_ ----
  mutable std::mutex mutex_;
  InstanceList list_;
  std::vector<Instance> published_;
  std::shared_ptr<etcd::Watcher> watcher_;  // none before the first read
  std::uint64_t resync_count_ = 0;
  Status last_error_{StatusCode::kUnavailable, "the registry was not asked yet"};

  std::mutex listener_mutex_;  // held while the listener runs
  Listener listener_;
};

Task<void> Directory::State::run(std::shared_ptr<State> self) {
  TaskContext& context = co_await current_context();
  while (!context.cancelled()) {
    Task<Status> reading = self->read();
    Status status = co_await reading;
    if (status.ok()) {
      Task<Status> following = self->follow();
      status = co_await following;
    }
    if (context.cancelled()) co_return;
    self->on_failure(std::move(status));
    Task<void> pausing = self->pause();
    co_await pausing;
  }
}

Task<void> Directory::State::pause() {
  const double random = std::uniform_real_distribution<double>()(random_);
  Task<bool> sleeping = client_->runtime().sleep_for(backoff_.next(random));
  co_await sleeping;
}

// One full read, and the difference that it makes.
Task<Status> Directory::State::read() {
  etcd::RangeRequest request{.keys = etcd::KeyRange::prefix(service_ + "/")};
  Task<Result<etcd::RangeResponse>> reading = client_->Range(std::move(request));
  Result<etcd::RangeResponse> response = co_await reading;
  if (!response) co_return std::move(response).error();
  read_header_ = response->header;
  {
    std::lock_guard lock(mutex_);
    list_.reset(response->kvs, response->header.revision);
    last_error_ = Status();
  }
  backoff_.reset();
  publish();
  co_return Status();
}

// Watches from the last read on, until the registry refuses.
Task<Status> Directory::State::follow() {
  auto watcher = std::make_shared<etcd::Watcher>(
      *client_, etcd::WatchOptions{.keys = etcd::KeyRange::prefix(service_ + "/"),
                                   .after = read_header_,
                                   .silence_max = options_.silence_max});
  {
    std::lock_guard lock(mutex_);
    watcher_ = watcher;
  }
  while (true) {
    Task<Result<etcd::WatchUpdate>> waiting = watcher->next();
    Result<etcd::WatchUpdate> update = co_await waiting;
    if (!update) co_return std::move(update).error();
    if (update->kind == etcd::WatchUpdate::Kind::kResynchronise) {
      Task<Status> reading = read_again();
      Status status = co_await reading;
      if (!status.ok()) co_return status;
      continue;
    }
    bool changed = false;
    {
      std::lock_guard lock(mutex_);
      changed = list_.apply(update->events);
      if (update->kind == etcd::WatchUpdate::Kind::kProgress) list_.advance_to(update->header.revision);
    }
    if (changed) publish();
  }
}

// After a gap in the watch: reads until it works. The list stands meanwhile.
Task<Status> Directory::State::read_again() {
  TaskContext& context = co_await current_context();
  {
    std::lock_guard lock(mutex_);
    ++resync_count_;
    last_error_ = Status(StatusCode::kUnavailable, "the watch has a gap; the registry is read again");
  }
  while (true) {
    Task<Status> reading = read();
    Status status = co_await reading;
    if (status.ok() || context.cancelled()) co_return status;
    on_failure(std::move(status));
    Task<void> pausing = pause();
    co_await pausing;
  }
}

void Directory::State::on_failure(Status why) {
  {
    std::lock_guard lock(mutex_);
    last_error_ = why;
  }
  // The last good list stands.
  if (!published_any_) tell(std::move(why));
}

void Directory::State::publish() {
  std::vector<Instance> instances;
  {
    std::lock_guard lock(mutex_);
    instances = list_.instances();
    if (published_any_ && instances == published_) return;
  }
  if (!instances.empty()) return hand_out(std::move(instances));
  if (!published_any_)
    return tell(Status(StatusCode::kUnavailable, "no instance of " + service_ + " is registered"));
  hold_until_ = Runtime::now() + options_.empty_hold;
  emptied_.set();
}

void Directory::State::hand_out(std::vector<Instance> instances) {
  published_any_ = true;
  {
    std::lock_guard lock(mutex_);
    published_ = instances;
  }
  tell(std::move(instances));
}

Task<void> Directory::State::end_hold(std::shared_ptr<State> self) {
  while (true) {
    Task<bool> waiting = self->emptied_.wait();
    if (!co_await waiting) co_return;
    self->emptied_.reset();
    Task<bool> holding = self->client_->runtime().sleep_until(self->hold_until_);
    if (!co_await holding) co_return;
    // Turned empty once more meanwhile: that hold has its own end.
    if (self->emptied_.is_set()) continue;
    if (!self->instances().empty() && self->status().instance_count == 0) self->hand_out({});
  }
}

DirectoryStatus Directory::State::status() const {
  std::lock_guard lock(mutex_);
  const Status watching = watcher_ ? watcher_->health() : last_error_;
  return {.synchronised = last_error_.ok() && watching.ok(),
          .revision = list_.revision(),
          .instance_count = list_.instances().size(),
          .resync_count = resync_count_,
          .malformed_count = list_.malformed_count(),
          .last_error = last_error_.ok() ? watching : last_error_};
}

Directory::Directory(std::shared_ptr<etcd::Client> client, std::string service, Listener listener,
                     DirectoryOptions options)
    : state_(std::make_shared<State>(client, std::move(service), std::move(listener), options)),
      scope_(client->runtime()) {
  scope_.spawn(State::run(state_));
  scope_.spawn(State::end_hold(state_));
}
Directory::~Directory() { state_->close(); }

std::vector<Instance> Directory::instances() const { return state_->instances(); }
DirectoryStatus Directory::status() const { return state_->status(); }

}  // namespace minigrpc::discovery
