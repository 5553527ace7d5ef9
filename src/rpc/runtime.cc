#include <latch>

#include "net/signals.h"
#include "rpc/dns_resolver.h"
#include "rpc/policies.h"
#include "rpc/runtime_impl.h"

namespace minigrpc {

namespace rpc {

// ---- WorkerPool ----

WorkerPool::~WorkerPool() { finish(); }

void WorkerPool::finish() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::submit(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size() && threads_.size() < threads_max_)
    threads_.emplace_back([this] { run(); });
  else
    wake_.notify_one();
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;  // stopping, and what was submitted is done
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

// ---- RuntimeImpl ----

RuntimeImpl::RuntimeImpl(const RuntimeOptions& options) : workers_(options.blocking_threads_max) {
  unsigned count = options.loops != 0 ? options.loops : std::thread::hardware_concurrency();
  for (unsigned i = 0; i < std::max(count, 1u); ++i) loops_.push_back(std::make_unique<net::Loop>());
  add_builtin_resolvers(*this);
  add_builtin_balancers(*this);
}

// What was posted last runs here, on no thread but this one: it holds calls, connections and tasks, which would stay
// for ever if it were dropped. It may post on, to other loops too.
RuntimeImpl::~RuntimeImpl() {
  workers_.finish();
  for (auto& loop : loops_) loop->stop();
  for (bool ran = true; ran;) {
    ran = false;
    for (auto& loop : loops_) ran = loop->drain() || ran;
  }
}

void RuntimeImpl::settle() {
  // A channel that went a moment ago has only posted its end, and its resolver may leave a scope behind.
  std::latch behind(static_cast<std::ptrdiff_t>(loops_.size()));
  for (auto& loop : loops_) loop->post([&behind] { behind.count_down(); });
  behind.wait();
  std::unique_lock lock(left_scopes_mutex_);
  left_scopes_changed_.wait(lock, [this] { return left_scopes_ == 0; });
}

void RuntimeImpl::scope_left_behind() {
  std::lock_guard lock(left_scopes_mutex_);
  ++left_scopes_;
}

void RuntimeImpl::left_scope_ended() {
  std::lock_guard lock(left_scopes_mutex_);
  --left_scopes_;
  left_scopes_changed_.notify_all();
}

net::Loop& RuntimeImpl::here_or_next() {
  net::Loop* current = net::Loop::current();
  for (auto& loop : loops_)
    if (loop.get() == current) return *loop;
  return next_loop();
}

void RuntimeImpl::add_resolver(std::string scheme, ResolverFactory factory) {
  std::lock_guard lock(registry_mutex_);
  resolvers_[std::move(scheme)] = std::move(factory);
}

Result<ResolverFactory> RuntimeImpl::find_resolver(const std::string& scheme) {
  std::lock_guard lock(registry_mutex_);
  const auto found = resolvers_.find(scheme);
  if (found != resolvers_.end()) return found->second;
  std::string hint = scheme == "etcd" ? ": call minigrpc::discovery::install(runtime) first" : "";
  return Status(StatusCode::kInvalidArgument, "no resolver for the scheme '" + scheme + "'" + hint);
}

void RuntimeImpl::add_balancer(std::string policy, BalancerFactory factory) {
  std::lock_guard lock(registry_mutex_);
  balancers_[std::move(policy)] = std::move(factory);
}

BalancerFactory RuntimeImpl::find_balancer(std::string_view policy) {
  std::lock_guard lock(registry_mutex_);
  const auto found = balancers_.find(policy);
  return found == balancers_.end() ? nullptr : found->second;
}

}  // namespace rpc

void add_balancer(Runtime& runtime, std::string policy, BalancerFactory factory) {
  runtime.impl().add_balancer(std::move(policy), std::move(factory));
}

void add_resolver(Runtime& runtime, std::string scheme, ResolverFactory factory) {
  runtime.impl().add_resolver(std::move(scheme), std::move(factory));
}

// ---- Runtime ----

Runtime::Runtime(RuntimeOptions options) : impl_(std::make_unique<rpc::RuntimeImpl>(options)) {}
Runtime::~Runtime() { impl_->settle(); }

void Runtime::submit_blocking(std::function<void()> work) { impl_->workers().submit(std::move(work)); }

Task<bool> Runtime::sleep_for(std::chrono::nanoseconds duration) {
  const TimePoint now = net::Loop::now();
  const auto wanted = std::chrono::duration_cast<TimePoint::duration>(duration);
  return sleep_until(wanted >= TimePoint::max() - now ? TimePoint::max() : now + wanted);
}

namespace {

// A sleep of a task that runs on one of our loops: the awaiter is the timer.
class LoopSleep final : public net::Timer, public CancelNode {
 public:
  LoopSleep(net::Loop& loop, TimePoint until) : loop_(loop), until_(until) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    TaskContext& context = *awaiter.promise().context;
    if (context.cancelled()) return false;
    awaiter_ = awaiter;
    context.attach(*this);
    loop_.arm(*this, until_);
    return true;
  }
  bool await_resume() const noexcept { return elapsed_; }

  void on_timer() noexcept override {
    elapsed_ = true;
    detach();
    awaiter_.resume();
  }
  void on_cancel() noexcept override {
    loop_.disarm(*this);
    loop_.post(awaiter_);
  }

 private:
  net::Loop& loop_;
  TimePoint until_;
  bool elapsed_ = false;
  std::coroutine_handle<> awaiter_;
};

}  // namespace

TimePoint Runtime::now() { return net::Loop::now(); }

Task<bool> Runtime::sleep_until(TimePoint time) {
  TaskContext& context = co_await current_context();
  net::Loop* loop = net::Loop::current();
  if (loop != nullptr && &context.executor() == loop) {
    LoopSleep sleep(*loop, time);
    co_return co_await sleep;
  }
  AsyncEvent never;
  co_await never.wait_until(*this, time);
  co_return !context.cancelled();
}

Task<int> Runtime::wait_for_signal(std::vector<int> signals) {
  struct Arrival {
    int number = 0;
    AsyncEvent arrived;
  };
  auto arrival = std::make_shared<Arrival>();
  auto wait = net::SignalWait::create(*impl_->loops().front());
  // At once: a signal that comes now must not end the program.
  wait->start(signals, [arrival](int number) {
    arrival->number = number;
    arrival->arrived.set();
  });
  if (co_await arrival->arrived.wait()) co_return arrival->number;
  wait->cancel();
  co_return 0;
}

}  // namespace minigrpc
