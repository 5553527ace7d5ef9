#include "registry/http_pages.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>
#include <memory>
#include <vector>

#include "registry/http_json.h"

namespace minigrpc::registry {

namespace {

constexpr std::string_view kJson = "application/json";
// etcd's cluster version: that of the API without its patch level.
std::string cluster_version() { return std::string(kApiVersion.substr(0, kApiVersion.rfind('.'))); }

struct Check {
  std::string_view name;
  Status status;
};

Result<bool> out_of_space(Member& member) {
  const Result<store::Size> size = member.store().size();
  if (!size) return size.error();
  return size->full();
}

// Whether the data can be read.
Status check_read(Member& member) { return member.store().read().status(); }

// Whether the writer answers, and the disk takes writes.
Task<Status> check_writer(Member& member) {
  auto ask = [](store::Store& store) { return store.health(); };
  auto asking = member.writer().inspect(ask);
  Status status = co_await asking;
  co_return status;
}

Page health_page(bool healthy, std::string_view reason) {
  return {.status = healthy ? 200 : 503,
          .content_type = std::string(kJson),
          .body = std::string(R"({"health":)") + (healthy ? R"("true")" : R"("false")") + R"(,"reason":)" +
                  json_quoted(reason) + "}"};
}

// As etcd: an alarm is no health, unless the caller does not want to know of it.
Task<Page> health(Member& member, std::string query) {
  Task<Status> checking = check_writer(member);
  const Status status = co_await checking;
  if (!status.ok()) co_return health_page(false, status.message());
  if (query.find("exclude=NOSPACE") != std::string::npos) co_return health_page(true, {});
  const Result<bool> full = out_of_space(member);
  if (!full) co_return health_page(false, full.error().message());
  co_return health_page(!*full, *full ? "ALARM NOSPACE" : "");
}

// The answer of /livez and /readyz: "ok", or every check by name.
Page checks_page(const std::vector<Check>& checks, bool verbose, std::string_view what) {
  Page page;
  std::string lines;
  for (const Check& check : checks) {
    lines += check.status.ok() ? "[+]" : "[-]";
    lines.append(check.name).append(check.status.ok() ? " ok" : " failed: " + check.status.message()).append("\n");
    if (!check.status.ok()) page.status = 503;
  }
  if (page.status != 200)
    page.body = lines.append(what).append(" check failed\n");
  else
    page.body = verbose ? lines + "ok\n" : "ok\n";
  return page;
}

Task<std::optional<Page>> liveness(Member& member, std::string path, std::string query) {
  const bool ready = path.starts_with("/readyz");
  std::vector<Check> checks;
  if (ready) checks.push_back({"data_corruption", Status()});
  checks.push_back({"serializable_read", check_read(member)});
  if (ready) {
    Task<Status> checking = check_writer(member);
    Status status = co_await checking;
    checks.push_back({"linearizable_read", std::move(status)});
    checks.push_back({"non_learner", Status()});
  }
  const std::string_view one = std::string_view(path).substr(ready ? 7 : 6);
  if (!one.empty()) {
    std::erase_if(checks, [&](const Check& check) { return check.name != one.substr(1); });
    if (checks.empty()) co_return std::nullopt;
  }
  co_return checks_page(checks, query.find("verbose") != std::string::npos, ready ? "readyz" : "livez");
}

struct Sample {
  std::string name;
  std::string labels;  // {a="b"}, or empty
  double value = 0;
};

std::string to_text(double number) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", number);
  return text.data();
}

// Numbers with their names, as Prometheus reads them or as JSON.
class Metrics {
 public:
  void counter(std::string_view name, std::string_view help, double value) {
    add(name, "counter", help, value);
  }
  void gauge(std::string_view name, std::string_view help, double value, std::string labels = {}) {
    add(name, "gauge", help, value, std::move(labels));
  }
  void histogram(const std::string& name, std::string_view help, const DurationHistogram& times) {
    head(name, "histogram", help);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < DurationHistogram::kBuckets; ++i) {
      count += times.count(i);
      std::string labels = R"({le=")" + to_text(DurationHistogram::seconds_of(i)) + R"("})";
      sample({name + "_bucket", std::move(labels), static_cast<double>(count)});
    }
    count += times.count(DurationHistogram::kBuckets);
    sample({name + "_bucket", R"({le="+Inf"})", static_cast<double>(count)});
    sample({name + "_sum", {}, times.sum_seconds()});
    sample({name + "_count", {}, static_cast<double>(count)});
  }
  // https://prometheus.io/docs/instrumenting/exposition_formats
  const std::string& text() const { return text_; }
  std::string json() const {
    std::string members;
    for (const Sample& one : samples_)
      members += (members.empty() ? "" : ",") + json_quoted(one.name + one.labels) + ":" + to_text(one.value);
    return "{" + members + "}";
  }

 private:
  void add(std::string_view name, std::string_view type, std::string_view help, double value,
           std::string labels = {}) {
    head(name, type, help);
    sample({std::string(name), std::move(labels), value});
  }
  void head(std::string_view name, std::string_view type, std::string_view help) {
    text_.append("# HELP ")
        .append(name)
        .append(" ")
        .append(help)
        .append("\n# TYPE ")
        .append(name)
        .append(" ");
    text_.append(type).append("\n");
  }
  void sample(Sample sample) {
    text_.append(sample.name).append(sample.labels).append(" ").append(to_text(sample.value)).append("\n");
    samples_.push_back(std::move(sample));
  }

  std::string text_;
  std::vector<Sample> samples_;
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  // ".", ".." and the descriptor of this very look do not count.
  for (count = 0; directory && ::readdir(directory.get()) != nullptr;) ++count;
  return count > 3 ? count - 3 : 0;
}

void add_process(Metrics& metrics) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  metrics.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                  seconds(usage.ru_utime) + seconds(usage.ru_stime));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  metrics.gauge("process_max_fds", "Maximum number of open file descriptors.", static_cast<double>(limit.rlim_cur));
  metrics.gauge("process_open_fds", "Number of open file descriptors.", static_cast<double>(open_descriptors()));
  std::ifstream statm("/proc/self/statm");
  double virtual_pages = 0;
  double resident_pages = 0;
  statm >> virtual_pages >> resident_pages;
  const auto page_size = static_cast<double>(::sysconf(_SC_PAGESIZE));
  metrics.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", resident_pages * page_size);
  metrics.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", virtual_pages * page_size);
}

void add_server(const Member& member, Metrics& metrics) {
  metrics.gauge("etcd_cluster_version", "Which version is running. 1 for 'cluster_version' label with current version", 1,
                R"({cluster_version=")" + cluster_version() + R"("})");
  metrics.gauge("etcd_server_version", "Which version is running. 1 for 'server_version' label with current version.", 1,
                R"({server_version=")" + std::string(kApiVersion) + R"("})");
  metrics.gauge("etcd_server_id", "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.", 1,
                R"({server_id=")" + to_hex(member.identity().member_id) + R"("})");
  metrics.gauge("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", 1);
  metrics.gauge("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", 1);
  metrics.gauge("etcd_server_is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.", 0);
}

void add_data(const store::Size& size, const store::ReadView& view, Metrics& metrics) {
  metrics.gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.",
                static_cast<double>(size.quota_bytes));
  metrics.gauge("etcd_mvcc_db_total_size_in_bytes",
                "Total size of the underlying database physically allocated in bytes.",
                static_cast<double>(size.total_bytes));
  metrics.gauge("etcd_mvcc_db_total_size_in_use_in_bytes",
                "Total size of the underlying database logically in use in bytes.",
                static_cast<double>(size.in_use_bytes));
  metrics.gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.",
                static_cast<double>(view.revision()));
  metrics.gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.",
                static_cast<double>(view.compact_revision()));
}

void add_requests(Member& member, Metrics& metrics) {
  const Counters& counters = member.counters();
  const auto count = [&](std::string_view name, std::string_view help, const Counter& counter) {
    metrics.counter(name, help, static_cast<double>(counter.value()));
  };
  count("etcd_mvcc_range_total", "Total number of ranges seen by this member.", counters.ranges);
  count("etcd_mvcc_put_total", "Total number of puts seen by this member.", counters.puts);
  count("etcd_mvcc_delete_total", "Total number of deletes seen by this member.", counters.deletes);
  count("etcd_mvcc_txn_total", "Total number of txns seen by this member.", counters.txns);
  count("etcd_debugging_lease_granted_total", "The total number of granted leases.", counters.leases_granted);
  count("etcd_debugging_lease_revoked_total", "The total number of revoked leases.", counters.leases_revoked);
  count("etcd_debugging_lease_renewed_total", "The number of renewed leases seen by the leader.",
        counters.leases_renewed);
  count("etcd_debugging_server_lease_expired_total", "The total number of expired leases.",
        counters.leases_expired);
  metrics.gauge("etcd_server_proposals_pending", "The current number of requests that wait for the writer.",
                static_cast<double>(member.writer().pending_count()));
  metrics.histogram("etcd_disk_wal_fsync_duration_seconds",
                    "How long it takes until a group of writes is on the disk.", counters.commits);
  const WatchHub::Statistics watches = member.hub().statistics();
  metrics.gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers.",
                static_cast<double>(watches.watchers));
  metrics.gauge("etcd_debugging_mvcc_slow_watcher_total", "Total number of unsynced slow watchers.",
                static_cast<double>(watches.behind));
  metrics.counter("etcd_debugging_mvcc_events_total", "Total number of events sent by this member.",
                  static_cast<double>(watches.events));
}

void add_peers(const ServerCounters& peers, Metrics& metrics) {
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    metrics.counter(name, help, static_cast<double>(value));
  };
  count("minigrpc_server_connections_accepted_total", "Connections of clients.", peers.connections_accepted);
  count("minigrpc_server_connections_refused_total", "Connections beyond the limit.",
        peers.connections_refused);
  count("minigrpc_server_handshakes_failed_total", "Connections on which TLS or HTTP/2 did not begin.",
        peers.handshakes_failed);
  count("minigrpc_server_connections_flooding_total",
        "Connections ended for resets, PINGs or empty frames without end.", peers.connections_flooding);
  count("minigrpc_server_connections_broken_total", "Connections ended for breaking the rules of HTTP/2.",
        peers.connections_broken);
  count("minigrpc_server_connections_stalled_total", "Connections ended since the client read nothing.",
        peers.connections_stalled);
  count("minigrpc_server_calls_refused_total", "Calls on connections that have too many.",
        peers.calls_refused);
}

Result<Metrics> all_metrics(Member& member) {
  const Result<store::Size> size = member.store().size();
  if (!size) return size.error();
  const Result<store::ReadView> view = member.store().read();
  if (!view) return view.error();
  Metrics metrics;
  add_server(member, metrics);
  add_data(*size, *view, metrics);
  add_requests(member, metrics);
  add_peers(member.server_counters(), metrics);
  add_process(metrics);
  return metrics;
}

Page failure_page(const Status& status) { return {.status = 500, .body = status.message() + "\n"}; }

Page metrics_page(Member& member) {
  const Result<Metrics> metrics = all_metrics(member);
  if (!metrics) return failure_page(metrics.error());
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics->text()};
}

// As Go's expvar has it, which etcd serves there: how it was started, and numbers.
Page variables_page(Member& member) {
  const Result<Metrics> metrics = all_metrics(member);
  if (!metrics) return failure_page(metrics.error());
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string arguments;
  for (std::string argument; std::getline(file, argument, '\0');)
    arguments += (arguments.empty() ? "" : ",") + json_quoted(argument);
  return {.content_type = std::string(kJson),
          .body = R"({"cmdline":[)" + arguments + R"(],"metrics":)" + metrics->json() + "}\n"};
}

Page version_page() {
  return {.content_type = std::string(kJson),
          .body = R"({"etcdserver":")" + std::string(kApiVersion) + R"(","etcdcluster":")" + cluster_version() + R"(.0"})"};
}

}  // namespace

Task<std::optional<Page>> make_page(Member& member, std::string path, std::string query) {
  if (path == "/version") co_return version_page();
  if (path == "/metrics") co_return metrics_page(member);
  if (path == "/debug/vars") co_return variables_page(member);
  if (path == "/health") {
    Task<Page> checking = health(member, std::move(query));
    Page page = co_await checking;
    co_return page;
  }
  const bool is_check = path == "/livez" || path == "/readyz" || path.starts_with("/livez/") || path.starts_with("/readyz/");
  if (!is_check) co_return std::nullopt;
  Task<std::optional<Page>> checking = liveness(member, std::move(path), std::move(query));
  std::optional<Page> page = co_await checking;
  co_return page;
}

}  // namespace minigrpc::registry
