#include <algorithm>
#include <cstdio>
#include <vector>

#include "grpc/testing/test.minigrpc.h"
#include "tests/conformance/cases.h"

namespace minigrpc::conformance {

using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using Client = grpc::testing::TestService::Client;
using Clock = std::chrono::steady_clock;

namespace {

struct Tally {
  int iterations = 0;
  int failures = 0;
};

// One iteration: OK, or why it counts as a failure.
Task<Status> iterate(const Setup* setup, const Channel* channel) {
  const Flags& flags = *setup->flags;
  SimpleRequest request;
  request.set_response_size(flags.number("soak_response_size"));
  request.mutable_payload()->mutable_body()->assign(static_cast<std::size_t>(flags.number("soak_request_size")),
                                                    '\0');
  const auto begin = Clock::now();
  auto calling = Client(*channel).UnaryCall(request);
  const Result<SimpleResponse> answer = co_await std::move(calling);
  if (!answer) co_return failure("the call ended with " + answer.error().to_string());
  const auto size = static_cast<std::size_t>(request.response_size());
  if (Status status = expect_zeros(answer->payload().body(), size); !status.ok()) co_return status;
  if (Clock::now() - begin > flags.milliseconds("soak_per_iteration_max_acceptable_latency_ms"))
    co_return failure("the call took too long");
  co_return Status();
}

// One of the --soak_num_threads rows of iterations.
Task<void> iterate_repeatedly(const Setup* setup, int iterations, bool new_channels, Tally* tally) {
  const Flags& flags = *setup->flags;
  const auto end = Clock::now() + std::chrono::seconds(flags.number("soak_overall_timeout_seconds"));
  for (int i = 0; i < iterations && Clock::now() < end; ++i) {
    const auto begin = Clock::now();
    const std::unique_ptr<Channel> own = new_channels ? setup->new_channel("") : nullptr;
    auto iterating = iterate(setup, own ? own.get() : setup->channel);
    const Status status = co_await std::move(iterating);
    ++tally->iterations;
    if (!status.ok()) {
      ++tally->failures;
      std::fprintf(stderr, "soak iteration %d: %s\n", i, status.message().c_str());
    }
    const auto next = begin + flags.milliseconds("soak_min_time_ms_between_rpcs");
    if (next > Clock::now()) co_await setup->runtime->sleep_until(next);
  }
}

Task<Status> soak(const Setup* setup, bool new_channels) {
  const int rows = std::max(setup->flags->number("soak_num_threads"), 1);
  const int iterations = setup->flags->number("soak_iterations") / rows;
  std::vector<Tally> tallies(static_cast<std::size_t>(rows));
  TaskScope scope(*setup->runtime);
  for (Tally& tally : tallies) scope.spawn(iterate_repeatedly(setup, iterations, new_channels, &tally));
  co_await scope.join();
  Tally sum;
  for (const Tally& tally : tallies) {
    sum.iterations += tally.iterations;
    sum.failures += tally.failures;
  }
  if (sum.iterations < iterations * rows)
    co_return failure("only " + std::to_string(sum.iterations) + " iterations fitted into the time");
  if (sum.failures > setup->flags->number("soak_max_failures"))
    co_return failure(std::to_string(sum.failures) + " iterations failed");
  co_return Status();
}

Task<Status> rpc_soak(const Setup* setup) { return soak(setup, false); }
Task<Status> channel_soak(const Setup* setup) { return soak(setup, true); }

}  // namespace

std::span<const Case> soak_cases() {
  static constexpr Case kCases[] = {{"rpc_soak", rpc_soak}, {"channel_soak", channel_soak}};
  return kCases;
}

}  // namespace minigrpc::conformance
