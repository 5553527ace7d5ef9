#include "rpc/load_report.h"

#include <cmath>

#include "fuzz/target.h"

using namespace minigrpc;

// What a server appends to its answers.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto report = rpc::parse_load_report(fuzz::text_of(data, size));
  if (!report) return 0;
  for (const double number : {report->application_utilization, report->cpu_utilization, report->memory_utilization,
                              report->requests_per_second, report->errors_per_second})
    fuzz::expect(std::isfinite(number) && number >= 0, "every number can be reckoned with");
  for (const auto* numbers : {&report->utilization, &report->request_cost, &report->named_metrics})
    for (const auto& [name, number] : *numbers)
      fuzz::expect(std::isfinite(number) && number >= 0, "every named number can be reckoned with");
  const auto again = rpc::parse_load_report(rpc::serialize_load_report(*report));
  fuzz::expect(
      again && again->utilization == report->utilization && again->cpu_utilization == report->cpu_utilization,
      "what was read can be written");
  return 0;
}
