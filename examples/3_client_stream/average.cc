// Many requests, one reply: the server answers once the client has sent everything.
#include "average.minigrpc.h"

#include <iostream>

using namespace minigrpc;
using namespace std::chrono_literals;

class Averager final : public average::Averager::Handler {
 public:
  Task<Result<average::Summary>> Average(ServerContext&, ServerReader<average::Sample>& reader) override {
    average::Summary summary;
    double sum = 0;
    while (std::optional<average::Sample> sample = co_await reader.read()) {
      sum += sample->value();
      summary.set_count(summary.count() + 1);
    }
    if (summary.count() == 0) co_return Status(StatusCode::kInvalidArgument, "no samples, no average");
    summary.set_mean(sum / summary.count());
    co_return summary;
  }
};

Task<Result<average::Summary>> average_of(average::Averager::Client client, std::vector<double> values) {
  auto samples = client.Average({.timeout = 5s});
  average::Sample sample;
  for (const double value : values) {
    sample.set_value(value);
    const bool taken = co_await samples.write(sample);
    if (!taken) break;  // the call is over; finish() tells why
  }
  co_return co_await samples.finish();
}

int main() {
  Runtime runtime;

  Averager averager;
  Server server(runtime);
  server.add(averager);
  const Result<std::uint16_t> port = server.listen("127.0.0.1:0");
  if (!port) {
    std::cerr << port.error().to_string() << '\n';
    return 1;
  }

  const Channel channel(runtime, "127.0.0.1:" + std::to_string(*port));
  const average::Averager::Client client(channel);
  const Result<average::Summary> summary = sync_wait(average_of(client, {1, 2, 6}));
  if (!summary) {
    std::cerr << summary.error().to_string() << '\n';
    return 1;
  }
  std::cout << "mean of " << summary->count() << ": " << summary->mean() << '\n';

  const Result<average::Summary> none = sync_wait(average_of(client, {}));
  std::cout << none.status().to_string() << '\n';
}
