// Log: what a long-running program tells its operator, as lines of message and named values.
//
// Thread rule: any thread.
#pragma once

#include <minigrpc/registry.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace minigrpc::registry {

// As etcd prints lease and member ids.
std::string to_hex(std::uint64_t number);
inline std::string to_hex(std::int64_t number) { return to_hex(static_cast<std::uint64_t>(number)); }

class Log {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

  // An empty sink drops everything.
  explicit Log(LogSink sink) : sink_(std::move(sink)) {}

  void debug(std::string_view message, Fields fields = {}) const { write(LogLevel::kDebug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(LogLevel::kInfo, message, fields); }
  void warn(std::string_view message, Fields fields = {}) const { write(LogLevel::kWarn, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { write(LogLevel::kError, message, fields); }

 private:
  void write(LogLevel level, std::string_view message, Fields fields) const;
  LogSink sink_;
};

}  // namespace minigrpc::registry
