// Where minigrpc's parts tell what happened: a function of yours.
//
// Thread rule: a sink is called from any thread, also from several at once, and must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace minigrpc {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

// What happened, and named values about it. Borrowed until the sink returns.
struct LogRecord {
  LogLevel level;
  std::string_view message;
  std::span<const std::pair<std::string_view, std::string>> fields;
};

// Called from any thread, also from several at once.
using LogSink = std::function<void(const LogRecord&)>;

}  // namespace minigrpc
