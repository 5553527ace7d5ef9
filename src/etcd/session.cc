// Session, Mutex and Election, by the recipes of etcd's concurrency package, which etcdctl uses too.
#include <minigrpc/etcd.h>

#include <charconv>

namespace minigrpc::etcd {

namespace {

std::string hexadecimal(LeaseId id) {
  char digits[17];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, static_cast<std::uint64_t>(id), 16);
  return std::string(digits, end);
}

// The oldest key below `prefix`, or the newest one that is not younger than a revision.
RangeRequest oldest(const std::string& prefix) {
  return {.keys = KeyRange::prefix(prefix),
          .limit = 1,
          .sort_order = SortOrder::kAscend,
          .sort_target = SortTarget::kCreate};
}
RangeRequest newest_up_to(const std::string& prefix, std::int64_t create_revision) {
  return {.keys = KeyRange::prefix(prefix),
          .limit = 1,
          .sort_order = SortOrder::kDescend,
          .sort_target = SortTarget::kCreate,
          .max_create_revision = create_revision};
}

Status session_lost() { return Status(StatusCode::kAborted, "the lock's session has ended"); }

// Waits until `key` is deleted, from the revision behind `seen` on.
Task<Status> wait_for_deletion(Client& client, std::string key, ResponseHeader seen) {
  Watcher watcher(client, {.keys = KeyRange::single(key), .after = seen, .no_put = true});
  while (true) {
    Task<Result<WatchUpdate>> waiting = watcher.next();
    Result<WatchUpdate> update = co_await waiting;
    if (!update) co_return std::move(update).error();
    // Resynchronise: the caller looks again.
    if (update->kind != WatchUpdate::Kind::kProgress) co_return Status();
  }
}

}  // namespace

// ---- Session ----

Task<Result<std::unique_ptr<Session>>> Session::open(Client& client, std::int64_t ttl_s) {
  LeaseGrantRequest request{.ttl_s = ttl_s};
  Task<Result<LeaseGrantResponse>> granting = client.LeaseGrant(request);
  Result<LeaseGrantResponse> lease = co_await granting;
  if (!lease) co_return std::move(lease).error();
  co_return std::unique_ptr<Session>(new Session(client, *std::move(lease)));
}

Task<Status> Session::close() {
  keeper_.stop();
  Task<Result<LeaseRevokeResponse>> revoking = client_.LeaseRevoke(lease());
  Result<LeaseRevokeResponse> revoked = co_await revoking;
  co_return revoked.status();
}

// ---- Mutex ----

Mutex::Mutex(Session& session, std::string name)
    : session_(session), name_(std::move(name) + "/"), key_(name_ + hexadecimal(session.lease())) {}

// Takes a place in the queue; true when it is the first one.
Task<Result<bool>> Mutex::enqueue() {
  TxnRequest txn;
  txn.when(Compare::absent(key_))
      .then(PutRequest{.key = key_, .value = value_, .lease = session_.lease()})
      .then(oldest(name_))
      .otherwise(RangeRequest{.keys = KeyRange::single(key_)})
      .otherwise(oldest(name_));
  Task<Result<TxnResponse>> asking = session_.client().Txn(std::move(txn));
  Result<TxnResponse> answer = co_await asking;
  if (!answer) co_return std::move(answer).error();
  const auto* mine =
      answer->responses.empty() ? nullptr : std::get_if<RangeResponse>(&answer->responses.front());
  const auto* first =
      answer->responses.size() < 2 ? nullptr : std::get_if<RangeResponse>(&answer->responses[1]);
  if (first == nullptr || (!answer->succeeded && (mine == nullptr || mine->kvs.empty())))
    co_return Status(StatusCode::kInternal, "the server's answer does not fit the transaction");
  header_ = answer->header;
  create_revision_ = answer->succeeded ? answer->header.revision : mine->kvs.front().create_revision;
  co_return first->kvs.empty() || first->kvs.front().create_revision == create_revision_;
}

Task<Status> Mutex::wait_for_predecessors() {
  while (true) {
    Task<Result<RangeResponse>> looking = session_.client().Range(newest_up_to(name_, create_revision_ - 1));
    Result<RangeResponse> before = co_await looking;
    if (!before) co_return std::move(before).error();
    if (before->kvs.empty()) break;
    Task<Status> waiting = wait_for_deletion(session_.client(), before->kvs.front().key, before->header);
    Status waited = co_await waiting;
    if (!waited.ok()) co_return waited;
  }
  // The session may have ended while we waited, and our key with it.
  RangeRequest own{.keys = KeyRange::single(key_)};
  Task<Result<RangeResponse>> looking = session_.client().Range(std::move(own));
  Result<RangeResponse> mine = co_await looking;
  if (!mine) co_return std::move(mine).error();
  if (mine->kvs.empty() || mine->kvs.front().create_revision != create_revision_) co_return session_lost();
  header_ = mine->header;
  co_return Status();
}

Task<Status> Mutex::lock() {
  Task<Result<bool>> entering = enqueue();
  Result<bool> first = co_await entering;
  Status outcome = first.status();
  if (first && !*first) {
    Task<Status> waiting = wait_for_predecessors();
    outcome = co_await waiting;
  }
  // Also where enqueue() failed: the server may have our key all the same. If that fails, too, it goes with the lease.
  if (!outcome.ok()) {
    Task<Status> leaving = leave_queue();
    [[maybe_unused]] const Status left = co_await leaving;
  }
  co_return outcome;
}

Task<Status> Mutex::try_lock() {
  Task<Result<bool>> entering = enqueue();
  Result<bool> first = co_await entering;
  if (first && *first) co_return Status();
  Task<Status> leaving = leave_queue();
  [[maybe_unused]] const Status left = co_await leaving;
  if (!first) co_return std::move(first).error();
  co_return Status(StatusCode::kAborted, "somebody else holds the lock");
}

Task<Status> Mutex::unlock() {
  DeleteRangeRequest request{.keys = KeyRange::single(key_)};
  Task<Result<DeleteRangeResponse>> deleting = session_.client().DeleteRange(std::move(request));
  Result<DeleteRangeResponse> deleted = co_await deleting;
  if (deleted) create_revision_ = 0;
  co_return deleted.status();
}

// Runs in a scope of its own, since the awaiting task may be cancelled already.
Task<Status> Mutex::leave_queue() {
  TaskScope scope(session_.client().runtime());
  Task<Status> leaving = scope.run(unlock());
  Status left = co_await leaving;
  Task<void> ending = scope.join();
  co_await ending;
  co_return left;
}

// ---- Election ----

Task<Status> Election::campaign(std::string value) {
  place_.value_ = value;
  Task<Status> waiting = place_.lock();
  Status outcome = co_await waiting;
  if (!outcome.ok()) co_return outcome;
  // A session that had campaigned before has its place already, with another value.
  Task<Status> proclaiming = proclaim(std::move(value));
  outcome = co_await proclaiming;
  co_return outcome;
}

Task<Status> Election::proclaim(std::string value) {
  const Status not_leading(StatusCode::kAborted, "somebody else leads, or nobody does");
  // Without a place of its own "created in revision 0" would hold of a key that is not there.
  if (place_.create_revision_ == 0) co_return not_leading;
  RangeRequest own{.keys = KeyRange::single(key())};
  TxnRequest same;
  same.when(is_leader()).when(Compare::value_is(key(), value)).then(own);
  TxnRequest change;
  change.when(is_leader()).then(PutRequest{.key = key(), .value = std::move(value), .lease = place_.session_.lease()});
  Task<Result<TxnResponse>> asking = place_.session_.client().Txn(std::move(same));
  Result<TxnResponse> answer = co_await asking;
  if (!answer) co_return std::move(answer).error();
  if (answer->succeeded) co_return Status();
  Task<Result<TxnResponse>> putting = place_.session_.client().Txn(std::move(change));
  answer = co_await putting;
  if (!answer) co_return std::move(answer).error();
  if (!answer->succeeded) co_return not_leading;
  place_.header_ = answer->header;
  co_return Status();
}

// ---- ElectionObserver ----

ElectionObserver::ElectionObserver(Client& client, std::string name)
    : client_(client), prefix_(std::move(name) + "/") {}

// The leader there is, with a watch behind it; an empty answer where nobody leads.
Task<Result<RangeResponse>> ElectionObserver::find_leader() {
  Task<Result<RangeResponse>> looking = client_.Range(oldest(prefix_));
  Result<RangeResponse> leader = co_await looking;
  if (!leader) co_return leader;
  key_ = leader->kvs.empty() ? std::string() : leader->kvs.front().key;
  WatchOptions options{.after = leader->header};
  options.keys = key_.empty() ? KeyRange::prefix(prefix_) : KeyRange::single(key_);
  watcher_ = std::make_unique<Watcher>(client_, std::move(options));
  co_return RangeResponse{.header = leader->header, .kvs = std::move(leader->kvs)};
}

Task<Result<RangeResponse>> ElectionObserver::next() {
  while (true) {
    if (!watcher_) {
      Task<Result<RangeResponse>> finding = find_leader();
      Result<RangeResponse> leader = co_await finding;
      if (!leader || !leader->kvs.empty()) co_return leader;
    }
    Task<Result<WatchUpdate>> waiting = watcher_->next();
    Result<WatchUpdate> update = co_await waiting;
    if (!update) co_return std::move(update).error();
    if (update->kind == WatchUpdate::Kind::kProgress) continue;
    const bool gap = update->kind == WatchUpdate::Kind::kResynchronise;
    // While nobody leads the first put elects; a leader's key that is gone means a new look.
    if (gap || key_.empty() || update->events.back().type == EventType::kDelete) {
      watcher_.reset();
      continue;
    }
    RangeResponse response{.header = update->header};
    response.kvs.push_back(std::move(update->events.back().kv));
    co_return response;
  }
}

}  // namespace minigrpc::etcd
