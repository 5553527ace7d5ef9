#include "api_test.h"

#include <set>

namespace minigrpc::testing {

std::string describe(const mvccpb::KeyValue& kv) {
  std::string text = kv.key() + "=" + kv.value() + " " + std::to_string(kv.create_revision()) + "," +
                     std::to_string(kv.mod_revision()) + "," + std::to_string(kv.version());
  if (kv.lease() != 0) text += " lease " + std::to_string(kv.lease());
  return text;
}

std::string describe(const mvccpb::Event& event) {
  std::string text = event.type() == mvccpb::Event::PUT
                         ? "PUT " + describe(event.kv())
                         : "DELETE " + event.kv().key() + " " + std::to_string(event.kv().mod_revision());
  if (event.has_prev_kv()) text += " (was " + event.prev_kv().value() + ")";
  return text;
}

std::vector<std::string> describe(const WatchResponse& response) {
  std::vector<std::string> events;
  for (const mvccpb::Event& event : response.events()) events.push_back(describe(event));
  return events;
}

WatchStream::WatchStream(Channel& channel, CallOptions options) : call_(Watch::Client(channel).Watch(options)) {}

Task<bool> WatchStream::write(Call* call, WatchRequest request) {
  auto writing = call->write(request);
  const bool written = co_await writing;
  co_return written;
}

Task<std::optional<WatchResponse>> WatchStream::read(Call* call) {
  auto reading = call->read();
  std::optional<WatchResponse> response = co_await reading;
  co_return response;
}

Task<Status> WatchStream::finish(Call* call) {
  auto finishing = call->finish();
  Status status = co_await finishing;
  co_return status;
}

void WatchStream::send(const std::string& request) {
  EXPECT_TRUE(sync_wait(write(&call_, parse<WatchRequest>(request))));
}

WatchResponse WatchStream::create(const std::string& request) {
  send("create_request { " + request + " }");
  return next();
}

WatchResponse WatchStream::next() {
  std::optional<WatchResponse> response = sync_wait(read(&call_), std::chrono::steady_clock::now() + 30s);
  if (!response) ADD_FAILURE() << "the stream has ended";
  return response ? *std::move(response) : WatchResponse();
}

std::vector<std::string> WatchStream::events(std::size_t count) {
  std::vector<std::string> all;
  std::set<std::pair<std::int64_t, std::int64_t>> complete;
  while (all.size() < count && !::testing::Test::HasFailure()) {
    const WatchResponse response = next();
    std::set<std::pair<std::int64_t, std::int64_t>> here;
    for (const mvccpb::Event& event : response.events()) {
      here.insert({response.watch_id(), event.kv().mod_revision()});
      all.push_back(describe(event));
    }
    for (const auto& one : here) EXPECT_TRUE(complete.insert(one).second) << "revision " << one.second << " was torn";
  }
  return all;
}

void WatchStream::expect_silence() {
  send("progress_request {}");
  const WatchResponse response = next();
  EXPECT_EQ(response.watch_id(), -1) << response.ShortDebugString();
  EXPECT_EQ(response.events_size(), 0);
}

Status WatchStream::finish() { return sync_wait(finish(&call_)); }

CallOptions Api::options() const {
  CallOptions options{.timeout = 30s};
  if (!token.empty()) options.metadata.add("token", token);
  return options;
}

PutResponse Api::put(const std::string& key, const std::string& value, std::int64_t lease_id) {
  PutRequest request;
  request.set_key(key);
  request.set_value(value);
  request.set_lease(lease_id);
  return get(kv.Put(request, options()));
}

RangeResponse Api::range(const std::string& request) { return get(kv.Range(parse<RangeRequest>(request), options())); }

std::vector<std::string> Api::keys(const std::string& request) {
  std::vector<std::string> all;
  const RangeResponse answer = range(request);
  for (const mvccpb::KeyValue& one : answer.kvs()) all.push_back(describe(one));
  return all;
}

DeleteRangeResponse Api::erase(const std::string& request) {
  return get(kv.DeleteRange(parse<DeleteRangeRequest>(request), options()));
}

TxnResponse Api::txn(const std::string& request) { return get(kv.Txn(parse<TxnRequest>(request), options())); }

std::string Api::put_refusal(const std::string& request) {
  return refusal(kv.Put(parse<PutRequest>(request), options()));
}
std::string Api::range_refusal(const std::string& request) {
  return refusal(kv.Range(parse<RangeRequest>(request), options()));
}
std::string Api::txn_refusal(const std::string& request) {
  return refusal(kv.Txn(parse<TxnRequest>(request), options()));
}

void Api::sign_in(const std::string& user, const std::string& password) {
  token.clear();
  if (user.empty()) return;
  AuthenticateRequest request;
  request.set_name(user);
  request.set_password(password);
  token = get(auth.Authenticate(request, options())).token();
}

}  // namespace minigrpc::testing
