// What the C++ clients share: the cases' names, what they send, and the program around them.
//
//   client HOST:PORT [CASE ...]     "ok NAME" or "FAIL NAME: why" for each; status 0 when all cases pass
//
// Thread rule: one thread.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "peer.pb.h"

// Every case, in the order in which they run: a client defines a function of each name.
#define MINIGRPC_INTEROP_CASES(CASE)  \
  CASE(empty_unary)                   \
  CASE(large_unary)                   \
  CASE(response_too_large)            \
  CASE(request_too_large)             \
  CASE(server_streaming)              \
  CASE(empty_server_stream)           \
  CASE(flow_control)                  \
  CASE(client_streaming)              \
  CASE(empty_client_stream)           \
  CASE(ping_pong)                     \
  CASE(half_close)                    \
  CASE(metadata_repeated)             \
  CASE(metadata_binary)               \
  CASE(status_codes)                  \
  CASE(status_message)                \
  CASE(status_details)                \
  CASE(status_after_messages)         \
  CASE(status_before_end_of_requests) \
  CASE(missing_method)                \
  CASE(missing_service)               \
  CASE(deadline_exceeded)             \
  CASE(deadline_seen)                 \
  CASE(cancel_unary)                  \
  CASE(cancel_server_stream)          \
  CASE(cancel_bidi)                   \
  CASE(concurrent)                    \
  CASE(prod)

namespace minigrpc::interop {

inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

inline Request request_of(std::string payload, int response_count = 0, int response_size = 0) {
  Request request;
  request.set_payload(std::move(payload));
  request.set_response_count(response_count);
  request.set_response_size(response_size);
  return request;
}

template <class Function>
struct Case {
  const char* name;
  Function* run;
};

// Runs the cases that `only` names; all of them where it is empty. `why_failed(run)` calls one, and returns
// why it failed, or nothing. Returns the program's status.
template <class Cases, class WhyFailed>
int run_cases(const Cases& cases, const std::vector<std::string>& only, WhyFailed why_failed) {
  bool all_passed = true;
  for (const auto& one : cases) {
    if (!only.empty() && std::find(only.begin(), only.end(), one.name) == only.end()) continue;
    const std::string why = why_failed(one.run);
    if (why.empty())
      std::printf("ok %s\n", one.name);
    else
      std::printf("FAIL %s: %s\n", one.name, why.c_str());
    std::fflush(stdout);
    all_passed = all_passed && why.empty();
  }
  return all_passed ? 0 : 1;
}

// main(): `run(target, only)` returns the program's status.
template <class Run>
int client_main(int argc, char** argv, Run run) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s HOST:PORT [CASE ...]\n", argv[0]);
    return 2;
  }
  return run(std::string(argv[1]), std::vector<std::string>(argv + 2, argv + argc));
}

}  // namespace minigrpc::interop
