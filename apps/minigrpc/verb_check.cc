// check perf and check datascale: whether a registry carries a load. The sentences are etcdctl's.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <random>

#include "endpoints.h"
#include "etcd/api/maintenance.minigrpc.h"
#include "http_get.h"
#include "interruption.h"
#include "invocation.h"
#include "latency_histogram.h"
#include "registry_call.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

struct Workload {
  std::string_view names;  // of --load, separated by blanks
  std::int64_t rate;       // check perf: puts a second
  std::int64_t count;      // check datascale: puts
  int client_count;
};
constexpr Workload kWorkloads[] = {{"s small", 150, 10'000, 50},
                                   {"m medium", 1000, 100'000, 200},
                                   {"l large", 8000, 1'000'000, 500},
                                   {"xl xLarge", 15'000, 3'000'000, 1000}};
constexpr std::size_t kPerfKeySize = 256;
constexpr std::size_t kScaleKeySize = 8;
constexpr std::size_t kValueSize = 1024;

struct CheckFlags {
  std::string load = "s";
  std::string prefix;
  std::chrono::nanoseconds duration = std::chrono::seconds(60);
  bool auto_compact = false;
  bool auto_defrag = false;

  void add_to(FlagSet& flags) {
    flags.add("auto-compact", &auto_compact, "compact up to the last revision afterwards");
    flags.add("auto-defrag", &auto_defrag, "give the space back afterwards");
    flags.add("load", &load, "how much: s(mall), m(edium), l(arge) or xl(arge)");
    flags.add("prefix", &prefix, "where the keys of the check are put; there must be none");
  }
};

const Workload* find_workload(const std::string& name) {
  for (const Workload& known : kWorkloads) {
    const std::size_t space = known.names.find(' ');
    if (name == known.names.substr(0, space) || name == known.names.substr(space + 1)) return &known;
  }
  return nullptr;
}

// Puts with random keys, by many clients, no faster than the rate says. Of one event loop.
class Load {
 public:
  struct Plan {
    std::string prefix;
    std::size_t key_size;
    std::int64_t rate;   // 0: as fast as it goes
    std::int64_t count;  // 0: until the time is over
    TimePoint end = TimePoint::max();
    int client_count;
  };
  Load(etcd::Client& client, Plan plan)
      : client_(client), plan_(std::move(plan)), random_(std::random_device{}()) {}

  Task<void> run() {
    begin_ = std::chrono::steady_clock::now();
    std::vector<Task<void>> putting;
    for (int i = 0; i < plan_.client_count; ++i) putting.push_back(put_on());
    auto all = when_all(std::move(putting));
    co_await all;
    took_ = std::chrono::steady_clock::now() - begin_;
  }

  const LatencyHistogram& latencies() const { return latencies_; }
  const std::map<std::string, std::int64_t>& errors() const { return errors_; }
  double rate() const {
    return static_cast<double>(latencies_.count()) / std::chrono::duration<double>(took_).count();
  }

 private:
  Task<void> put_on() {
    TaskContext& context = co_await current_context();
    while (!context.cancelled()) {
      const std::int64_t number = next_++;
      if (plan_.count != 0 && number >= plan_.count) break;
      const TimePoint due =
          plan_.rate == 0 ? begin_ : begin_ + std::chrono::nanoseconds(1'000'000'000 / plan_.rate * number);
      if (due >= plan_.end || std::chrono::steady_clock::now() >= plan_.end) break;
      Task<bool> pausing = client_.runtime().sleep_until(due);
      if (due > std::chrono::steady_clock::now() && !co_await pausing) break;
      etcd::PutRequest request{.key = plan_.prefix + random_text(plan_.key_size),
                               .value = random_text(kValueSize)};
      const TimePoint start = std::chrono::steady_clock::now();
      Task<Result<etcd::PutResponse>> asking = client_.Put(std::move(request));
      const Result<etcd::PutResponse> response = co_await asking;
      if (response)
        latencies_.record(std::chrono::steady_clock::now() - start);
      else if (!context.cancelled())
        ++errors_[response.error().message()];
    }
  }

  std::string random_text(std::size_t size) {
    std::string text(size, 'x');
    for (char& c : text) c = static_cast<char>('a' + random_() % 26);
    return text;
  }

  etcd::Client& client_;
  const Plan plan_;
  std::minstd_rand random_;
  TimePoint begin_{};
  std::chrono::nanoseconds took_{1};
  std::int64_t next_ = 0;
  LatencyHistogram latencies_;
  std::map<std::string, std::int64_t> errors_;
};

// What both checks begin with: 0, or what to exit with.
int require_no_keys(Invocation& invocation, const std::string& prefix) {
  etcd::RangeRequest request;
  request.keys = etcd::KeyRange::prefix(prefix);
  request.count_only = true;
  const Result<etcd::RangeResponse> there = sync_wait(invocation.client().Range(std::move(request)));
  if (!there) return invocation.fail(there.error());
  if (there->count == 0) return 0;
  return invocation.fail(
      Exit::kInvalidInput,
      "prefix \"" + prefix + "\" has got keys. Delete with minigrpc del --prefix " + prefix + " first.");
}

// What both end with.
Status clean_up(Invocation& invocation, const CheckFlags& flags) {
  etcd::DeleteRangeRequest removal;
  removal.keys = etcd::KeyRange::prefix(flags.prefix);
  const Result<etcd::DeleteRangeResponse> deleted =
      sync_wait(invocation.client().DeleteRange(std::move(removal)));
  if (!deleted) return deleted.error();
  if (flags.auto_compact) {
    etcd::CompactionRequest compaction{.revision = deleted->header.revision, .physical = true};
    const Result<etcd::CompactionResponse> compacted = sync_wait(invocation.client().Compact(compaction));
    if (!compacted) return compacted.error();
    invocation.out() << "Compacting with revision " << deleted->header.revision << "\n";
  }
  if (!flags.auto_defrag) return Status();
  using Maintenance = etcdserverpb::Maintenance::Client;
  for (const std::string& endpoint : invocation.globals().endpoints) {
    const etcdserverpb::DefragmentRequest request;
    const Status status =
        RegistryCalls<Maintenance>(invocation, endpoint).ask(&Maintenance::Defragment, request).status();
    if (!status.ok()) return status;
    invocation.out() << "Defragmented \"" << endpoint << "\"\n";
  }
  return Status();
}

// Runs it with a line of progress at a terminal; false when a signal ended it.
Task<bool> run_load(Invocation& invocation, Load& load) {
  Interruption interruption(invocation.runtime());
  Task<void> running = interruption.run(load.run());
  co_await running;
  co_return interruption.signal() == 0;
}

bool report_errors(Invocation& invocation, const Load& load) {
  if (load.errors().empty()) return true;
  invocation.out() << "FAIL: too many errors\n";
  for (const auto& [message, count] : load.errors())
    invocation.out() << "FAIL: ERROR(" << message << ") -> " << count << "\n";
  return false;
}

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

std::string six_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%f", value);
  return text;
}

int perf(Invocation& invocation, const CheckFlags& flags, const Arguments& arguments) {
  if (arguments.size() != 0) return invocation.fail(Exit::kBadArguments, "check perf takes no arguments");
  const Workload* workload = find_workload(flags.load);
  if (workload == nullptr) return invocation.fail(Exit::kBadFeature, "unknown load option " + flags.load);
  if (const int exit = require_no_keys(invocation, flags.prefix); exit != 0) return exit;
  Load load(invocation.client(), {.prefix = flags.prefix,
                                  .key_size = kPerfKeySize,
                                  .rate = workload->rate,
                                  .count = 0,
                                  .end = std::chrono::steady_clock::now() + flags.duration,
                                  .client_count = workload->client_count});
  const bool whole = sync_wait(run_load(invocation, load));
  if (const Status status = clean_up(invocation, flags); !status.ok()) return invocation.fail(status);
  if (!whole) return invocation.fail(Exit::kInterrupted, "interrupted; the keys of the check are deleted");

  bool passed = report_errors(invocation, load);
  std::ostream& out = invocation.out();
  const auto judge = [&](bool good, const std::string& praise, const std::string& blame) {
    out << (good ? "PASS: " + praise : blame) << "\n";
    passed = passed && good;
  };
  const std::string rate = std::to_string(static_cast<std::int64_t>(load.rate()) + 1) + " writes/s";
  judge(load.rate() > 0.9 * static_cast<double>(workload->rate), "Throughput is " + rate,
        "FAIL: Throughput too low: " + rate);
  const double slowest = seconds(load.latencies().max());
  judge(slowest <= 0.5, "Slowest request took " + six_digits(slowest) + "s",
        "Slowest request took too long: " + six_digits(slowest) + "s");
  const double spread = seconds(load.latencies().standard_deviation());
  judge(spread <= 0.1, "Stddev is " + six_digits(spread) + "s",
        "Stddev too high: " + six_digits(spread) + "s");
  out << (passed ? "PASS\n" : "FAIL\n");
  return passed ? 0 : static_cast<int>(Exit::kError);
}

// Of the first endpoint's process, by its own metrics.
Result<double> resident_bytes(Invocation& invocation) {
  const Result<Address> address = parse_address(invocation.globals().endpoints.front(), invocation.globals());
  if (!address) return address.error();
  if (address->tls)
    return Status(StatusCode::kUnimplemented,
                  "the memory is read from http://ENDPOINT/metrics, which is not there with TLS");
  const Result<std::string> page = http_get(address->target, "/metrics", std::chrono::seconds(10));
  if (!page) return page.error();
  constexpr std::string_view kName = "\nprocess_resident_memory_bytes ";
  const std::size_t at = page->find(kName);
  double bytes = 0;
  const char* begin = page->data() + at + kName.size();
  if (at == std::string::npos || std::from_chars(begin, page->data() + page->size(), bytes).ec != std::errc())
    return Status(StatusCode::kUnimplemented,
                  "the server's /metrics do not tell process_resident_memory_bytes");
  return bytes;
}

int datascale(Invocation& invocation, const CheckFlags& flags, const Arguments& arguments) {
  if (arguments.size() != 0)
    return invocation.fail(Exit::kBadArguments, "check datascale takes no arguments");
  const Workload* workload = find_workload(flags.load);
  if (workload == nullptr) return invocation.fail(Exit::kBadFeature, "unknown load option " + flags.load);
  if (const int exit = require_no_keys(invocation, flags.prefix); exit != 0) return exit;
  const Result<double> before = resident_bytes(invocation);
  if (!before) return invocation.fail(before.error());
  std::ostream& out = invocation.out();
  out << "Start data scale check for work load [" << workload->count << " key-value pairs, " << kValueSize
      << " bytes per key-value, " << workload->client_count << " concurrent clients]." << std::endl;
  Load load(invocation.client(), {.prefix = flags.prefix,
                                  .key_size = kScaleKeySize,
                                  .rate = 0,
                                  .count = workload->count,
                                  .client_count = workload->client_count});
  const bool whole = sync_wait(run_load(invocation, load));
  const Result<double> after = resident_bytes(invocation);
  if (const Status status = clean_up(invocation, flags); !status.ok()) return invocation.fail(status);
  if (!whole) return invocation.fail(Exit::kInterrupted, "interrupted; the keys of the check are deleted");
  if (!after) return invocation.fail(after.error());
  if (!report_errors(invocation, load)) return static_cast<int>(Exit::kError);
  char megabytes[32];
  std::snprintf(megabytes, sizeof megabytes, "%.2f", (*after - *before) / (1024 * 1024));
  out << "PASS: Approximate system memory used : " << megabytes << " MB.\n";
  return 0;
}

}  // namespace

Verb check_perf_verb() {
  auto flags = std::make_shared<CheckFlags>();
  flags->prefix = "/etcdctl-check-perf/";
  Verb verb{
      .path = "check perf", .arguments = "", .summary = "Check whether the registry carries a load of puts"};
  verb.description =
      "Puts 150 (s), 1000 (m), 8000 (l) or 15000 (xl) keys a second for a minute, and deletes them.";
  verb.examples = "minigrpc check perf --load m";
  flags->add_to(verb.flags);
  verb.flags.add("duration", &flags->duration, "for how long; etcdctl's is a minute");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return perf(invocation, *flags, arguments);
  };
  return verb;
}

Verb check_datascale_verb() {
  auto flags = std::make_shared<CheckFlags>();
  flags->prefix = "/etcdctl-check-datascale/";
  Verb verb{.path = "check datascale",
            .arguments = "",
            .summary = "Tell how much memory a registry needs for keys"};
  verb.description =
      "Puts 10,000 (s), 100,000 (m), 1,000,000 (l) or 3,000,000 (xl) keys of 1 kB, and deletes them. The "
      "memory is what\n"
      "/metrics of the first endpoint says.";
  verb.examples = "minigrpc check datascale --load s";
  flags->add_to(verb.flags);
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return datascale(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
