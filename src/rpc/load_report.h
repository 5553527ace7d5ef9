// The wire format of a server's load: xds.data.orca.v3.OrcaLoadReport, in the trailer
// endpoint-load-metrics-bin or as a message of xds.service.orca.v3.OpenRcaService (gRPC A51). Without
// protobuf: a few fields of three kinds.
//
// Thread rule: free functions without state. Pure.
#pragma once

#include <minigrpc/load_report.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace minigrpc::rpc {

inline constexpr std::string_view kLoadReportHeader = "endpoint-load-metrics-bin";
inline constexpr std::string_view kLoadReportsPath = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics";

// Nothing for bytes that are no such message. Fields that are not in LoadReport are passed over; numbers that are not
// finite or below 0 count as not said.
std::optional<LoadReport> parse_load_report(std::string_view bytes);

std::string serialize_load_report(const LoadReport& report);

// An OrcaLoadReportRequest: a report each `period`.
std::string serialize_load_request(std::chrono::nanoseconds period);

}  // namespace minigrpc::rpc
