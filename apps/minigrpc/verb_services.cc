// services: who is registered, and where.
#include <algorithm>
#include <map>
#include <memory>

#include "invocation.h"
#include "json_object.h"
#include "service_entries.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

// Keys are read in pages, without their values, which may be large and are none of our business.
constexpr std::int64_t kPageSize = 1000;
// Values that one transaction asks for: etcd allows 128 operations.
constexpr std::size_t kBatchSize = 100;

// Seconds left of each lease; -1 for one that is gone.
using LeasesLeft = std::map<etcd::LeaseId, std::int64_t>;

// The keys under `range` that may be an instance's.
Task<Status> collect_keys(etcd::Client& client, etcd::KeyRange range, std::vector<std::string>& keys) {
  while (true) {
    etcd::RangeRequest request;
    request.keys = range;
    request.limit = kPageSize;
    request.keys_only = true;
    Task<Result<etcd::RangeResponse>> reading = client.Range(std::move(request));
    const Result<etcd::RangeResponse> page = co_await reading;
    if (!page) co_return page.error();
    for (const etcd::KeyValue& kv : page->kvs)
      if (may_be_instance(kv)) keys.push_back(kv.key);
    if (!page->more || page->kvs.empty()) co_return Status();
    range.key = page->kvs.back().key + std::string(1, '\0');
  }
}

Task<Status> read_entries(etcd::Client& client, const std::vector<std::string>& keys,
                          std::vector<ServiceEntry>& entries) {
  for (std::size_t begin = 0; begin < keys.size(); begin += kBatchSize) {
    etcd::TxnRequest batch;
    for (std::size_t i = begin; i < std::min(begin + kBatchSize, keys.size()); ++i) {
      etcd::RangeRequest request;
      request.keys = etcd::KeyRange::single(keys[i]);
      batch.then(std::move(request));
    }
    Task<Result<etcd::TxnResponse>> reading = client.Txn(std::move(batch));
    const Result<etcd::TxnResponse> response = co_await reading;
    if (!response) co_return response.error();
    for (const etcd::ResponseOp& op : response->responses) {
      const auto* range = std::get_if<etcd::RangeResponse>(&op);
      if (range == nullptr || range->kvs.empty()) continue;  // deleted meanwhile
      if (std::optional<ServiceEntry> entry = parse_service_entry(range->kvs[0]))
        entries.push_back(*std::move(entry));
    }
  }
  co_return Status();
}

Task<Status> read_leases(etcd::Client& client, const std::vector<ServiceEntry>& entries, LeasesLeft& left) {
  for (const ServiceEntry& entry : entries) {
    if (entry.lease == 0 || left.contains(entry.lease)) continue;
    etcd::LeaseTimeToLiveRequest request{.id = entry.lease};
    Task<Result<etcd::LeaseTimeToLiveResponse>> asking = client.LeaseTimeToLive(std::move(request));
    const Result<etcd::LeaseTimeToLiveResponse> response = co_await asking;
    if (!response) co_return response.error();
    left[entry.lease] = response->ttl_s;
  }
  co_return Status();
}

struct Listing {
  std::vector<ServiceEntry> entries;
  LeasesLeft leases_left;
};

Task<Result<Listing>> list(etcd::Client& client, std::string service) {
  std::vector<etcd::KeyRange> ranges;
  if (service.empty()) ranges.push_back(etcd::KeyRange::all());
  if (!service.empty())
    for (const std::string& prefix : service_prefixes(service))
      ranges.push_back(etcd::KeyRange::prefix(prefix));
  std::vector<std::string> keys;
  for (const etcd::KeyRange& range : ranges)
    if (Status status = co_await collect_keys(client, range, keys); !status.ok()) co_return status;
  Listing listing;
  if (Status status = co_await read_entries(client, keys, listing.entries); !status.ok()) co_return status;
  // "shop" is not "shop/eu", whose keys begin alike.
  if (!service.empty())
    std::erase_if(listing.entries,
                  [&service](const ServiceEntry& entry) { return entry.service != service; });
  std::ranges::stable_sort(listing.entries, {}, &ServiceEntry::service);
  if (Status status = co_await read_leases(client, listing.entries, listing.leases_left); !status.ok())
    co_return status;
  co_return listing;
}

std::string metadata_text(const discovery::Instance& instance) {
  std::vector<std::string> parts;
  if (!instance.zone.empty()) parts.push_back("zone=" + instance.zone);
  if (!instance.version.empty()) parts.push_back("version=" + instance.version);
  if (!instance.id.empty()) parts.push_back("instance=" + instance.id);
  for (const auto& [name, value] : instance.attributes) parts.push_back(name + "=" + value);
  return joined(parts, " ");
}

std::string lease_text(const ServiceEntry& entry, const LeasesLeft& left) {
  if (entry.lease == 0) return "no lease";
  const std::int64_t seconds = left.at(entry.lease);
  return seconds < 0 ? "expired" : std::to_string(seconds) + "s";
}

const std::vector<std::string> kHeadings{"SERVICE",    "ADDRESS", "STATE",   "WEIGHT",
                                         "LEASE LEFT", "FORMAT",  "METADATA"};

std::vector<std::vector<std::string>> table_rows(const Listing& listing) {
  std::vector<std::vector<std::string>> rows;
  for (const ServiceEntry& entry : listing.entries)
    rows.push_back({entry.service, entry.instance.address, std::string(state_name(entry.instance.state)),
                    std::to_string(entry.instance.weight), lease_text(entry, listing.leases_left),
                    std::string(format_name(entry.instance.format)), metadata_text(entry.instance)});
  return rows;
}

std::string to_json(const Listing& listing) {
  JsonList list;
  for (const ServiceEntry& entry : listing.entries) {
    const discovery::Instance& instance = entry.instance;
    JsonObject object;
    object.string("service", entry.service).string("address", instance.address);
    object.string("state", state_name(instance.state)).number("weight", instance.weight);
    object.string("format", format_name(instance.format)).string("key", entry.key);
    if (entry.lease != 0)
      object.string("lease", hexadecimal(static_cast<std::uint64_t>(entry.lease), 16))
          .number("lease_left_s", listing.leases_left.at(entry.lease));
    object.string_unless_empty("zone", instance.zone).string_unless_empty("version", instance.version);
    object.string_unless_empty("instance", instance.id);
    JsonObject attributes;
    for (const auto& [name, value] : instance.attributes) attributes.string(name, value);
    list.add(object.json("metadata", attributes.text()).text());
  }
  return list.text();
}

void print_fields(std::ostream& out, const Listing& listing) {
  const std::vector<std::string> names{"Service",   "Address", "State",   "Weight",
                                       "LeaseLeft", "Format",  "Metadata"};
  for (const std::vector<std::string>& row : table_rows(listing)) {
    for (std::size_t i = 0; i < row.size(); ++i)
      out << '"' << names[i] << "\" : " << go_quoted(row[i]) << "\n";
    out << "\n";
  }
}

int services(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() > 1) return invocation.fail(Exit::kBadArguments, "services takes one name at most");
  const std::string name = arguments.size() == 1 ? arguments[0] : "";
  const Result<Listing> listing = sync_wait(list(invocation.client(), name));
  if (!listing) return invocation.fail(listing.error());
  std::ostream& out = invocation.out();
  const bool found = !listing->entries.empty();
  switch (invocation.format()) {
    case OutputFormat::kProtobuf:  // refused by main(), as has_protobuf says
    case OutputFormat::kSimple:
      if (found) out << aligned_columns(kHeadings, table_rows(*listing));
      break;
    case OutputFormat::kTable:
      out << drawn_table(kHeadings, table_rows(*listing));
      break;
    case OutputFormat::kJson:
      out << to_json(*listing) << "\n";
      break;
    case OutputFormat::kFields:
      print_fields(out, *listing);
      break;
  }
  if (found) return 0;
  if (!name.empty()) return invocation.fail(Exit::kError, "no instance of " + name + " is registered");
  out.flush();
  invocation.err() << "No service is registered.\n";
  return 0;
}

}  // namespace

Verb services_verb() {
  Verb verb{.path = "services",
            .arguments = "[name]",
            .summary = "Show who is registered, where, and for how long"};
  verb.description =
      "Understands what minigrpc, etcd's Go naming, go-zero, kratos and kitex register. With a name it exits "
      "with 1 when\n"
      "nobody serves that. Without one it looks through every key.";
  verb.examples =
      "minigrpc services\n"
      "minigrpc services ProdService -w json";
  verb.has_table = true;
  verb.run = services;
  return verb;
}

}  // namespace minigrpc::cli
