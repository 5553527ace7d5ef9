// ServerImpl: the services, the listeners and, for each loop, the connections and calls of one Server.
//
// Thread rule: a LoopShare belongs to its loop; services and options do not change once listening.
#pragma once

#include <minigrpc/server.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "net/listener.h"
#include "rpc/runtime_impl.h"

namespace minigrpc::rpc {

class OtherProtocol;
class Pages;

// One accepted connection as its server sees it, whatever it speaks.
class AcceptedConnection {
 public:
  // Takes no new call; closes once the last has ended.
  virtual void drain() = 0;
  // Ends every call and closes, before it returns.
  virtual void abort() = 0;

 protected:
  ~AcceptedConnection() = default;
};

// What a path leads to.
struct BoundMethod {
  Service* service;
  const Service::Method* method;
};

class ServerImpl : public std::enable_shared_from_this<ServerImpl> {
 public:
  ServerImpl(Runtime& runtime, const ServerOptions& options);
  ~ServerImpl();

  void add(Service& service);
  Result<std::uint16_t> listen(std::string_view address, const ServerCredentials& credentials);
  // Starts draining; idle() is set when the last connection and handler are gone.
  void drain();
  // Ends calls and connections now.
  void abort();
  AsyncEvent& idle() { return idle_; }

  const ServerOptions& options() const { return options_; }
  const BoundMethod* find(std::string_view path) const;
  bool has_service(std::string_view name) const { return services_.contains(name); }
  const std::set<std::string_view>& services() const { return services_; }

  // One for each living connection and each living call, on its loop.
  // On cache lines of its own: each loop writes in its share with every call.
  class alignas(64) LoopShare {
   public:
    explicit LoopShare(net::Loop& at) : loop(at) {}
    net::Loop& loop;
    channelz::CallCounters calls;
    std::unordered_set<AcceptedConnection*> connections;
    std::size_t living = 0;
    bool draining = false;
    bool reported_idle = false;
  };
  void one_more(LoopShare& share) { ++share.living; }
  void one_less(LoopShare& share) {
    if (--share.living == 0 && share.draining) report_idle(share);
  }
  // drain() and abort() reach `connection`, and shutdown waits for it, from joined() to left(). On its loop.
  void joined(LoopShare& share, AcceptedConnection& connection) {
    connections_.fetch_add(1, std::memory_order_relaxed);
    share.connections.insert(&connection);
    one_more(share);
  }
  void left(LoopShare& share, AcceptedConnection& connection) {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    share.connections.erase(&connection);
    one_less(share);
  }

  // One more of what the counter counts; any thread.
  void count(std::uint64_t ServerCounters::*what);
  ServerCounters counters() const;

  // What channelz tells of it, but for its connections.
  channelz::Group& entity() { return *entity_; }
  channelz::Registry& channelz() { return runtime_.impl().channelz(); }

  // Who serves connections that do not speak HTTP/2; they are refused where nobody does. Set before listen().
  void set_other_protocol(std::unique_ptr<OtherProtocol> other);
  OtherProtocol* other_protocol() const { return other_protocol_.get(); }
  void add_page(std::string path, std::function<Page()> make);

 private:
  void report_idle(LoopShare& share);
  void accepted(net::Loop& loop, net::Socket socket, const std::shared_ptr<net::TlsContext>& tls);
  LoopShare& share_of(net::Loop& loop);

  Runtime& runtime_;
  const ServerOptions options_;
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex counters_mutex_;
  ServerCounters counters_;
  std::unordered_map<std::string_view, BoundMethod> methods_;
  std::set<std::string_view> services_;
  std::unique_ptr<OtherProtocol> other_protocol_;
  Pages* pages_ = nullptr;  // where other_protocol_ is that
  std::vector<std::unique_ptr<LoopShare>> shares_;

  std::unique_ptr<channelz::Group> entity_;  // gone before the shares, whose counters it shows

  std::mutex mutex_;  // the rest, but idle_
  std::vector<std::shared_ptr<net::Listener>> listeners_;
  std::vector<std::unique_ptr<channelz::ListeningSocket>> listening_;
  bool draining_ = false;
  std::size_t busy_loops_ = 0;
  AsyncEvent idle_;
};

}  // namespace minigrpc::rpc
