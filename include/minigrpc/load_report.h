// LoadReport: what a server says of its load (ORCA, gRPC A51), so that clients give it its share:
// weighted_round_robin, or a policy of your own (minigrpc/balancer.h). A handler says it with its answer,
//
//   report_load(context, {.application_utilization = 0.7, .requests_per_second = 1200});
//
// or the server by itself, to clients that ask for it:
//
//   LoadReporter load(runtime);
//   server.add(load.service());
//   load.set({.application_utilization = 0.7, .requests_per_second = 1200});   // as often as it changes
//
// Thread rule: a LoadReport is a value.
#pragma once

#include <minigrpc/context.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace minigrpc {

class Runtime;
class ServerContext;
class Service;

// Numbers are finite and at least 0; 0 stands for nothing said.
struct LoadReport {
  using Numbers = std::map<std::string, double, std::less<>>;  // by names of the server's own

  double application_utilization = 0;  // what the server takes for its utilization; 1 is its capacity
  double cpu_utilization = 0;
  double memory_utilization = 0;
  double requests_per_second = 0;
  double errors_per_second = 0;
  Numbers utilization{};   // of other resources
  Numbers request_cost{};  // of the call that it comes with
  Numbers named_metrics{};
  TimePoint received_at{};  // the client's; not sent
};

// Sends `report` with the status of the handler's call, whatever that is. Once a call.
void report_load(ServerContext& context, const LoadReport& report);

namespace services {
class LoadService;
}

struct LoadReporterOptions {
  // The least time between two reports on one stream, whatever the client asks for.
  std::chrono::nanoseconds period_min = std::chrono::seconds(30);
};

// xds.service.orca.v3.OpenRcaService.
//
// Thread rule: any thread, but construction and destruction. Must outlive the server it was added to.
class LoadReporter {
 public:
  // `runtime` is borrowed for the life of this.
  explicit LoadReporter(Runtime& runtime, LoadReporterOptions options = {});
  ~LoadReporter();
  LoadReporter(const LoadReporter&) = delete;
  LoadReporter& operator=(const LoadReporter&) = delete;

  // Borrowed for the life of this.
  Service& service();

  // What every stream says from now on, all of it; request_cost is left out. Before the first: nothing.
  void set(LoadReport report);
  // Ends the streams with UNAVAILABLE: before Server::shutdown(), which would wait for them.
  void end_reports();

 private:
  std::unique_ptr<services::LoadService> impl_;
};

}  // namespace minigrpc
