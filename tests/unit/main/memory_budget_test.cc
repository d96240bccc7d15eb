#include "main/memory_budget.h"

#include <gtest/gtest.h>

#include <bit>

namespace ringmq {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(MemoryBudgetTest, Sizes) {
  EXPECT_EQ(*ParseSize("64M"), 64 * kMiB);
  EXPECT_EQ(*ParseSize("1g"), 1024 * kMiB);
  EXPECT_EQ(*ParseSize("512MiB"), 512 * kMiB);
  EXPECT_EQ(*ParseSize("1048576"), kMiB);
  EXPECT_EQ(*ParseSize("1024KB"), kMiB);
  for (const char* wrong : {"", "M", "-1M", "1.5G", "10X", "0", "64Mx", "64 M", "99999999999T", "1iB"}) {
    EXPECT_FALSE(ParseSize(wrong).ok()) << wrong;
  }
}

// The parts together must not be more than what was given, whatever was given.
TEST(MemoryBudgetTest, TheSharesFit) {
  for (const uint64_t each : {8 * kMiB, 9 * kMiB + 12345, 128 * kMiB, 4096 * kMiB}) {
    for (const size_t shards : {1u, 2u, 7u, 64u}) {
      const auto budget = SplitMemory(each * shards, shards);
      ASSERT_TRUE(budget.ok()) << budget.status();
      EXPECT_LE(budget->total(), each) << each << " " << shards;
      EXPECT_TRUE(std::has_single_bit(budget->receive_buffers));
    }
  }
  EXPECT_FALSE(SplitMemory(15 * kMiB, 2).ok());
}

TEST(MemoryBudgetTest, TheDefaultIsModestAndAlwaysEnough) {
  EXPECT_EQ(DefaultMemory(24 * 1024 * kMiB, 2), 256 * kMiB);
  EXPECT_EQ(DefaultMemory(512 * 1024 * kMiB, 64), 2048 * kMiB);
  for (const uint64_t limit : {128 * kMiB, 256 * kMiB, 512 * kMiB, 1024 * kMiB, 4096 * kMiB}) {
    const uint64_t attacked = DefaultMemory(limit, 2) * 7 / 2 + 30 * kMiB;
    EXPECT_LE(attacked, limit * 7 / 8) << "in a control group with " << limit / kMiB << " MiB the kernel would end it";
  }
  for (const size_t shards : {1u, 2u, 16u}) EXPECT_TRUE(SplitMemory(DefaultMemory(16 * kMiB, shards), shards).ok());
}

}  // namespace
}  // namespace ringmq
