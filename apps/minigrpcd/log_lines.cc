#include "log_lines.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>

namespace minigrpcd {

namespace {

char letter(minigrpc::LogLevel level) {
  switch (level) {
    case minigrpc::LogLevel::kDebug:
      return 'D';
    case minigrpc::LogLevel::kInfo:
      return 'I';
    case minigrpc::LogLevel::kWarn:
      return 'W';
    case minigrpc::LogLevel::kError:
      return 'E';
  }
  return '?';
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  const std::time_t seconds = static_cast<std::time_t>(microseconds / 1'000'000);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%06d", static_cast<int>(microseconds % 1'000'000));
  return std::string(text, size) + fraction;
}

}  // namespace

minigrpc::LogSink log_lines(minigrpc::LogLevel level) {
  return [level](const minigrpc::LogRecord& record) {
    if (record.level < level) return;
    std::string line = timestamp() + ' ' + letter(record.level) + " | minigrpcd: " + std::string(record.message);
    const char* separator = " (";
    for (const auto& [name, value] : record.fields) {
      line += separator + std::string(name) + '=' + value;
      separator = ", ";
    }
    line += record.fields.empty() ? "\n" : ")\n";
    // A log that cannot be written is no reason to stop, and there is nobody to tell.
    if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
  };
}

}  // namespace minigrpcd
