// RuntimeImpl: the event loops, the worker threads, the resolvers and the policies of one Runtime.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/balancer.h>
#include <minigrpc/resolver.h>
#include <minigrpc/runtime.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "net/loop.h"
#include "rpc/channelz_registry.h"

namespace minigrpc::rpc {

// Threads for what blocks, started on demand.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads_max) : threads_max_(threads_max == 0 ? 1 : threads_max) {}
  ~WorkerPool();
  void submit(std::function<void()> work);
  // Does what was submitted, and ends the threads.
  void finish();

 private:
  void run();
  const unsigned threads_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

class RuntimeImpl {
 public:
  explicit RuntimeImpl(const RuntimeOptions& options);
  ~RuntimeImpl();

  std::vector<std::unique_ptr<net::Loop>>& loops() { return loops_; }
  // The loop whose turn it is.
  net::Loop& next_loop() { return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()]; }
  // The loop of the calling thread, or else the one whose turn it is.
  net::Loop& here_or_next();
  WorkerPool& workers() { return workers_; }

  // Waits until what was posted has run and no scope is left whose owner went without waiting. Not on a loop.
  void settle();
  void scope_left_behind();
  void left_scope_ended();

  void add_resolver(std::string scheme, ResolverFactory factory);
  // INVALID_ARGUMENT for a scheme that nobody added.
  Result<ResolverFactory> find_resolver(const std::string& scheme);
  void add_balancer(std::string policy, BalancerFactory factory);
  // Null for a policy that nobody added.
  BalancerFactory find_balancer(std::string_view policy);

  channelz::Registry& channelz() { return channelz_; }

 private:
  channelz::Registry channelz_;  // first: what the loops hold to the end is in it
  std::vector<std::unique_ptr<net::Loop>> loops_;
  std::atomic<unsigned> next_{0};
  WorkerPool workers_;
  std::mutex left_scopes_mutex_;
  std::condition_variable left_scopes_changed_;
  std::size_t left_scopes_ = 0;
  std::mutex registry_mutex_;
  std::map<std::string, ResolverFactory> resolvers_;
  std::map<std::string, BalancerFactory, std::less<>> balancers_;
};

}  // namespace minigrpc::rpc
