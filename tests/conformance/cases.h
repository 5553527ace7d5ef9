// The client's cases of gRPC's interop-test-descriptions.md: each a task that ends with OK, or says what was not as it
// should be.
//
// Thread rule: sync_wait() one at a time.
#pragma once

#include <minigrpc/channel.h>

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "tests/conformance/flags.h"

namespace minigrpc::conformance {

struct Setup {
  Runtime* runtime;
  const Channel* channel;
  // One more channel to the same server, with that policy; "" is the usual one.
  std::function<std::unique_ptr<Channel>(const std::string& policy)> new_channel;
  const Flags* flags;
};

struct Case {
  std::string_view name;
  Task<Status> (*run)(const Setup* setup);
};

std::span<const Case> unary_cases();
std::span<const Case> stream_cases();
std::span<const Case> soak_cases();
std::span<const Case> load_cases();

// ---- what the cases share ----

inline constexpr std::size_t kLargeRequestSize = 271828;
inline constexpr int kLargeResponseSize = 314159;
inline constexpr std::string_view kEchoInitial = "x-grpc-test-echo-initial";
inline constexpr std::string_view kEchoInitialValue = "test_initial_metadata_value";
inline constexpr std::string_view kEchoTrailing = "x-grpc-test-echo-trailing-bin";
inline constexpr std::string_view kEchoTrailingValue = "\xab\xab\xab";

// Why a case has failed.
inline Status failure(std::string why) { return Status(StatusCode::kFailedPrecondition, std::move(why)); }
// OK where a call ended with `code`, and with `message` if that is not null.
Status expect_status(const Status& status, StatusCode code, const char* message = nullptr);
Status expect_zeros(std::string_view body, std::size_t size);
Status expect_echoed(const CallDetails& details);
Metadata metadata_to_echo();

}  // namespace minigrpc::conformance
