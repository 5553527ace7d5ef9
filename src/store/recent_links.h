// The links of the versions that were written last. Who writes a key again needs those of its version before; to
// find and decode that event in the log was a fifth of the processor time of a put.
//
// Thread rule: one thread, the writer's. Nothing here outlives the process: what is not known is read.
#pragma once

#include <cstddef>
#include <optional>

#include "store/memory_chunk.h"
#include "store/record.h"

namespace minigrpc::store {

class RecentLinks {
 public:
  void add(Revision at, const Links& links) {
    if (!places_) places_.emplace(kPlaces * sizeof(Place));
    place(at) = {at, links.jump, links.depth, links.jump_depth};
  }
  // Without `prev`.
  std::optional<Links> find(Revision at) const {
    if (!places_) return std::nullopt;
    const Place& known = place(at);
    if (known.at != at) return std::nullopt;
    return Links{.depth = known.depth, .prev = {}, .jump = known.jump, .jump_depth = known.jump_depth};
  }
  // Revisions that were rolled back will be given again.
  void clear() { places_.reset(); }

 private:
  // All zeros: of no version.
  struct Place {
    Revision at;
    Revision jump;
    std::uint64_t depth;
    std::uint64_t jump_depth;
  };
  // 3 MiB, once so many were written.
  static constexpr std::size_t kPlaces = std::size_t{1} << 16;
  Place& place(Revision at) const {
    return reinterpret_cast<Place*>(places_->bytes())[(static_cast<std::size_t>(at.main) + at.sub) % kPlaces];
  }

  std::optional<MemoryChunk> places_;
};

}  // namespace minigrpc::store
