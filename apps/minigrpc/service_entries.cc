#include "service_entries.h"

#include <algorithm>

namespace minigrpc::cli {

namespace {

constexpr std::string_view kKratosPrefix = "/microservices/";
constexpr std::string_view kKitexPrefix = "kitex/registry-etcd/";

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

struct Parts {
  std::string_view service;
  std::string_view instance;
};

// "<service>/<instance>"; empty parts where there is no such slash.
Parts split(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  if (slash == std::string_view::npos) return {};
  return {key.substr(0, slash), key.substr(slash + 1)};
}

}  // namespace

std::vector<std::string> service_prefixes(std::string_view service) {
  const std::string name(service);
  return {name + "/", std::string(kKratosPrefix) + name + "/", std::string(kKitexPrefix) + name + "/"};
}

bool may_be_instance(const etcd::KeyValue& key) {
  if (key.key.starts_with(kKratosPrefix) || key.key.starts_with(kKitexPrefix)) return true;
  const Parts parts = split(key.key);
  if (parts.service.empty() || parts.instance.empty()) return false;
  return key.lease != 0 || parts.instance.find(':') != std::string_view::npos;
}

std::optional<ServiceEntry> parse_service_entry(const etcd::KeyValue& kv) {
  if (!may_be_instance(kv)) return std::nullopt;
  Result<discovery::Instance> instance = discovery::parse_instance(kv.value);
  if (!instance) return std::nullopt;
  std::string_view key = kv.key;
  switch (instance->format) {
    case discovery::Format::kKratos:
      if (!key.starts_with(kKratosPrefix)) return std::nullopt;
      key.remove_prefix(kKratosPrefix.size());
      break;
    case discovery::Format::kKitex:
      if (!key.starts_with(kKitexPrefix)) return std::nullopt;
      key.remove_prefix(kKitexPrefix.size());
      break;
    case discovery::Format::kGoZero:
      // Any setting may be an address; an instance's has a lease, and a number for its name.
      if (kv.lease == 0 || !all_digits(split(key).instance)) return std::nullopt;
      break;
    case discovery::Format::kEtcd:
      break;
  }
  const Parts parts = split(key);
  if (parts.service.empty()) return std::nullopt;
  return ServiceEntry{std::string(parts.service), *std::move(instance), kv.key, kv.lease};
}

std::string_view format_name(discovery::Format format) {
  switch (format) {
    case discovery::Format::kEtcd:
      return "etcd";
    case discovery::Format::kGoZero:
      return "go-zero";
    case discovery::Format::kKratos:
      return "kratos";
    case discovery::Format::kKitex:
      return "kitex";
  }
  return "";
}

std::string_view state_name(discovery::InstanceState state) {
  switch (state) {
    case discovery::InstanceState::kServing:
      return "serving";
    case discovery::InstanceState::kDraining:
      return "draining";
    case discovery::InstanceState::kDisabled:
      return "disabled";
  }
  return "";
}

}  // namespace minigrpc::cli
