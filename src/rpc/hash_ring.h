// HashRing: gives each key one of several names, so that a name that comes or goes moves the keys of its own only.
//
// Each name stands at many points of a circle of 64-bit hashes; a key belongs to the first point at or after its hash.
// Where a name's points are depends on nothing but the name, so all clients agree. Thread rule: constant. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::rpc {

// The same on every machine and in every version: clients must agree.
std::uint64_t stable_hash(std::string_view text);

class HashRing {
 public:
  struct Name {
    std::string name;
    std::uint32_t weight = 1;
  };
  struct Bounds {
    std::size_t size_min = 1;
    std::size_t size_max = 1u << 16;
  };
  // Points for each unit of weight. It does not depend on how many names there are, unless a bound makes it, since
  // every change of it moves keys.
  static constexpr std::size_t kPointsPerWeight = 128;

  HashRing() = default;
  HashRing(const std::vector<Name>& names, Bounds bounds);

  std::size_t size() const { return points_.size(); }
  // The place in points where `hash` belongs; the ring must not be empty.
  std::size_t find(std::uint64_t hash) const;
  // The number of the name that stands at that point, or so many points further.
  std::size_t name_at(std::size_t point) const { return points_[point % points_.size()].name; }

 private:
  struct Point {
    std::uint64_t hash;
    std::uint32_t name;
  };
  std::vector<Point> points_;  // in order of their hashes
};

}  // namespace minigrpc::rpc
