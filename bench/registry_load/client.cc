// A client that loads a registry, whichever: bench/registry.py and bench/soak.py run it.
//
//   registry_load VERB HOST:PORT [NAME=NUMBER]...      prints one line of JSON
//
//   fill      from= to=                          the keys of these numbers, a hundred in a transaction
//   puts      writers= connections= seconds= keys=   each writer puts a random key, again and again
//   ranges    readers= connections= seconds= keys=   the same with linearizable ranges of one key
//   events    watchers= connections= events=     one key is put, all watchers hear of it; then the next
//   leases    leases= connections= seconds= ttl=     grants them, then keeps them alive as clients do: every
//   third of the TTL snapshot  -                                  reads Maintenance.Snapshot to its end
#include <minigrpc/channel.h>
#include <minigrpc/runtime.h>
#include <minigrpc/stream.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "etcd/api/kv.minigrpc.h"
#include "etcd/api/lease.minigrpc.h"
#include "etcd/api/maintenance.minigrpc.h"
#include "etcd/api/watch.minigrpc.h"

namespace {

using namespace std::chrono_literals;
using namespace minigrpc;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kValueSize = 100;
constexpr const char* kEventKey = "event";

CallOptions patiently() { return {.timeout = 300s}; }
double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}
double ms_since(Clock::time_point begin) { return ms_between(begin, Clock::now()); }

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "registry_load: %s\n", why.c_str());
  std::exit(1);
}

std::string key_of(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "key/" + std::string(10 - std::min<std::size_t>(10, digits.size()), '0') + digits;
}

// What all tasks of a run share. They run on one loop.
struct Load {
  explicit Load(std::string to) : endpoint(std::move(to)) {}

  std::int64_t option(const std::string& name) const {
    const auto found = options.find(name);
    if (found == options.end()) fail("missing: " + name + "=");
    return found->second;
  }
  void connect(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) channels.push_back(std::make_unique<Channel>(runtime, endpoint));
  }
  std::string random_key() { return key_of(random() % static_cast<std::uint64_t>(keys)); }
  Channel* channel(std::int64_t number) {
    return channels[static_cast<std::size_t>(number) % channels.size()].get();
  }

  std::string endpoint;
  std::map<std::string, std::int64_t> options;
  Runtime runtime{{.loops = 1}};
  std::vector<std::unique_ptr<Channel>> channels;
  Clock::time_point end;
  std::vector<double> latencies_ms;
  // One for all: two hundred of them would not stay in the processor's cache.
  std::mt19937_64 random{1};
  std::int64_t keys = 1;
};

double quantile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  const auto place =
      values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

void print(std::size_t count, double seconds, std::vector<double>& ms) {
  const double p50 = quantile(ms, 0.5);
  const double p99 = quantile(ms, 0.99);
  std::printf(
      "{\"count\": %zu, \"seconds\": %.3f, \"per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": "
      "%.3f}\n",
      count, seconds, static_cast<double>(count) / seconds, p50, p99, quantile(ms, 1));
}

// ---- puts and ranges ----

Task<void> put_repeatedly(Load* load, Channel* channel) {
  etcdserverpb::KV::Client kv(*channel);
  etcdserverpb::PutRequest request;
  request.set_value(std::string(kValueSize, 'v'));
  for (Clock::time_point begin = Clock::now(), now; begin < load->end; begin = now) {
    request.set_key(load->random_key());
    auto putting = kv.Put(request, patiently());
    const Result<etcdserverpb::PutResponse> response = co_await putting;
    if (!response) fail(response.error().to_string());
    now = Clock::now();
    load->latencies_ms.push_back(ms_between(begin, now));
  }
}

Task<void> range_repeatedly(Load* load, Channel* channel) {
  etcdserverpb::KV::Client kv(*channel);
  etcdserverpb::RangeRequest request;
  for (Clock::time_point begin = Clock::now(), now; begin < load->end; begin = now) {
    request.set_key(load->random_key());
    auto ranging = kv.Range(request, patiently());
    const Result<etcdserverpb::RangeResponse> response = co_await ranging;
    if (!response) fail(response.error().to_string());
    if (response->kvs_size() != 1) fail("a key is missing");
    now = Clock::now();
    load->latencies_ms.push_back(ms_between(begin, now));
  }
}

using Worker = Task<void> (*)(Load*, Channel*);

void run_workers(Load& load, Worker worker, std::int64_t count) {
  load.connect(load.option("connections"));
  load.keys = load.option("keys");
  const Clock::time_point begin = Clock::now();
  load.end = begin + std::chrono::seconds(load.option("seconds"));
  TaskScope scope(load.runtime);
  for (std::int64_t i = 0; i < count; ++i) scope.spawn(worker(&load, load.channel(i)));
  sync_wait(scope.join());
  const double seconds = ms_since(begin) / 1000;
  print(load.latencies_ms.size(), seconds, load.latencies_ms);
}

Task<void> fill_share(Load* load, std::int64_t first, std::int64_t step) {
  constexpr std::int64_t kTxnSize = 100;
  etcdserverpb::KV::Client kv(*load->channel(first));
  const std::int64_t to = load->option("to");
  for (std::int64_t begin = load->option("from") + first * kTxnSize; begin < to; begin += step * kTxnSize) {
    etcdserverpb::TxnRequest request;
    for (std::int64_t i = begin; i < std::min(to, begin + kTxnSize); ++i) {
      etcdserverpb::PutRequest* put = request.add_success()->mutable_request_put();
      put->set_key(key_of(static_cast<std::uint64_t>(i)));
      put->set_value(std::string(kValueSize, 'v'));
    }
    const Clock::time_point began = Clock::now();
    auto filling = kv.Txn(request, patiently());
    const Result<etcdserverpb::TxnResponse> response = co_await filling;
    if (!response) fail(response.error().to_string());
    load->latencies_ms.push_back(ms_since(began));
  }
}

void fill(Load& load) {
  constexpr std::int64_t kWorkers = 16;
  load.connect(2);
  const Clock::time_point begin = Clock::now();
  TaskScope scope(load.runtime);
  for (std::int64_t i = 0; i < kWorkers; ++i) scope.spawn(fill_share(&load, i, kWorkers));
  sync_wait(scope.join());
  const double seconds = ms_since(begin) / 1000;
  print(static_cast<std::size_t>(load.option("to") - load.option("from")), seconds, load.latencies_ms);
}

// ---- one event to many watchers ----

struct Audience {
  std::int64_t listening = 0;
  std::int64_t arrived = 0;
  Clock::time_point first;
  Clock::time_point last;
  AsyncEvent complete;
};

using WatchCall = ClientStream<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>;

Task<void> listen(Channel* channel, Audience* audience, std::int64_t watchers) {
  WatchCall call = etcdserverpb::Watch::Client(*channel).Watch(CallOptions());
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key(kEventKey);
  auto writing = call.write(request);
  co_await writing;
  for (;;) {
    auto reading = call.read();
    const std::optional<etcdserverpb::WatchResponse> response = co_await reading;
    if (!response) co_return;
    if (response->created()) {
      if (++audience->listening == watchers) audience->complete.set();
      continue;
    }
    const Clock::time_point now = Clock::now();
    if (audience->arrived == 0) audience->first = now;
    audience->last = now;
    if (++audience->arrived == watchers) audience->complete.set();
  }
}

Task<void> tell(Load* load, Audience* audience, std::vector<double>* spread_ms) {
  etcdserverpb::KV::Client kv(*load->channel(0));
  const std::int64_t events = load->option("events");
  co_await audience->complete.wait();
  for (std::int64_t i = 0; i < events; ++i) {
    audience->complete.reset();
    audience->arrived = 0;
    etcdserverpb::PutRequest request;
    request.set_key(kEventKey);
    request.set_value(std::to_string(i));
    const Clock::time_point begin = Clock::now();
    auto putting = kv.Put(request, patiently());
    const Result<etcdserverpb::PutResponse> response = co_await putting;
    if (!response) fail(response.error().to_string());
    co_await audience->complete.wait();
    load->latencies_ms.push_back(std::chrono::duration<double, std::milli>(audience->last - begin).count());
    spread_ms->push_back(std::chrono::duration<double, std::milli>(audience->last - audience->first).count());
  }
}

void events(Load& load) {
  load.connect(load.option("connections"));
  const std::int64_t watchers = load.option("watchers");
  Audience audience;
  std::vector<double> spread_ms;
  TaskScope scope(load.runtime);
  for (std::int64_t i = 0; i < watchers; ++i) scope.spawn(listen(load.channel(i), &audience, watchers));
  sync_wait(scope.run(tell(&load, &audience, &spread_ms)));
  sync_wait(scope.stop());
  std::printf("{\"count\": %zu, \"first_to_last_ms\": %.3f, \"put_to_last_ms\": %.3f}\n", spread_ms.size(),
              quantile(spread_ms, 0.5), quantile(load.latencies_ms, 0.5));
}

// ---- leases ----

Task<void> grant_share(Load* load, std::int64_t first, std::int64_t step) {
  etcdserverpb::Lease::Client lease(*load->channel(first));
  const std::int64_t count = load->option("leases");
  etcdserverpb::LeaseGrantRequest request;
  request.set_ttl(load->option("ttl"));
  for (std::int64_t i = first; i < count; i += step) {
    request.set_id(i + 1);
    auto granting = lease.LeaseGrant(request, patiently());
    const Result<etcdserverpb::LeaseGrantResponse> response = co_await granting;
    if (!response) fail(response.error().to_string());
  }
}

using KeepAliveCall = ClientStream<etcdserverpb::LeaseKeepAliveRequest, etcdserverpb::LeaseKeepAliveResponse>;

Task<void> count_renewals(KeepAliveCall* call, std::size_t* renewed) {
  for (;;) {
    auto reading = call->read();
    const std::optional<etcdserverpb::LeaseKeepAliveResponse> response = co_await reading;
    if (!response) co_return;
    if (response->ttl() <= 0) fail("a lease was lost");
    ++*renewed;
  }
}

// Its share of the leases, each once in a third of the TTL, evenly.
Task<void> renew_share(Load* load, KeepAliveCall* call, std::int64_t first, std::int64_t step) {
  const std::int64_t count = load->option("leases");
  const std::int64_t share = (count - first + step - 1) / step;
  const double per_ms = static_cast<double>(share) / (static_cast<double>(load->option("ttl")) * 1000 / 3);
  const Clock::time_point begin = Clock::now();
  std::int64_t sent = 0;
  while (Clock::now() < load->end) {
    for (const auto due = static_cast<std::int64_t>(ms_since(begin) * per_ms); sent < due; ++sent) {
      etcdserverpb::LeaseKeepAliveRequest request;
      request.set_id(first + sent % share * step + 1);
      auto writing = call->write(request);
      const bool written = co_await writing;
      if (!written) fail("the keepalive stream has ended");
    }
    auto sleeping = load->runtime.sleep_for(10ms);
    co_await sleeping;
  }
}

void leases(Load& load) {
  const std::int64_t connections = load.option("connections");
  load.connect(connections);
  {
    constexpr std::int64_t kWorkers = 200;
    TaskScope scope(load.runtime);
    for (std::int64_t i = 0; i < kWorkers; ++i) scope.spawn(grant_share(&load, i, kWorkers));
    sync_wait(scope.join());
  }
  // For who measures the time of the server's processor from here on.
  std::printf("{\"granted\": %lld}\n", static_cast<long long>(load.option("leases")));
  std::fflush(stdout);
  std::vector<std::unique_ptr<KeepAliveCall>> calls;
  for (std::int64_t i = 0; i < connections; ++i)
    calls.push_back(std::make_unique<KeepAliveCall>(
        etcdserverpb::Lease::Client(*load.channel(i)).LeaseKeepAlive(CallOptions())));
  std::size_t renewed = 0;
  const Clock::time_point begin = Clock::now();
  load.end = begin + std::chrono::seconds(load.option("seconds"));
  {
    TaskScope readers(load.runtime);
    {
      TaskScope writers(load.runtime);
      for (std::int64_t i = 0; i < connections; ++i) {
        KeepAliveCall* call = calls[static_cast<std::size_t>(i)].get();
        readers.spawn(count_renewals(call, &renewed));
        writers.spawn(renew_share(&load, call, i, connections));
      }
      sync_wait(writers.join());
    }
    sync_wait(readers.stop());
  }
  const double seconds = ms_since(begin) / 1000;
  print(renewed, seconds, load.latencies_ms);
}

// ---- snapshot ----

Task<std::size_t> read_snapshot(Load* load) {
  etcdserverpb::Maintenance::Client maintenance(*load->channel(0));
  const etcdserverpb::SnapshotRequest request;
  auto call = maintenance.Snapshot(request, patiently());
  std::size_t size = 0;
  for (;;) {
    auto reading = call.read();
    const std::optional<etcdserverpb::SnapshotResponse> response = co_await reading;
    if (!response) break;
    size += response->blob().size();
  }
  auto finishing = call.finish();
  const Status status = co_await finishing;
  if (!status.ok()) fail(status.to_string());
  co_return size;
}

void snapshot(Load& load) {
  load.connect(1);
  const Clock::time_point begin = Clock::now();
  const std::size_t size = sync_wait(read_snapshot(&load));
  std::printf("{\"bytes\": %zu, \"seconds\": %.3f}\n", size, ms_since(begin) / 1000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: registry_load VERB HOST:PORT [NAME=NUMBER]...");
  const std::string verb = argv[1];
  Load load(argv[2]);
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) fail("not NAME=NUMBER: " + text);
    load.options[text.substr(0, equals)] = std::atoll(text.c_str() + equals + 1);
  }
  if (verb == "fill")
    fill(load);
  else if (verb == "puts")
    run_workers(load, put_repeatedly, load.option("writers"));
  else if (verb == "ranges")
    run_workers(load, range_repeatedly, load.option("readers"));
  else if (verb == "events")
    events(load);
  else if (verb == "leases")
    leases(load);
  else if (verb == "snapshot")
    snapshot(load);
  else
    fail("no such verb: " + verb);
}
