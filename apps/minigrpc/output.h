// Printer: how answers of the registry are written, in the formats of etcdctl 3.4 (simple, json, fields,
// table, protobuf).
//
// Scripts read this output: it is the same, byte for byte, as etcdctl's. Thread rule: one thread.
#pragma once

#include <minigrpc/etcd_types.h>

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::cli {

enum class OutputFormat : std::uint8_t { kSimple, kJson, kFields, kTable, kProtobuf };

struct OutputOptions {
  OutputFormat format = OutputFormat::kSimple;
  bool hex = false;  // keys and values as \x61\x62, in the simple format
};

struct EndpointStatus {
  std::string endpoint;
  etcd::MemberStatusResponse status;
};
struct EndpointHealth {
  std::string endpoint;
  bool healthy = false;
  std::chrono::nanoseconds took{};
  std::string error;
};
struct EndpointHash {
  std::string endpoint;
  etcd::ResponseHeader header;
  std::uint32_t hash = 0;
  std::int64_t compact_revision = 0;
};
struct WatchOutput {
  etcd::ResponseHeader header;
  std::vector<etcd::WatchEvent> events;
  bool canceled = false;
  std::int64_t compact_revision = 0;
};

// Which parts of an answer a range is printed for.
enum class RangeParts : std::uint8_t { kAll, kValues, kCount };

class Printer {
 public:
  virtual ~Printer() = default;
  virtual void put(const etcd::PutResponse& response) = 0;
  // `parts` concerns the simple format alone.
  virtual void range(const etcd::RangeResponse& response, RangeParts parts) = 0;
  virtual void deleted(const etcd::DeleteRangeResponse& response) = 0;
  virtual void txn(const etcd::TxnResponse& response) = 0;
  virtual void watch(const WatchOutput& response) = 0;
  virtual void lease_granted(const etcd::LeaseGrantResponse& response) = 0;
  virtual void lease_revoked(etcd::LeaseId id, const etcd::LeaseRevokeResponse& response) = 0;
  virtual void lease_kept_alive(const etcd::LeaseKeepAliveResponse& response) = 0;
  virtual void lease_time_to_live(const etcd::LeaseTimeToLiveResponse& response, bool with_keys) = 0;
  virtual void leases(const etcd::LeaseLeasesResponse& response) = 0;
  virtual void members(const etcd::MemberListResponse& response) = 0;
  virtual void endpoint_status(const std::vector<EndpointStatus>& list) = 0;
  virtual void endpoint_health(const std::vector<EndpointHealth>& list) = 0;
  virtual void endpoint_hashes(const std::vector<EndpointHash>& list) = 0;
};

// `out` is borrowed for the life of the printer. A table has members and endpoints only (Verb::has_table), protobuf has
// what is no list over several endpoints (Verb::has_protobuf); anything else asserts.
std::unique_ptr<Printer> make_printer(std::ostream& out, OutputOptions options);

// Each in its own file.
std::unique_ptr<Printer> make_simple_printer(std::ostream& out, bool hex);
std::unique_ptr<Printer> make_json_printer(std::ostream& out);
std::unique_ptr<Printer> make_fields_printer(std::ostream& out);
std::unique_ptr<Printer> make_table_printer(std::ostream& out);
std::unique_ptr<Printer> make_protobuf_printer(std::ostream& out);

}  // namespace minigrpc::cli
