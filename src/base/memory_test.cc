#include <minigrpc/detail/memory.h>

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace minigrpc::detail {
namespace {

// Blocks of every size hold what is written to them, whoever else is around.
TEST(Memory, BlocksDoNotOverlap) {
  constexpr unsigned kSeed = 17;
  std::minstd_rand random(kSeed);
  SCOPED_TRACE(kSeed);
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  const auto check = [](unsigned char* block, std::size_t size) {
    const auto mark = static_cast<unsigned char>(size);
    EXPECT_TRUE(block[0] == mark && block[size / 2] == mark && block[size - 1] == mark) << size;
  };
  for (int i = 0; i < 20'000; ++i) {
    if (blocks.size() > 200) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const auto [block, size] = blocks.back();
      blocks.pop_back();
      check(block, size);
      deallocate_block(block, size);
    }
    const std::size_t size = 1 + random() % (std::size_t{1} << (random() % 18));
    auto* block = static_cast<unsigned char*>(allocate_block(size));
    std::memset(block, static_cast<int>(size & 0xff), size);
    blocks.emplace_back(block, size);
  }
  for (const auto& [block, size] : blocks) {
    check(block, size);
    deallocate_block(block, size);
  }
}

TEST(Memory, EverySizeAroundTheBounds) {
  for (const std::size_t around : {8u, 24u, 40u, 1016u, 1024u, 1032u, 1280u, 2048u, 4u << 20, 8u << 20}) {
    for (std::size_t size = around - 2; size <= around + 2; ++size) {
      void* const block = allocate_block(size);
      std::memset(block, 1, size);
      deallocate_block(block, size);
    }
  }
}

TEST(Memory, ABlockMayEndOnAnotherThread) {
  std::vector<void*> blocks;
  std::thread([&blocks] {
    for (int i = 0; i < 100; ++i) blocks.push_back(allocate_block(100));
    deallocate_block(allocate_block(100), 100);
  }).join();
  for (void* block : blocks) deallocate_block(block, 100);
}

}  // namespace
}  // namespace minigrpc::detail
