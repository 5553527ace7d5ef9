#include "rpc/hash_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace minigrpc::rpc {
namespace {

std::vector<HashRing::Name> numbered(std::size_t count) {
  std::vector<HashRing::Name> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back({"10.0.0." + std::to_string(i) + ":5051"});
  return names;
}

constexpr int kKeys = 20'000;

// The name that each key belongs to.
std::vector<std::string> owners(const std::vector<HashRing::Name>& names, HashRing::Bounds bounds = {}) {
  const HashRing ring(names, bounds);
  std::vector<std::string> owners;
  for (int i = 0; i < kKeys; ++i)
    owners.push_back(names[ring.name_at(ring.find(stable_hash("key " + std::to_string(i))))].name);
  return owners;
}

std::map<std::string, int> shares(const std::vector<HashRing::Name>& names) {
  std::map<std::string, int> shares;
  for (const std::string& owner : owners(names)) ++shares[owner];
  return shares;
}

TEST(HashRing, OnlyTheKeysOfANameThatGoesMove) {
  auto names = numbered(40);
  const auto before = owners(names);
  const std::string gone = names[17].name;
  names.erase(names.begin() + 17);
  const auto after = owners(names);
  for (int i = 0; i < kKeys; ++i) {
    if (before[i] == gone) continue;
    ASSERT_EQ(after[i], before[i]) << i;
  }
}

TEST(HashRing, ANameThatComesTakesItsShareOnly) {
  const auto before = owners(numbered(40));
  const auto names = numbered(41);
  const auto after = owners(names);
  int moved = 0;
  for (int i = 0; i < kKeys; ++i) {
    if (after[i] == before[i]) continue;
    ASSERT_EQ(after[i], names.back().name);
    ++moved;
  }
  EXPECT_NEAR(moved, kKeys / 41.0, kKeys / 41.0 / 2);
}

TEST(HashRing, TheOrderOfTheListDoesNotMatter) {
  auto names = numbered(20);
  const auto before = owners(names);
  std::reverse(names.begin(), names.end());
  EXPECT_EQ(owners(names), before);
}

TEST(HashRing, SharesAreEvenOrByWeight) {
  for (const auto& [name, count] : shares(numbered(10))) EXPECT_NEAR(count, kKeys / 10, kKeys / 10 * 0.35) << name;
  auto names = numbered(4);
  for (auto& name : names) name.weight = 10;
  names[0].weight = 30;
  const auto weighted = shares(names);
  EXPECT_NEAR(weighted.at(names[0].name), kKeys / 2, kKeys / 2 * 0.2);
}

TEST(HashRing, WeightsWithACommonFactorAreTheSame) {
  auto names = numbered(10);
  const auto before = owners(names);
  for (auto& name : names) name.weight = 100;
  EXPECT_EQ(owners(names), before);
}

TEST(HashRing, ItsSizeIsBounded) {
  EXPECT_EQ(HashRing(numbered(10), {}).size(), 1280u);
  EXPECT_GE(HashRing(numbered(2), {.size_min = 1000}).size(), 1000u);
  EXPECT_LE(HashRing(numbered(100), {.size_max = 1000}).size(), 1000u);
  EXPECT_EQ(HashRing(numbered(100), {.size_max = 10}).size(), 100u) << "everybody has a point";
  EXPECT_EQ(HashRing({}, {}).size(), 0u);
}

// Clients of different versions must agree.
TEST(HashRing, TheHashStaysWhatItIs) {
  EXPECT_EQ(stable_hash(""), 0xf52a15e9a9b5e89bu);
  EXPECT_EQ(stable_hash("user-17"), 9010221644199825511u);
}

}  // namespace
}  // namespace minigrpc::rpc
