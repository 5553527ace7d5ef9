#include <algorithm>
#include <vector>

#include "fuzz/target.h"
#include "wire/status_trailers.h"

using namespace minigrpc;

// Header fields as lines, "name:value"; the first byte picks the HTTP status.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const int http_status = data[0] == '0' ? 200 : 100 + data[0] * 2;
  std::string_view text = fuzz::text_of(data, size).substr(1);
  std::vector<wire::HeaderView> trailers;
  bool has_status = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    trailers.push_back({line.substr(0, colon), line.substr(colon + 1)});
    has_status = has_status || trailers.back().name == "grpc-status";
  }

  const Status status = wire::status_from_trailers(trailers, http_status);
  fuzz::expect((status.origin() == StatusOrigin::kPeer) == has_status, "the origin says who said so");
  fuzz::expect(has_status || !status.ok(), "success is never inferred");
  if (has_status) {
    const wire::StatusTrailers again(status);
    fuzz::expect(wire::status_from_trailers(again.headers(), 200) == status,
                 "a status survives its trailers");
  }
  return 0;
}
