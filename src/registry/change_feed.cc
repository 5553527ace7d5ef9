#include "registry/change_feed.h"

#include <utility>

namespace minigrpc::registry {

namespace {

store::Event to_owned(const store::EventView& view) {
  store::Event event{.type = view.type, .revision = view.revision, .kv = view.kv.to_owned()};
  if (view.prev_kv) event.prev_kv = view.prev_kv->to_owned();
  return event;
}

}  // namespace

ChangeFeed::ChangeFeed(Member& member, WatchFilter filter, std::int64_t from_revision)
    : member_(member), outbox_([this] { wake_.set(); }), watcher_(std::make_shared<Watcher>(std::move(filter), 0)) {
  member_.hub().start(watcher_, outbox_, from_revision);
}

ChangeFeed::~ChangeFeed() { member_.hub().stop(*watcher_); }

Status ChangeFeed::read_history(std::int64_t from_revision, std::vector<store::Event>* events) {
  const Result<store::ReadView> view = member_.store().read();
  if (!view) return view.error();
  const store::HistoryRequest request{.from = {.main = from_revision, .sub = 0}, .keys = watcher_->filter().keys()};
  const Result<store::HistoryResult> result = view->history(request, [&](const store::EventView& event) {
    if (watcher_->filter().wants(event.type)) events->push_back(to_owned(event));
    return true;
  });
  if (!result) return result.error();
  member_.hub().follow(watcher_, std::max(view->revision(), from_revision - 1));
  return Status();
}

Task<Result<std::vector<store::Event>>> ChangeFeed::next() {
  for (;;) {
    wake_.reset();
    const Turn turn = member_.hub().take(outbox_);
    std::vector<store::Event> events;
    for (const Delivery& delivery : turn.deliveries)
      for (std::size_t i = delivery.begin; i < delivery.end; ++i) {
        const store::Event& event = delivery.commit->events()[i];
        if (watcher_->filter().wants(event.type) && watcher_->filter().keys().contains(event.kv.key))
          events.push_back(event);
      }
    for (const Behind& behind : turn.behind)
      if (Status status = read_history(behind.next_revision, &events); !status.ok()) co_return status;
    if (!events.empty()) co_return events;
    if (turn.more || !turn.behind.empty()) continue;
    Task<bool> waiting = wake_.wait();
    const bool woken = co_await waiting;
    if (!woken || member_.open_calls().ended()) co_return std::vector<store::Event>();
  }
}

}  // namespace minigrpc::registry
