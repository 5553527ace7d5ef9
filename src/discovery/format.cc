// The values under which services stand in a registry: ours, that of etcd's Go naming, and those of others.
//
//   etcd
//   {"Op":0,"Addr":"10.0.0.1:5051","Metadata":{"weight":1,"state":"serving","instance":…,"zone":…,"version":…}}
//   go-zero  10.0.0.1:5051
//   kratos   {"id":…,"version":…,"metadata":{"weight":"10"},"endpoints":["grpc://10.0.0.1:9000"]}
//   kitex    {"network":"tcp","address":"10.0.0.1:8888","weight":10,"tags":{…}}
#include <minigrpc/discovery.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "rpc/json.h"

namespace minigrpc::discovery {

namespace json = boost::json;

namespace {

Status malformed(std::string what) { return Status(StatusCode::kInvalidArgument, std::move(what)); }

std::string_view state_name(InstanceState state) {
  switch (state) {
    case InstanceState::kServing:
      return "serving";
    case InstanceState::kDraining:
      return "draining";
    case InstanceState::kDisabled:
      return "disabled";
  }
  return "serving";
}

// An unknown word is some other framework's: it does not keep its instance from being called.
InstanceState state_from(std::string_view name) {
  if (name == "draining") return InstanceState::kDraining;
  if (name == "disabled") return InstanceState::kDisabled;
  return InstanceState::kServing;
}

std::string_view text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

// A number, or the digits of one: kratos and Go programs write metadata as strings.
std::optional<std::int64_t> number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (!value->is_string()) return std::nullopt;
  const std::string_view digits = value->get_string();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::uint32_t weight_of(const json::object& object, std::uint32_t otherwise) {
  const std::optional<std::int64_t> weight = number_of(object, "weight");
  if (!weight || *weight <= 0 || *weight > std::numeric_limits<std::uint32_t>::max()) return otherwise;
  return static_cast<std::uint32_t>(*weight);
}

json::object object_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : json::object();
}

bool is_own_field(std::string_view name) {
  return name == "weight" || name == "state" || name == "instance" || name == "zone" || name == "version";
}

void read_metadata(Instance& instance, const json::object& metadata) {
  instance.weight = weight_of(metadata, instance.weight);
  instance.state = state_from(text_of(metadata, "state"));
  instance.zone = text_of(metadata, "zone");
  if (const std::string_view version = text_of(metadata, "version"); !version.empty())
    instance.version = version;
  if (const std::string_view id = text_of(metadata, "instance"); !id.empty()) instance.id = id;
  for (const json::key_value_pair& entry : metadata) {
    const std::string_view name = entry.key();
    if (is_own_field(name)) continue;
    if (entry.value().is_string())
      instance.attributes.emplace_back(name, std::string_view(entry.value().get_string()));
    else if (entry.value().is_int64())
      instance.attributes.emplace_back(name, std::to_string(entry.value().get_int64()));
  }
}

bool is_port(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 && number <= 65535;
}

bool is_printable_ascii(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte < 0x7f;
}

// "host:port", "[v6]:port", or "unix:path". Printable ASCII only: it is shown in messages and logs as it is.
bool is_address(std::string_view address) {
  if (!std::ranges::all_of(address, is_printable_ascii)) return false;
  if (address.starts_with("unix:")) return address.size() > 5;
  // Nobody outside may send calls to what a process keeps to itself.
  if (address.starts_with("in-process:")) return false;
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = address.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!bracketed && host.find_first_of(":[]") != std::string_view::npos) return false;
  if (host.find_first_of("/\"") != std::string_view::npos) return false;
  return is_port(address.substr(colon + 1));
}

Result<Instance> with_address(Instance instance, std::string_view address) {
  if (!is_address(address))
    return malformed("not an address: \"" + std::string(address.substr(0, 100)) + "\"");
  instance.address = address;
  return instance;
}

Result<Instance> parse_etcd(const json::object& object) {
  Instance instance;
  instance.format = Format::kEtcd;
  read_metadata(instance, object_of(object, "Metadata"));
  return with_address(std::move(instance), text_of(object, "Addr"));
}

Result<Instance> parse_kratos(const json::object& object) {
  Instance instance;
  instance.format = Format::kKratos;
  instance.id = text_of(object, "id");
  instance.version = text_of(object, "version");
  read_metadata(instance, object_of(object, "metadata"));
  const json::value& endpoints = object.at("endpoints");
  if (!endpoints.is_array()) return malformed("endpoints is not a list");
  constexpr std::string_view kScheme = "grpc://";
  for (const json::value& endpoint : endpoints.get_array()) {
    if (!endpoint.is_string()) continue;
    std::string_view url = endpoint.get_string();
    if (!url.starts_with(kScheme)) continue;
    url.remove_prefix(kScheme.size());
    return with_address(std::move(instance), url.substr(0, url.find_first_of("/?")));
  }
  return malformed("no grpc:// endpoint");
}

Result<Instance> parse_kitex(const json::object& object) {
  constexpr std::uint32_t kDefaultWeight = 10;
  Instance instance;
  instance.format = Format::kKitex;
  read_metadata(instance, object_of(object, "tags"));
  instance.weight = weight_of(object, kDefaultWeight);
  return with_address(std::move(instance), text_of(object, "address"));
}

}  // namespace

std::string instance_key(std::string_view service, std::string_view address) {
  return std::string(service) + "/" + std::string(address);
}

std::string format_instance(const Instance& instance) {
  json::object metadata;
  metadata["weight"] = instance.weight;
  metadata["state"] = state_name(instance.state);
  if (!instance.id.empty()) metadata["instance"] = instance.id;
  if (!instance.zone.empty()) metadata["zone"] = instance.zone;
  if (!instance.version.empty()) metadata["version"] = instance.version;
  for (const auto& [name, value] : instance.attributes)
    if (!is_own_field(name)) metadata[name] = value;
  // Readers of etcd's Go naming know these three names, and ignore Op.
  json::object value;
  value["Op"] = 0;
  value["Addr"] = instance.address;
  value["Metadata"] = std::move(metadata);
  return json::serialize(value);
}

Result<Instance> parse_instance(std::string_view value) {
  if (value.size() > limits::kInstanceValueSizeMax) return malformed("the value is too large");
  if (value.empty() || value.front() != '{') {
    Instance instance;
    instance.format = Format::kGoZero;
    return with_address(std::move(instance), value);
  }
  boost::system::error_code error;
  const json::value parsed = json::parse(json::string_view(value.data(), value.size()), error);
  if (error) return malformed("not JSON: " + error.message());
  const json::object& object = parsed.get_object();
  if (object.contains("Addr")) return parse_etcd(object);
  if (object.contains("endpoints")) return parse_kratos(object);
  if (object.contains("address")) return parse_kitex(object);
  return malformed("neither Addr nor endpoints nor address");
}

}  // namespace minigrpc::discovery
