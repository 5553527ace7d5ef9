#include "config_file.h"

#include <yaml-cpp/yaml.h>

#include <fstream>
#include <iterator>

namespace minigrpcd {

using minigrpc::Result;
using minigrpc::Status;
using minigrpc::StatusCode;

namespace {

constexpr std::string_view kClientSection = "client-transport-security";
constexpr std::string_view kPeerSection = "peer-transport-security";

Status unreadable(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

// A scalar, or a list as flags have it: with commas.
Result<std::string> value_of(const std::string& name, const YAML::Node& node) {
  if (node.IsNull()) return std::string();
  if (node.IsScalar()) return node.Scalar();
  if (!node.IsSequence()) return unreadable("'" + name + "' must be a value, or a list of them");
  std::string joined;
  for (const YAML::Node& item : node) {
    if (!item.IsScalar()) return unreadable("'" + name + "' must be a list of values");
    joined += (joined.empty() ? "" : ",") + item.Scalar();
  }
  return joined;
}

Status add_all(const YAML::Node& map, const std::string& prefix, std::vector<Setting>& settings) {
  for (const auto& entry : map) {
    const std::string key = entry.first.Scalar();
    if (prefix.empty() && (key == kClientSection || key == kPeerSection)) {
      if (entry.second.IsNull()) continue;
      if (!entry.second.IsMap()) return unreadable("'" + key + "' must have settings below it");
      // A space stands for "below a section, without a prefix", so that sections do not nest.
      if (Status status = add_all(entry.second, key == kPeerSection ? "peer-" : " ", settings); !status.ok())
        return status;
      continue;
    }
    Result<std::string> value = value_of(key, entry.second);
    if (!value) return value.error();
    settings.push_back({(prefix == " " ? "" : prefix) + key, *std::move(value)});
  }
  return Status();
}

}  // namespace

Result<std::vector<Setting>> parse_config(const std::string& yaml) {
  std::vector<Setting> settings;
  try {
    const YAML::Node root = YAML::Load(yaml);
    if (root.IsNull()) return settings;
    if (!root.IsMap()) return unreadable("it must consist of lines 'flag: value'");
    if (Status status = add_all(root, "", settings); !status.ok()) return status;
  } catch (const YAML::Exception& error) {
    return unreadable(error.what());
  }
  return settings;
}

Result<std::vector<Setting>> read_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return unreadable("cannot read the configuration file " + path);
  const std::string yaml{std::istreambuf_iterator<char>(file), {}};
  Result<std::vector<Setting>> settings = parse_config(yaml);
  if (!settings) return unreadable("configuration file " + path + ": " + settings.error().message());
  return settings;
}

}  // namespace minigrpcd
