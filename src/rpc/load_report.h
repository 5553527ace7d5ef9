// The load that a server reports with an answer: the trailer endpoint-load-metrics-bin, a serialized
// xds.data.orca.v3.OrcaLoadReport (gRPC A51).
//
// Thread rule: free functions without state. Pure.
#pragma once

#include <minigrpc/balancer.h>

#include <optional>
#include <string_view>

namespace minigrpc::rpc {

inline constexpr std::string_view kLoadReportHeader = "endpoint-load-metrics-bin";

// Nothing for bytes that are no such message. Fields that are not in LoadReport are passed over; numbers that are not
// finite or below 0 count as not said.
std::optional<LoadReport> parse_load_report(std::string_view bytes);

}  // namespace minigrpc::rpc
