// NamedServer: a server that answers with its name, for the tests of where calls go.
//
// Thread rule: any thread; what a test sets holds for the calls that come later.
#pragma once

#include <minigrpc/load_report.h>
#include <minigrpc/resolver.h>

#include <atomic>
#include <string>
#include <utility>

#include "rpc/test_echo.h"

namespace minigrpc::test {

class Named final : public Service {
 public:
  explicit Named(std::string name) : name_(std::move(name)) {}
  std::string_view service_name() const override { return "test.Echo"; }
  std::span<const Method> service_methods() const override {
    static constexpr Method kMethods[] = {{kUnary, &detail::serve_unary<Named, Text, Text, &Named::Unary>}};
    return kMethods;
  }
  Task<Result<Text>> Unary(ServerContext& context, Text) {
    const LoadReport report{.application_utilization = utilization, .requests_per_second = 100};
    if (report.application_utilization > 0) report_load(context, report);
    if (failing) co_return Status(StatusCode::kInternal, "sick");
    Text answer{name_};
    co_return answer;
  }

  std::atomic<double> utilization{0};  // reported with each answer; 0: nothing is
  std::atomic<bool> failing{false};

 private:
  const std::string name_;
};

struct NamedServer {
  // `also` is served as well, unless null. It and `runtime` are borrowed for the life of this.
  NamedServer(Runtime& runtime, std::string name, Service* also = nullptr) : service(std::move(name)), server(runtime) {
    server.add(service);
    if (also != nullptr) server.add(*also);
    endpoint.address = "127.0.0.1:" + std::to_string(*server.listen("127.0.0.1:0"));
  }

  Named service;
  Server server;
  Endpoint endpoint;
};

}  // namespace minigrpc::test
