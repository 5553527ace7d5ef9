// The flags of the examples: --name VALUE or --name=VALUE, --help, and an exit with status 2 for what cannot
// be.
//
// Thread rule: one thread.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

class Flags {
 public:
  struct Flag {
    std::string name, standard, meaning;
  };

  Flags(int argc, char** argv, std::string about, std::vector<Flag> flags)
      : program_(argv[0]), about_(std::move(about)), flags_(std::move(flags)) {
    for (const Flag& flag : flags_) values_[flag.name] = flag.standard;
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (word == "--help" || word == "-h") help();
      const std::size_t equals = std::min(word.find('='), word.size());
      const auto value = values_.find(std::string(word.substr(0, equals)));
      if (value == values_.end()) fail("there is no " + std::string(word));
      if (equals < word.size())
        value->second = word.substr(equals + 1);
      else if (++i < argc)
        value->second = argv[i];
      else
        fail(value->first + " wants a value");
    }
  }

  const std::string& operator[](const std::string& name) const { return values_.at(name); }

  int number(const std::string& name) const { return parse(name, values_.at(name), "a number"); }

  // "100ms", "2s"
  std::chrono::milliseconds duration(const std::string& name) const {
    const std::string_view text = values_.at(name);
    if (text.ends_with("ms"))
      return std::chrono::milliseconds(parse(name, text.substr(0, text.size() - 2), kDuration));
    if (text.ends_with("s"))
      return std::chrono::seconds(parse(name, text.substr(0, text.size() - 1), kDuration));
    fail(name + " wants " + kDuration + ", not '" + std::string(text) + "'");
  }

  // "host:port", or empty
  const std::string& address(const std::string& name) const {
    const std::string& text = values_.at(name);
    const std::size_t colon = text.rfind(':');
    if (!text.empty() && (colon == std::string::npos || colon + 1 == text.size()))
      fail(name + " wants HOST:PORT, not '" + text + "'");
    return text;
  }

  [[noreturn]] void fail(const std::string& why) const {
    std::cerr << program_ << ": " << why << " (see --help)\n";
    std::exit(2);
  }

 private:
  static constexpr const char* kDuration = "a duration like 100ms or 2s";

  int parse(const std::string& name, std::string_view text, const char* what) const {
    int number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0)
      fail(name + " wants " + what + ", not '" + values_.at(name) + "'");
    return number;
  }

  [[noreturn]] void help() const {
    std::cout << about_ << "\n\n";
    for (const Flag& flag : flags_)
      std::cout << "  " << flag.name << "  " << flag.meaning
                << (flag.standard.empty() ? "" : " (" + flag.standard + ")") << "\n";
    std::exit(0);
  }

  std::string program_;
  std::string about_;
  std::vector<Flag> flags_;
  std::map<std::string, std::string> values_;
};
