// The flags of gRPC's interoperability programs: --name=value or --name value; a --name alone is "true".
//
// Thread rule: main()'s.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace minigrpc::conformance {

class Flags {
 public:
  // `defaults` has every flag that exists. What is wrong on the command line ends the program with status 2.
  Flags(int argc, char** argv, std::map<std::string, std::string, std::less<>> defaults);

  const std::string& text(std::string_view name) const;
  bool boolean(std::string_view name) const;
  int number(std::string_view name) const;
  std::chrono::milliseconds milliseconds(std::string_view name) const {
    return std::chrono::milliseconds(number(name));
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace minigrpc::conformance
