// LoadThread: a part of a load: connections, and the callers on them, all on one event loop of its own.
//
//   closed loop: each caller calls again as soon as its call has ended
//   open loop:   calls are due at a fixed rate, whatever became of those before; the next free caller makes
//   the next
//
// Thread rule: one thread, which is not the loop; what it is asked for it does there.
#pragma once

#include <minigrpc/generic.h>
#include <minigrpc/runtime.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "load_requests.h"
#include "load_stats.h"

namespace minigrpc::cli {

struct LoadPlan {
  std::string target;
  ChannelOptions channel{};
  std::string method;  // "/package.Service/Method"
  MethodKind kind = MethodKind::kUnary;
  Metadata metadata{};
  std::chrono::nanoseconds timeout{};  // of a call; 0: none
  std::int64_t connection_count = 1;
  std::int64_t stream_count = 50;      // callers on each connection
  double rate = 0;                     // calls a second; 0: closed loop
  std::int64_t call_count = 0;         // 0: until stopped
  std::int64_t messages_per_call = 1;  // where the method takes a stream
  bool ping_pong = false;              // a bidirectional call waits for each answer
};

class LoadThread {
 public:
  // `plan`: this thread's share. `requests` is borrowed for its life. `first_worker` numbers its callers.
  LoadThread(LoadPlan plan, LoadRequests& requests, std::int64_t first_worker);
  ~LoadThread();
  LoadThread(const LoadThread&) = delete;
  LoadThread& operator=(const LoadThread&) = delete;

  // For discovery::install(); before connect().
  Runtime& runtime() { return runtime_; }
  // Makes every connection. Why one could not be made: UNAVAILABLE.
  Status connect(std::chrono::nanoseconds timeout);
  void start();
  // Forgets what was measured so far: calls that begin from now on count.
  void measure_from_now();
  LoadStats snapshot();
  // Begins no more calls; those under way have `grace` to end, and count.
  void stop(std::chrono::nanoseconds grace);
  // Every call of `call_count` has ended.
  bool finished() const { return done_.is_set(); }

 private:
  struct Slot {
    std::uint64_t number = 0;
    TimePoint due{};  // from when its latency counts
  };
  Task<void> call_again_and_again(std::size_t worker);
  bool take_slot(Slot* slot);
  Task<Status> call(const GenericClient& client, const DataTemplate::Values& values);
  Task<Status> call_unary(const GenericClient& client, const DataTemplate::Values& values);
  Task<Status> call_server_streaming(const GenericClient& client, const DataTemplate::Values& values);
  Task<Status> call_client_streaming(const GenericClient& client, const DataTemplate::Values& values);
  Task<Status> call_bidirectional(const GenericClient& client, const DataTemplate::Values& values);
  Task<void> send_all(ClientStream<RawMessage, RawMessage>& stream, const DataTemplate::Values& values);
  Task<Status> receive_all(ClientStream<RawMessage, RawMessage>& stream);
  Task<Status> play_ping_pong(ClientStream<RawMessage, RawMessage>& stream,
                              const DataTemplate::Values& values);
  const RawMessage* request_of(DataTemplate::Values values, std::uint64_t message, RawMessage& own);
  CallOptions call_options() const;
  void received(const RawMessage& message);
  void count_never_begun(TimePoint now);

  const LoadPlan plan_;
  LoadRequests& requests_;
  const std::int64_t first_worker_;
  const MethodDescriptor method_;
  Runtime runtime_;
  std::vector<Channel> channels_;
  std::vector<GenericClient> clients_;
  AsyncEvent done_;
  TaskScope scope_;  // gone first

  // ---- of the loop ----
  std::int64_t running_count_ = 0;
  std::mt19937_64 random_;
  std::uint64_t next_number_ = 0;
  TimePoint started_{};
  TimePoint measured_from_{};
  bool stopping_ = false;
  LoadStats stats_;
};

}  // namespace minigrpc::cli
