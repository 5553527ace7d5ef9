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

HttpPage health_page(bool healthy, std::string_view reason) {
  return {.status = healthy ? 200 : 503,
          .content_type = std::string(kJson),
          .body = std::string(R"({"health":)") + (healthy ? R"("true")" : R"("false")") + R"(,"reason":)" +
                  json_quoted(reason) + "}"};
}

// As etcd: an alarm is no health, unless the caller does not want to know of it.
Task<HttpPage> health(Member& member, std::string query) {
  Task<Status> checking = check_writer(member);
  const Status status = co_await checking;
  if (!status.ok()) co_return health_page(false, status.message());
  if (query.find("exclude=NOSPACE") != std::string::npos) co_return health_page(true, {});
  const Result<bool> full = out_of_space(member);
  if (!full) co_return health_page(false, full.error().message());
  co_return health_page(!*full, *full ? "ALARM NOSPACE" : "");
}

// The answer of /livez and /readyz: "ok", or every check by name.
HttpPage checks_page(const std::vector<Check>& checks, bool verbose, std::string_view what) {
  HttpPage page;
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

Task<std::optional<HttpPage>> liveness(Member& member, std::string path, std::string query) {
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

// The text format of Prometheus.
class MetricsText {
 public:
  void add(std::string_view name, std::string_view type, std::string_view help, double value,
           const std::string& labels = {}) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ");
    text_.append(type).append("\n").append(name).append(labels).append(" ").append(number(value)).append("\n");
  }
  void gauge(std::string_view name, std::string_view help, double value, const std::string& labels = {}) {
    add(name, "gauge", help, value, labels);
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string number(double value) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.17g", value);
    return text.data();
  }
  std::string text_;
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  // ".", ".." and the descriptor of this very look do not count.
  for (count = 0; directory && ::readdir(directory.get()) != nullptr;) ++count;
  return count > 3 ? count - 3 : 0;
}

void add_process(MetricsText& metrics) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  metrics.add("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
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

void add_server(const Member& member, MetricsText& metrics) {
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

Result<std::string> metrics_text(Member& member) {
  const Result<store::Size> size = member.store().size();
  if (!size) return size.error();
  const Result<store::ReadView> view = member.store().read();
  if (!view) return view.error();
  MetricsText metrics;
  add_server(member, metrics);
  metrics.gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.",
                static_cast<double>(size->quota_bytes));
  metrics.gauge("etcd_mvcc_db_total_size_in_bytes", "Total size of the underlying database physically allocated in bytes.",
                static_cast<double>(size->total_bytes));
  metrics.gauge("etcd_mvcc_db_total_size_in_use_in_bytes",
                "Total size of the underlying database logically in use in bytes.",
                static_cast<double>(size->in_use_bytes));
  metrics.gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.",
                static_cast<double>(view->revision()));
  metrics.gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.",
                static_cast<double>(view->compact_revision()));
  add_process(metrics);
  return metrics.take();
}

HttpPage metrics_page(Member& member) {
  Result<std::string> text = metrics_text(member);
  if (!text) return {.status = 500, .body = text.error().message() + "\n"};
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = *std::move(text)};
}

HttpPage version_page() {
  return {.content_type = std::string(kJson),
          .body = R"({"etcdserver":")" + std::string(kApiVersion) + R"(","etcdcluster":")" + cluster_version() + R"(.0"})"};
}

}  // namespace

Task<std::optional<HttpPage>> make_page(Member& member, std::string path, std::string query) {
  if (path == "/version") co_return version_page();
  if (path == "/metrics") co_return metrics_page(member);
  if (path == "/health") {
    Task<HttpPage> checking = health(member, std::move(query));
    HttpPage page = co_await checking;
    co_return page;
  }
  const bool is_check = path == "/livez" || path == "/readyz" || path.starts_with("/livez/") || path.starts_with("/readyz/");
  if (!is_check) co_return std::nullopt;
  Task<std::optional<HttpPage>> checking = liveness(member, std::move(path), std::move(query));
  std::optional<HttpPage> page = co_await checking;
  co_return page;
}

}  // namespace minigrpc::registry
