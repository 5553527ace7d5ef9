#include "bench_report.h"

#include <algorithm>
#include <cstdio>

#include "json_object.h"

namespace minigrpc::cli {

namespace {

constexpr std::size_t kRowCount = 12;
constexpr std::size_t kBarWidth = 40;

struct Percentile {
  std::string_view name;
  double share;
};
constexpr Percentile kPercentiles[] = {{"p50", 0.5},  {"p75", 0.75},    {"p90", 0.9},      {"p95", 0.95},
                                       {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

std::string decimal(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double milliseconds(std::chrono::nanoseconds duration) { return static_cast<double>(duration.count()) / 1e6; }

// Three digits that count: 0.0412, 1.73, 250.
std::string ms_text(std::chrono::nanoseconds duration) {
  const double value = milliseconds(duration);
  return decimal(value, value < 0.1 ? 4 : value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0) + " ms";
}

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

double rate_of(std::uint64_t count, std::chrono::nanoseconds took) {
  return took.count() <= 0 ? 0 : static_cast<double>(count) / std::chrono::duration<double>(took).count();
}

std::string rate_text(std::uint64_t count, std::chrono::nanoseconds took) {
  const double rate = rate_of(count, took);
  return rate < 100 ? decimal(rate, 1) : with_commas(static_cast<std::uint64_t>(rate + 0.5));
}

std::string padded(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string histogram_text(const LatencyHistogram& latencies) {
  const auto rows = latencies.rows(kRowCount);
  std::uint64_t most = 1;
  for (const auto& row : rows) most = std::max(most, row.count);
  std::string text;
  for (const auto& row : rows) {
    const std::size_t width = static_cast<std::size_t>(row.count * kBarWidth / most);
    text += "  " + padded(ms_text(row.up_to), 11) + " " + padded(with_commas(row.count), 12) + " " +
            std::string(width, '#') + "\n";
  }
  return text;
}

std::string line(std::string_view name, const std::string& value) {
  return std::string(name) + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + value + "\n";
}

}  // namespace

std::string bench_text(const BenchSetting& setting, const BenchOutcome& outcome) {
  const LoadStats& stats = outcome.stats;
  const LatencyHistogram& latencies = stats.latencies;
  std::string load = std::to_string(setting.connection_count) + " connections x " +
                     std::to_string(setting.stream_count) + " streams, " +
                     std::to_string(setting.thread_count) + " threads";
  if (setting.rate > 0)
    load += ", " + decimal(setting.rate, 0) + " calls/s due (latencies from when a call was due)";
  std::string text = line("target", setting.target) +
                     line("method", setting.method + " (" + setting.kind + ")") + line("load", load);
  text += line("took", decimal(std::chrono::duration<double>(outcome.took).count(), 2) + " s" +
                           (outcome.interrupted ? ", interrupted" : ""));
  const std::uint64_t calls = stats.ended_count();
  text += line("calls", with_commas(calls) + ", " + rate_text(calls, outcome.took) + " a second");
  text += line("messages", with_commas(stats.messages_sent) + " sent, " +
                               with_commas(stats.messages_received) + " received, " +
                               rate_text(stats.messages_sent + stats.messages_received, outcome.took) +
                               " a second");
  text += line("bytes",
               with_commas(stats.bytes_sent) + " sent, " + with_commas(stats.bytes_received) + " received");
  if (calls > 0)
    text += line(
        "processor",
        decimal(static_cast<double>(outcome.processor_time.count()) / 1e3 / static_cast<double>(calls), 2) +
            " us of ours for each call");
  if (latencies.count() > 0) {
    text += "\nlatency\n";
    text += "  min " + ms_text(latencies.min()) + "   mean " + ms_text(latencies.mean()) + "   stddev " +
            ms_text(latencies.standard_deviation()) + "   max " + ms_text(latencies.max()) + "\n";
    for (const Percentile& percentile : kPercentiles)
      text += "  " + std::string(percentile.name) + std::string(8 - percentile.name.size(), ' ') +
              ms_text(latencies.percentile(percentile.share)) + "\n";
    text += "\nhistogram (up to, calls)\n" + histogram_text(latencies);
  }
  text += "\nstatus\n";
  for (std::size_t code = 0; code < LoadStats::kCodeCount; ++code) {
    if (stats.ended[code] == 0) continue;
    text += "  " + std::string(status_code_name(static_cast<StatusCode>(code))) + "  " +
            with_commas(stats.ended[code]);
    if (!stats.examples[code].empty()) text += "  (" + stats.examples[code] + ")";
    text += "\n";
  }
  if (stats.never_begun > 0)
    text += "\n" + with_commas(stats.never_begun) +
            " calls were due but not begun: the server does not keep up at this rate, or --streams are too "
            "few.\n";
  return text;
}

std::string bench_json(const BenchSetting& setting, const BenchOutcome& outcome) {
  const LoadStats& stats = outcome.stats;
  const LatencyHistogram& latencies = stats.latencies;
  const auto ms = [](std::chrono::nanoseconds duration) { return decimal(milliseconds(duration), 6); };
  JsonObject latency;
  latency.json("min", ms(latencies.min())).json("mean", ms(latencies.mean()));
  latency.json("stddev", ms(latencies.standard_deviation()));
  for (const Percentile& percentile : kPercentiles)
    latency.json(percentile.name, ms(latencies.percentile(percentile.share)));
  latency.json("max", ms(latencies.max()));
  JsonList histogram;
  for (const auto& row : latencies.rows(kRowCount))
    histogram.add(JsonObject().json("up_to_ms", ms(row.up_to)).number("count", row.count).text());
  JsonObject statuses;
  JsonObject failures;
  for (std::size_t code = 0; code < LoadStats::kCodeCount; ++code) {
    const std::string_view name = status_code_name(static_cast<StatusCode>(code));
    if (stats.ended[code] > 0) statuses.number(name, stats.ended[code]);
    if (!stats.examples[code].empty()) failures.string(name, stats.examples[code]);
  }
  const std::uint64_t calls = stats.ended_count();
  JsonObject object;
  object.string("target", setting.target).string("method", setting.method).string("kind", setting.kind);
  object.number("connections", setting.connection_count).number("streams", setting.stream_count);
  object.number("threads", setting.thread_count);
  if (setting.rate > 0) object.json("rate", decimal(setting.rate, 3));
  object.json("took_s", decimal(std::chrono::duration<double>(outcome.took).count(), 6));
  object.flag("interrupted", outcome.interrupted);
  object.number("calls", calls).json("calls_per_s", decimal(rate_of(calls, outcome.took), 1));
  object.number("failed", stats.failed_count()).number("never_begun", stats.never_begun);
  object.number("messages_sent", stats.messages_sent).number("messages_received", stats.messages_received);
  object.number("bytes_sent", stats.bytes_sent).number("bytes_received", stats.bytes_received);
  object.json("processor_us_per_call",
              decimal(calls == 0 ? 0
                                 : static_cast<double>(outcome.processor_time.count()) / 1e3 /
                                       static_cast<double>(calls),
                      3));
  object.json("latency_ms", latency.text()).json("histogram", histogram.text());
  object.json("statuses", statuses.text()).json("failures", failures.text());
  return object.text();
}

std::string bench_progress(const LoadStats& stats, std::chrono::nanoseconds elapsed) {
  std::string text = padded(decimal(std::chrono::duration<double>(elapsed).count(), 0), 4) + " s  " +
                     rate_text(stats.ended_count(), elapsed) + " calls/s  p50 " +
                     ms_text(stats.latencies.percentile(0.5)) + "  p99 " +
                     ms_text(stats.latencies.percentile(0.99));
  if (stats.failed_count() > 0) text += "  " + with_commas(stats.failed_count()) + " failed";
  return text;
}

}  // namespace minigrpc::cli
