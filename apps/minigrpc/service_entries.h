// What stands in a registry about services: which keys speak of instances, in the conventions of each
// ecosystem.
//
//   etcd     <service>/<host:port>                          {"Op":0,"Addr":"10.0.0.1:5051",…}
//   go-zero  <service>/<number>                             10.0.0.1:5051
//   kratos   /microservices/<service>/<id>                  {"id":…,"endpoints":["grpc://10.0.0.1:9000"]}
//   kitex    kitex/registry-etcd/<service>/<host:port>      {"network":"tcp","address":"10.0.0.1:8888",…}
//
// Pure functions. Thread rule: any thread.
#pragma once

#include <minigrpc/discovery.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::cli {

struct ServiceEntry {
  std::string service;
  discovery::Instance instance;
  std::string key;
  etcd::LeaseId lease = 0;
};

// The prefixes under which instances of `service` may stand.
std::vector<std::string> service_prefixes(std::string_view service);

// Whether the key could be an instance's, so that its value is worth reading.
bool may_be_instance(const etcd::KeyValue& key);

// The instance that the key and its value speak of, or nullopt: they speak of something else.
std::optional<ServiceEntry> parse_service_entry(const etcd::KeyValue& kv);

std::string_view format_name(discovery::Format format);
std::string_view state_name(discovery::InstanceState state);

}  // namespace minigrpc::cli
