#include <minigrpc/result.h>

#include "flags.h"
#include "output.h"
#include "text.h"

namespace minigrpc::cli {

namespace {

std::string truth(bool value) { return value ? "true" : "false"; }

class TablePrinter final : public Printer {
 public:
  explicit TablePrinter(std::ostream& out) : out_(out) {}

  void members(const etcd::MemberListResponse& response) override {
    std::vector<std::vector<std::string>> rows;
    for (const etcd::Member& member : response.members)
      rows.push_back({hexadecimal(member.id), member.name.empty() ? "unstarted" : "started", member.name,
                      joined(member.peer_urls, ","), joined(member.client_urls, ","),
                      truth(member.is_learner)});
    out_ << drawn_table({"ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"}, rows);
  }

  void endpoint_status(const std::vector<EndpointStatus>& list) override {
    std::vector<std::vector<std::string>> rows;
    for (const EndpointStatus& entry : list) {
      const etcd::MemberStatusResponse& status = entry.status;
      rows.push_back({entry.endpoint, hexadecimal(status.header.member_id), status.version,
                      human_size(static_cast<std::uint64_t>(status.db_size)),
                      truth(status.leader == status.header.member_id), truth(status.is_learner),
                      std::to_string(status.raft_term), std::to_string(status.raft_index),
                      std::to_string(status.raft_applied_index), joined(status.errors, ", ")});
    }
    out_ << drawn_table({"endpoint", "ID", "version", "db size", "is leader", "is learner", "raft term",
                         "raft index", "raft applied index", "errors"},
                        rows);
  }

  void endpoint_health(const std::vector<EndpointHealth>& list) override {
    std::vector<std::vector<std::string>> rows;
    for (const EndpointHealth& entry : list)
      rows.push_back({entry.endpoint, truth(entry.healthy), format_duration(entry.took), entry.error});
    out_ << drawn_table({"endpoint", "health", "took", "error"}, rows);
  }

  void endpoint_hashes(const std::vector<EndpointHash>& list) override {
    std::vector<std::vector<std::string>> rows;
    for (const EndpointHash& entry : list) rows.push_back({entry.endpoint, std::to_string(entry.hash)});
    out_ << drawn_table({"endpoint", "hash"}, rows);
  }

  void put(const etcd::PutResponse&) override { no_table(); }
  void range(const etcd::RangeResponse&, RangeParts) override { no_table(); }
  void deleted(const etcd::DeleteRangeResponse&) override { no_table(); }
  void txn(const etcd::TxnResponse&) override { no_table(); }
  void watch(const WatchOutput&) override { no_table(); }
  void lease_granted(const etcd::LeaseGrantResponse&) override { no_table(); }
  void lease_revoked(etcd::LeaseId, const etcd::LeaseRevokeResponse&) override { no_table(); }
  void lease_kept_alive(const etcd::LeaseKeepAliveResponse&) override { no_table(); }
  void lease_time_to_live(const etcd::LeaseTimeToLiveResponse&, bool) override { no_table(); }
  void leases(const etcd::LeaseLeasesResponse&) override { no_table(); }

 private:
  // The command line refuses `-w table` for verbs without one, before they do anything.
  [[noreturn]] static void no_table() { detail::contract_violation("no table for this verb"); }
  std::ostream& out_;
};

}  // namespace

std::unique_ptr<Printer> make_table_printer(std::ostream& out) { return std::make_unique<TablePrinter>(out); }

}  // namespace minigrpc::cli
