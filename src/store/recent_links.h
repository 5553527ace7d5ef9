// The links of the versions that were written last: for what a key's Ancestry does not tell, of a tombstone, and of
// where a jump over two jumps leads. To find and decode events in the log was a fifth of the processor time of a put.
//
// Thread rule: one thread, the writer's. Nothing here outlives the process: what is not known is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "store/memory_chunk.h"
#include "store/record.h"

namespace minigrpc::store {

class RecentLinks {
 public:
  void add(Revision at, const Links& links) {
    if (links.depth > kDepthMax) return;
    if (!places_) places_.emplace(kPlaces * sizeof(Place));
    place(at) = {.at_main = at.main,
                 .jump_main = links.jump.main,
                 .at_sub = at.sub,
                 .jump_sub = links.jump.sub,
                 .depth = static_cast<std::uint32_t>(links.depth),
                 .jump_depth = static_cast<std::uint32_t>(links.jump_depth)};
  }
  // Without `prev`.
  std::optional<Links> find(Revision at) const {
    if (!places_) return std::nullopt;
    const Place& known = place(at);
    if (known.at_main != at.main || known.at_sub != at.sub) return std::nullopt;
    return Links{known.depth, {}, {known.jump_main, known.jump_sub}, known.jump_depth};
  }
  // Revisions that were rolled back will be given again.
  void clear() { places_.reset(); }

 private:
  // Half a cache line. All zeros: of no version.
  struct Place {
    std::int64_t at_main;
    std::int64_t jump_main;
    std::uint32_t at_sub;
    std::uint32_t jump_sub;
    std::uint32_t depth;
    std::uint32_t jump_depth;
  };
  static constexpr std::uint64_t kDepthMax = std::numeric_limits<std::uint32_t>::max();
  // One large page.
  static constexpr std::size_t kPlaces = std::size_t{1} << 16;
  static_assert(kPlaces * sizeof(Place) == MemoryChunk::kLargePage);

  Place& place(Revision at) const {
    return reinterpret_cast<Place*>(places_->bytes())[(static_cast<std::size_t>(at.main) + at.sub) % kPlaces];
  }

  std::optional<MemoryChunk> places_;
};

}  // namespace minigrpc::store
