#include "load_thread.h"

namespace minigrpc::cli {

namespace {

TimePoint now() { return std::chrono::steady_clock::now(); }

Status template_failed() {
  return Status(StatusCode::kInvalidArgument,
                "the data template made a message that does not fit the method");
}

}  // namespace

LoadThread::LoadThread(LoadPlan plan, LoadRequests& requests, std::int64_t first_worker)
    : plan_(std::move(plan)),
      requests_(requests),
      first_worker_(first_worker),
      method_{plan_.method, plan_.kind},
      runtime_({.loops = 1}),
      scope_(runtime_),
      random_(std::random_device{}()) {}

LoadThread::~LoadThread() = default;

Status LoadThread::connect(std::chrono::nanoseconds timeout) {
  for (std::int64_t i = 0; i < plan_.connection_count; ++i)
    channels_.emplace_back(runtime_, plan_.target, plan_.channel);
  for (Channel& channel : channels_) {
    clients_.emplace_back(channel);
    if (!sync_wait(channel.wait_until_ready(now() + timeout)))
      return Status(StatusCode::kUnavailable, "no connection to " + plan_.target);
  }
  return Status();
}

void LoadThread::start() {
  const std::int64_t worker_count = plan_.connection_count * plan_.stream_count;
  running_count_ = worker_count;
  started_ = now();
  measured_from_ = started_;
  for (std::int64_t i = 0; i < worker_count; ++i)
    scope_.spawn(call_again_and_again(static_cast<std::size_t>(i)));
}

void LoadThread::measure_from_now() {
  const auto reset = [](LoadThread* self) -> Task<void> {
    self->stats_ = LoadStats();
    self->measured_from_ = now();
    co_return;
  };
  sync_wait(scope_.run(reset(this)));
}

LoadStats LoadThread::snapshot() {
  const auto copy = [](LoadThread* self) -> Task<LoadStats> { co_return self->stats_; };
  return sync_wait(scope_.run(copy(this)));
}

void LoadThread::stop(std::chrono::nanoseconds grace) {
  const auto end = [](LoadThread* self) -> Task<void> {
    self->count_never_begun(now());
    self->stopping_ = true;
    co_return;
  };
  sync_wait(scope_.run(end(this)));
  sync_wait(done_.wait_until(runtime_, now() + grace));
  scope_.cancel();
  sync_wait(scope_.join());
}

// The next call, and from when its latency counts; false where there is none.
bool LoadThread::take_slot(Slot* slot) {
  if (stopping_) return false;
  if (plan_.call_count != 0 && next_number_ >= static_cast<std::uint64_t>(plan_.call_count)) return false;
  slot->number = next_number_++;
  if (plan_.rate == 0) return true;
  const double after_s = static_cast<double>(slot->number) / plan_.rate;
  slot->due = started_ + std::chrono::nanoseconds(static_cast<std::int64_t>(after_s * 1e9));
  return true;
}

// Of an open loop: what was due by now has a number that nobody has taken.
void LoadThread::count_never_begun(TimePoint now) {
  if (plan_.rate == 0) return;
  const double due = std::chrono::duration<double>(now - started_).count() * plan_.rate;
  std::uint64_t due_count = static_cast<std::uint64_t>(due);
  if (plan_.call_count != 0) due_count = std::min(due_count, static_cast<std::uint64_t>(plan_.call_count));
  if (due_count > next_number_) stats_.never_begun = due_count - next_number_;
}

Task<void> LoadThread::call_again_and_again(std::size_t worker) {
  TaskContext& context = co_await current_context();
  const GenericClient& client = clients_[worker % clients_.size()];
  DataTemplate::Values values{.worker = static_cast<std::uint64_t>(first_worker_) + worker};
  Slot slot;
  slot.due = now();  // in a closed loop the end of one call is the beginning of the next
  while (take_slot(&slot)) {
    if (plan_.rate != 0 && slot.due > now()) {
      Task<bool> pausing = runtime_.sleep_until(slot.due);
      const bool is_due = co_await pausing;
      if (!is_due || stopping_) break;
    }
    values.number = slot.number;
    Task<Status> calling = call(client, values);
    const Status status = co_await calling;
    if (context.cancelled()) break;
    const TimePoint end = now();
    if (slot.due >= measured_from_) stats_.record(status, end - slot.due);
    slot.due = end;
  }
  if (--running_count_ == 0) done_.set();
}

Task<Status> LoadThread::call(const GenericClient& client, const DataTemplate::Values& values) {
  switch (plan_.kind) {
    case MethodKind::kUnary:
      return call_unary(client, values);
    case MethodKind::kServerStreaming:
      return call_server_streaming(client, values);
    case MethodKind::kClientStreaming:
      return call_client_streaming(client, values);
    case MethodKind::kBidirectional:
      return call_bidirectional(client, values);
  }
  return call_unary(client, values);
}

CallOptions LoadThread::call_options() const {
  CallOptions options;
  if (!plan_.metadata.empty()) options.metadata = plan_.metadata;
  if (plan_.timeout.count() > 0) options.timeout = plan_.timeout;
  return options;
}

// The message with that number within the call; messages of one call take turns with the documents, as calls
// do.
const RawMessage* LoadThread::request_of(DataTemplate::Values values, std::uint64_t message,
                                         RawMessage& own) {
  const bool takes_stream =
      plan_.kind == MethodKind::kClientStreaming || plan_.kind == MethodKind::kBidirectional;
  if (takes_stream)
    values.number = values.number * static_cast<std::uint64_t>(plan_.messages_per_call) + message;
  const RawMessage* request = requests_.request(values, random_, own);
  if (request == nullptr) return nullptr;
  ++stats_.messages_sent;
  stats_.bytes_sent += request->bytes.size();
  return request;
}

void LoadThread::received(const RawMessage& message) {
  ++stats_.messages_received;
  stats_.bytes_received += message.bytes.size();
}

Task<Status> LoadThread::call_unary(const GenericClient& client, const DataTemplate::Values& values) {
  RawMessage own;
  const RawMessage* request = request_of(values, 0, own);
  if (request == nullptr) co_return template_failed();
  Task<Result<RawMessage>> calling = client.unary(method_, *request, call_options());
  const Result<RawMessage> response = co_await calling;
  if (response) received(*response);
  co_return response.status();
}

Task<Status> LoadThread::call_server_streaming(const GenericClient& client,
                                               const DataTemplate::Values& values) {
  RawMessage own;
  const RawMessage* request = request_of(values, 0, own);
  if (request == nullptr) co_return template_failed();
  ClientReader<RawMessage> reader = client.server_streaming(method_, *request, call_options());
  while (true) {
    auto reading = reader.read();
    const std::optional<RawMessage> message = co_await reading;
    if (!message) break;
    received(*message);
  }
  auto finishing = reader.finish();
  const Status status = co_await finishing;
  co_return status;
}

Task<Status> LoadThread::call_client_streaming(const GenericClient& client,
                                               const DataTemplate::Values& values) {
  ClientWriter<RawMessage, RawMessage> writer = client.client_streaming(method_, call_options());
  RawMessage own;
  for (std::int64_t i = 0; i < plan_.messages_per_call; ++i) {
    const RawMessage* request = request_of(values, static_cast<std::uint64_t>(i), own);
    if (request == nullptr) co_return template_failed();
    auto writing = writer.write(*request);
    if (!co_await writing) break;
  }
  Task<Result<RawMessage>> finishing = writer.finish();
  const Result<RawMessage> response = co_await finishing;
  if (response) received(*response);
  co_return response.status();
}

Task<Status> LoadThread::call_bidirectional(const GenericClient& client, const DataTemplate::Values& values) {
  ClientStream<RawMessage, RawMessage> stream = client.bidirectional(method_, call_options());
  if (plan_.ping_pong) {
    Task<Status> playing = play_ping_pong(stream, values);
    const Status status = co_await playing;
    co_return status;
  }
  auto both = when_all(send_all(stream, values), receive_all(stream));
  const std::tuple<std::monostate, Status> outcome = co_await both;
  co_return std::get<1>(outcome);
}

Task<void> LoadThread::send_all(ClientStream<RawMessage, RawMessage>& stream,
                                const DataTemplate::Values& values) {
  RawMessage own;
  for (std::int64_t i = 0; i < plan_.messages_per_call; ++i) {
    const RawMessage* request = request_of(values, static_cast<std::uint64_t>(i), own);
    if (request == nullptr) co_return stream.cancel();
    auto writing = stream.write(*request);
    if (!co_await writing) co_return;
  }
  auto closing = stream.writes_done();
  co_await closing;
}

Task<Status> LoadThread::receive_all(ClientStream<RawMessage, RawMessage>& stream) {
  while (true) {
    auto reading = stream.read();
    const std::optional<RawMessage> message = co_await reading;
    if (!message) break;
    received(*message);
  }
  auto finishing = stream.finish();
  const Status status = co_await finishing;
  co_return status;
}

Task<Status> LoadThread::play_ping_pong(ClientStream<RawMessage, RawMessage>& stream,
                                        const DataTemplate::Values& values) {
  RawMessage own;
  for (std::int64_t i = 0; i < plan_.messages_per_call; ++i) {
    const RawMessage* request = request_of(values, static_cast<std::uint64_t>(i), own);
    if (request == nullptr) co_return template_failed();
    auto writing = stream.write(*request);
    if (!co_await writing) break;
    auto reading = stream.read();
    const std::optional<RawMessage> message = co_await reading;
    if (!message) break;
    received(*message);
  }
  auto closing = stream.writes_done();
  co_await closing;
  Task<Status> draining = receive_all(stream);
  const Status status = co_await draining;
  co_return status;
}

}  // namespace minigrpc::cli
