#include "tests/conformance/flags.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace minigrpc::conformance {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

}  // namespace

Flags::Flags(int argc, char** argv, std::map<std::string, std::string, std::less<>> defaults)
    : values_(std::move(defaults)) {
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (!name.starts_with('-')) refuse("not a flag: " + std::string(name));
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    const std::size_t equals = name.find('=');
    const auto flag = values_.find(name.substr(0, equals));
    if (flag == values_.end()) refuse("no such flag: --" + std::string(name.substr(0, equals)));
    if (equals != std::string_view::npos)
      flag->second = name.substr(equals + 1);
    else if (i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("--"))
      flag->second = argv[++i];
    else
      flag->second = "true";
  }
}

const std::string& Flags::text(std::string_view name) const { return values_.find(name)->second; }

bool Flags::boolean(std::string_view name) const {
  const std::string& value = text(name);
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0" || value.empty()) return false;
  refuse("--" + std::string(name) + " is true or false, not " + value);
}

int Flags::number(std::string_view name) const {
  const std::string& value = text(name);
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size())
    refuse("--" + std::string(name) + " is a number, not " + value);
  return number;
}

}  // namespace minigrpc::conformance
