// What every fuzz target shares: its entry point, its input as text, and how it says that something is wrong.
//
// Thread rule: a target runs on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// To be defined by the target. Returns 0; aborts if what the decoder promises does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace minigrpc::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Aborts, which libFuzzer and the replay both report with the input at hand, unless `holds`.
inline void expect(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace minigrpc::fuzz
