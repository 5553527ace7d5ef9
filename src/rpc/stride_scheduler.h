// StrideScheduler: gives out turns in proportion to weights, spread out evenly, without a queue.
//
// Place i is looked at in the rounds 0, 1, 2 …, each time worth its weight; it has its turn whenever the sum passes a
// multiple of the largest weight. So the heaviest has one turn a round, and one of half its weight every other round
// (gRPC A58, "static stride"). Thread rule: like a value. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace minigrpc::rpc {

class StrideScheduler {
 public:
  // At least one weight; none is negative, one at least is more than 0. `begin` is where the turns begin.
  StrideScheduler(const std::vector<double>& weights, std::uint64_t begin) : sequence_(begin) {
    const double heaviest = *std::max_element(weights.begin(), weights.end());
    for (const double weight : weights) {
      const auto scaled = static_cast<std::uint64_t>(weight / heaviest * kFull + 0.5);
      weights_.push_back(std::max<std::uint64_t>(scaled, 1));  // everybody has a turn at some time
    }
  }

  std::size_t next() {
    for (;;) {
      const std::uint64_t place = sequence_ % weights_.size();
      const std::uint64_t round = sequence_ / weights_.size();
      ++sequence_;
      // Places begin apart, lest those of equal weight have their turns in the same rounds.
      const std::uint64_t offset = place * (kFull / 2 + 1);
      const std::uint64_t weight = weights_[place];
      if ((weight * round + offset) % kFull >= kFull - weight) return place;
    }
  }

 private:
  static constexpr std::uint64_t kFull = 1u << 16;
  std::vector<std::uint64_t> weights_;  // of kFull
  std::uint64_t sequence_;
};

}  // namespace minigrpc::rpc
