#include "rpc/hash_ring.h"

#include <algorithm>
#include <numeric>

namespace minigrpc::rpc {

namespace {

// Spreads what FNV leaves together (splitmix64's last step).
std::uint64_t spread(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

}  // namespace

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return spread(hash);
}

HashRing::HashRing(const std::vector<Name>& names, Bounds bounds) {
  std::uint64_t total = 0;
  std::uint64_t unit = 0;  // 10 and 20 are as good as 1 and 2
  for (const Name& name : names) {
    total += std::max<std::uint32_t>(name.weight, 1);
    unit = std::gcd<std::uint64_t>(unit, std::max<std::uint32_t>(name.weight, 1));
  }
  if (total == 0) return;
  // By powers of two: a change then comes seldom, and leaves half of the points where they were.
  double points_per_weight = static_cast<double>(kPointsPerWeight) / static_cast<double>(unit);
  const auto size = [&] { return points_per_weight * static_cast<double>(total); };
  while (size() < static_cast<double>(bounds.size_min)) points_per_weight *= 2;
  while (size() > static_cast<double>(bounds.size_max)) points_per_weight /= 2;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double wanted = points_per_weight * std::max<std::uint32_t>(names[i].weight, 1);
    const std::size_t count = std::max<std::size_t>(static_cast<std::size_t>(wanted), 1);
    const std::uint64_t seed = stable_hash(names[i].name);
    for (std::size_t k = 0; k < count; ++k)
      points_.push_back({spread(seed + k * 0x9e3779b97f4a7c15u), static_cast<std::uint32_t>(i)});
  }
  std::sort(points_.begin(), points_.end(), [&](const Point& a, const Point& b) {
    return a.hash != b.hash ? a.hash < b.hash : names[a.name].name < names[b.name].name;
  });
}

std::size_t HashRing::find(std::uint64_t hash) const {
  const auto point =
      std::lower_bound(points_.begin(), points_.end(), hash, [](const Point& a, std::uint64_t b) { return a.hash < b; });
  return point == points_.end() ? 0 : static_cast<std::size_t>(point - points_.begin());
}

}  // namespace minigrpc::rpc
