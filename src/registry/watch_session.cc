#include "registry/watch_session.h"

#include <utility>

#include "registry/convert.h"

namespace minigrpc::registry {

namespace {

// One response, cut at the end of a revision. Clients of other stacks take 4 MiB by default; and for a client that does
// not read, one waits.
constexpr std::size_t kResponseBytesMax = 256u << 10;
constexpr std::size_t kHistoryEventsMax = 1000;
// A longer piece of history is read off the loop: the store looks at every change in it, whosoever keys they are.
constexpr std::int64_t kInlineRevisionsMax = 1000;

// An empty key stands for the smallest one there is.
WatchFilter filter_of(const etcdserverpb::WatchCreateRequest& request) {
  WatchFilter filter{.key = request.key(), .range_end = request.range_end()};
  if (filter.key.empty()) filter.key.assign(1, '\0');
  for (const int type : request.filters()) {
    if (type == etcdserverpb::WatchCreateRequest::NOPUT) filter.puts = false;
    if (type == etcdserverpb::WatchCreateRequest::NODELETE) filter.deletes = false;
  }
  return filter;
}

// What was read of a watcher's history at one go.
struct HistoryPiece {
  Status status;
  std::vector<mvccpb::Event> events;
  std::int64_t seen_revision = 0;  // all up to here is in `events`
  std::int64_t compact_revision = 0;
};

Task<bool> go_on() { co_return true; }

HistoryPiece read_history(store::Store& store, const Watcher& watcher, std::int64_t from, bool prev_kv) {
  HistoryPiece piece;
  const Result<store::ReadView> view = store.read();
  if (!view) {
    piece.status = view.error();
    return piece;
  }
  piece.compact_revision = view->compact_revision();
  const store::HistoryRequest request{.from = {.main = from, .sub = 0},
                                      .keys = watcher.filter().keys(),
                                      .prev_kv = prev_kv,
                                      .events_max = kHistoryEventsMax,
                                      .bytes_max = kResponseBytesMax};
  const Result<store::HistoryResult> result = view->history(request, [&](const store::EventView& event) {
    if (watcher.filter().wants(event.type)) to_message(event, &piece.events.emplace_back());
    return true;
  });
  if (!result) {
    piece.status = result.error();
    return piece;
  }
  // A piece ends with a whole revision, as nothing stops the visit inside of one.
  piece.seen_revision = result->done ? std::max(view->revision(), from - 1) : result->next.main - 1;
  return piece;
}

}  // namespace

WatchSession::WatchSession(Member& member, Runtime& runtime, const ServerContext& context, Stream& stream)
    : member_(member),
      runtime_(runtime),
      context_(context),
      stream_(stream),
      outbox_([this] { wake_.set(); }),
      auth_changes_(member.auth().changes()) {}

WatchSession::~WatchSession() {
  for (auto& [id, entry] : watchers_) member_.hub().stop(*entry.watcher);
}

void WatchSession::end() {
  ended_ = true;
  wake_.set();
}

Task<Status> WatchSession::run() {
  Task<void> reading = read();
  Task<void> sending = send();
  auto both = when_all(std::move(reading), std::move(sending));
  co_await both;
  co_return failure_;
}

Task<void> WatchSession::read() {
  for (;;) {
    auto reading = stream_.read();
    std::optional<etcdserverpb::WatchRequest> request = co_await reading;
    // The client may have sent all it wants, and go on listening: the sender sees the end of the call by itself.
    if (!request) co_return;
    inbox_.push_back(*std::move(request));
    wake_.set();
    while (inbox_.size() >= kInboxMax) {
      inbox_room_.reset();
      const bool room = co_await inbox_room_.wait();
      if (!room) co_return;
    }
  }
}

Task<void> WatchSession::send() {
  bool open = true;
  while (open && !ended_) {
    Task<bool> turn = send_turn();
    open = co_await turn;
  }
  if (ended_) failure_ = server_stopped();
  // The reader may still wait for the client.
  stream_.finish(failure_);
}

Task<bool> WatchSession::send_turn() {
  wake_.reset();
  bool open = true;
  if (!inbox_.empty()) open = co_await serve_requests();
  if (!open) co_return false;

  Turn turn = member_.hub().take(outbox_);
  // After it was taken: what it holds was committed before, so it is judged by rights that are at least as new.
  if (member_.auth().changes() != auth_changes_) open = co_await cancel_forbidden();
  if (!open) co_return false;
  for (Delivery& delivery : turn.deliveries) {
    if (!watchers_.contains(delivery.watcher->id())) continue;
    open = co_await send_delivery(std::move(delivery));
    if (!open) co_return false;
  }
  for (Behind& behind : turn.behind) {
    if (!watchers_.contains(behind.watcher->id())) continue;
    open = co_await send_history(std::move(behind));
    if (!open) co_return false;
  }
  if (turn.more || !turn.behind.empty()) co_return true;

  if (progress_wanted_ || progress_requested_) open = co_await send_progress(turn.revision);
  if (!open) co_return false;
  if (!progress_wanted_) {
    // Most streams: without a timer for each event.
    const bool woken = co_await wake_.wait();
    co_return woken;
  }
  const bool woken = co_await wake_.wait_until(runtime_, next_progress_);
  co_return woken || Runtime::now() >= next_progress_;
}

Task<bool> WatchSession::serve_requests() {
  while (!inbox_.empty()) {
    etcdserverpb::WatchRequest request = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_room_.set();
    const bool open = co_await serve(std::move(request));
    if (!open) co_return false;
  }
  co_return true;
}

Task<bool> WatchSession::serve(etcdserverpb::WatchRequest request) {
  switch (request.request_union_case()) {
    case etcdserverpb::WatchRequest::kCreateRequest:
      return create(std::move(*request.mutable_create_request()));
    case etcdserverpb::WatchRequest::kCancelRequest:
      return cancel(request.cancel_request().watch_id());
    case etcdserverpb::WatchRequest::kProgressRequest:
      progress_requested_ = true;
      return go_on();
    case etcdserverpb::WatchRequest::REQUEST_UNION_NOT_SET:
      return go_on();
  }
  return go_on();
}

std::optional<std::int64_t> WatchSession::choose_id(std::int64_t wanted) {
  if (wanted != 0) return watchers_.contains(wanted) ? std::nullopt : std::optional(wanted);
  while (watchers_.contains(next_id_)) ++next_id_;
  return next_id_++;
}

Task<bool> WatchSession::create(etcdserverpb::WatchCreateRequest request) {
  WatchFilter filter = filter_of(request);
  const store::KeyRange keys = filter.keys();
  if (!keys.single() && !keys.unbounded() && filter.key >= filter.range_end)
    return refuse("mvcc: watcher range is empty");
  // A revision before the first: compacted, in etcd's words.
  if (request.start_revision() < 0) return refuse("etcdserver: mvcc: required revision has been compacted");
  const Result<Access> access = Access::of(member_.auth(), context_);
  if (!access) return refuse(access.error());
  // With the very range of the watcher: permission for one key shows nothing of those behind it.
  if (Status status = access->may_read(keys); !status.ok()) return refuse(status);
  if (watchers_.size() >= kWatchersMax) return refuse("too many watchers on one stream");
  const std::optional<std::int64_t> id = choose_id(request.watch_id());
  if (!id) return refuse("mvcc: duplicate watch ID provided on the WatchStream");

  if (request.progress_notify() && !std::exchange(progress_wanted_, true))
    next_progress_ = Runtime::now() + member_.options().watch_progress_interval;
  const Entry& entry = watchers_
                           .emplace(*id, Entry{.watcher = std::make_shared<Watcher>(std::move(filter), *id),
                                               .access = access->for_stream(),
                                               .prev_kv = request.prev_kv(),
                                               .progress = request.progress_notify(),
                                               .fragment = request.fragment()})
                           .first->second;
  const std::int64_t revision = member_.hub().start(entry.watcher, outbox_, request.start_revision());
  etcdserverpb::WatchResponse response = response_for(*id, revision);
  response.set_created(true);
  return write(std::move(response));
}

Task<bool> WatchSession::refuse(std::string reason) {
  etcdserverpb::WatchResponse response = response_for(-1, member_.hub().revision());
  response.set_created(true);
  response.set_canceled(true);
  response.set_cancel_reason(std::move(reason));
  return write(std::move(response));
}

// etcd's form of an error inside a stream, which its clients know.
Task<bool> WatchSession::refuse(const Status& status) {
  return refuse("rpc error: code = " + std::string(status_code_go_name(status.code())) + " desc = " + status.message());
}

Task<bool> WatchSession::cancel_forbidden() {
  const std::uint64_t now = member_.auth().changes();
  if (std::exchange(auth_changes_, now) == now) co_return true;
  std::vector<std::int64_t> forbidden;
  for (const auto& [id, entry] : watchers_)
    if (!entry.access.may_read(entry.watcher->filter().keys()).ok()) forbidden.push_back(id);
  for (const std::int64_t id : forbidden) {
    member_.hub().stop(*watchers_.at(id).watcher);
    watchers_.erase(id);
    etcdserverpb::WatchResponse response = response_for(id, member_.hub().revision());
    response.set_canceled(true);
    response.set_cancel_reason("rpc error: code = PermissionDenied desc = etcdserver: permission denied");
    const bool open = co_await write(std::move(response));
    if (!open) co_return false;
  }
  co_return true;
}

Task<bool> WatchSession::cancel(std::int64_t watch_id) {
  const auto found = watchers_.find(watch_id);
  // etcd says nothing about an id that it does not know.
  if (found == watchers_.end()) co_return true;
  member_.hub().stop(*found->second.watcher);
  watchers_.erase(found);
  etcdserverpb::WatchResponse response = response_for(watch_id, member_.hub().revision());
  response.set_canceled(true);
  const bool open = co_await write(std::move(response));
  co_return open;
}

Task<bool> WatchSession::cancel_compacted(std::int64_t watch_id, std::int64_t compact_revision) {
  const auto found = watchers_.find(watch_id);
  member_.hub().stop(*found->second.watcher);
  watchers_.erase(found);
  etcdserverpb::WatchResponse response = response_for(watch_id, member_.hub().revision());
  response.set_canceled(true);
  response.set_compact_revision(compact_revision);
  return write(std::move(response));
}

Task<bool> WatchSession::send_delivery(Delivery delivery) {
  const std::int64_t id = delivery.watcher->id();
  const PrevKv with_prev = watchers_.at(id).prev_kv ? PrevKv::kInclude : PrevKv::kOmit;
  const WatchFilter& filter = delivery.watcher->filter();
  const std::vector<store::Event>& all = delivery.commit->events();

  std::size_t index = delivery.begin;
  while (index < delivery.end) {
    // Whole revisions, up to the size of a response.
    std::vector<mvccpb::Event> events;
    std::size_t bytes = 0;
    std::int64_t revision = 0;
    for (; index < delivery.end; ++index) {
      const store::Event& event = all[index];
      if (bytes >= kResponseBytesMax && event.revision.main != revision) break;
      revision = event.revision.main;
      if (!filter.wants(event.type) || !filter.keys().contains(event.kv.key)) continue;
      to_message(event, with_prev, &events.emplace_back());
      bytes += events.back().ByteSizeLong();
    }
    if (events.empty()) continue;
    const bool open = co_await send_events(id, delivery.commit->revision(), std::move(events));
    if (!open) co_return false;
  }
  co_return true;
}

Task<bool> WatchSession::send_history(Behind behind) {
  const std::int64_t id = behind.watcher->id();
  const bool prev_kv = watchers_.at(id).prev_kv;

  const auto read = [store = &member_.store(), &behind, prev_kv] {
    return read_history(*store, *behind.watcher, behind.next_revision, prev_kv);
  };
  HistoryPiece piece;
  if (member_.hub().revision() - behind.next_revision > kInlineRevisionsMax) {
    Task<HistoryPiece> reading = runtime_.blocking(read);
    piece = co_await reading;
  } else {
    piece = read();
  }
  if (piece.status.code() == StatusCode::kOutOfRange) {
    const bool open = co_await cancel_compacted(id, piece.compact_revision);
    co_return open;
  }
  if (!piece.status.ok()) {
    failure_ = piece.status;
    co_return false;
  }
  // It may hold what was written after rights were taken away: read again, once they are looked at.
  if (member_.auth().changes() != auth_changes_) co_return true;
  // Before anything is sent: what is published meanwhile then waits in the outbox, so that a watcher catches up even
  // while others write all the time.
  member_.hub().follow(behind.watcher, piece.seen_revision);
  if (piece.events.empty()) co_return true;
  const bool open = co_await send_events(id, piece.seen_revision, std::move(piece.events));
  co_return open;
}

Task<bool> WatchSession::send_events(std::int64_t watch_id, std::int64_t revision, std::vector<mvccpb::Event> events) {
  Entry& entry = watchers_.at(watch_id);
  entry.heard = true;
  const bool fragment = entry.fragment;
  std::size_t index = 0;
  while (index < events.size()) {
    etcdserverpb::WatchResponse response = response_for(watch_id, revision);
    std::size_t bytes = 0;
    do {
      bytes += events[index].ByteSizeLong();
      *response.add_events() = std::move(events[index]);
      ++index;
    } while (index < events.size() && (!fragment || bytes < member_.options().request_size_max));
    response.set_fragment(index < events.size());
    const bool open = co_await write(std::move(response));
    if (!open) co_return false;
  }
  co_return true;
}

Task<bool> WatchSession::send_progress(std::int64_t revision) {
  if (std::exchange(progress_requested_, false) && !watchers_.empty()) {
    const bool open = co_await write(response_for(-1, revision));
    if (!open) co_return false;
  }
  const TimePoint now = Runtime::now();
  if (now < next_progress_) co_return true;
  next_progress_ = now + member_.options().watch_progress_interval;
  // Only the sender changes watchers_, so the iteration survives the writes.
  for (auto& [id, entry] : watchers_) {
    const bool due = entry.progress && !std::exchange(entry.heard, false);
    if (!due) continue;
    const bool open = co_await write(response_for(id, revision));
    if (!open) co_return false;
  }
  co_return true;
}

// No coroutine: once it is serialized, the message goes. A client that does not read need not have it twice.
Task<bool> WatchSession::write(etcdserverpb::WatchResponse response) { return written(stream_.write(response)); }

template <class Writing>
Task<bool> WatchSession::written(Writing writing) {
  const bool open = co_await writing;
  co_return open && !ended_;
}

etcdserverpb::WatchResponse WatchSession::response_for(std::int64_t watch_id, std::int64_t revision) const {
  etcdserverpb::WatchResponse response;
  member_.fill(response.mutable_header(), revision);
  response.set_watch_id(watch_id);
  return response;
}

}  // namespace minigrpc::registry
