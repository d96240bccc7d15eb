#include "broker/placement.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace broker {
namespace {

// Where a queue lives is on disk: another hash, or another way to use it, would look for old messages on the wrong shard.
TEST(PlacementTest, TheHashNeverChanges) {
  EXPECT_EQ(StableHash(""), 0xcbf29ce484222325u ^ (0xcbf29ce484222325u >> 32));
  const uint64_t plain = 0xaf63dc4c8601ec8cu;  // FNV-1a of "a", from its authors' test suite
  EXPECT_EQ(StableHash("a"), plain ^ (plain >> 32));
}

TEST(PlacementTest, TheQueuesOfATopicGoRoundAllShards) {
  for (const uint32_t shards : {1u, 2u, 3u, 7u, 64u}) {
    const Placement placement(shards);
    std::set<uint32_t> owners;
    for (int32_t queue = 0; queue < static_cast<int32_t>(shards); ++queue) {
      owners.insert(placement.OwnerOf("Topic1", queue).value());
    }
    EXPECT_EQ(owners.size(), shards);
    EXPECT_EQ(placement.OwnerOf("Topic1", 0), placement.OwnerOf("Topic1", static_cast<int32_t>(shards)));
  }
}

TEST(PlacementTest, EachShardHasAQueueOfATopicWithAQueueForEach) {
  for (uint32_t shards = 1; shards <= 9; ++shards) {
    const Placement placement(shards);
    for (uint32_t shard = 0; shard < shards; ++shard) {
      const int32_t queue = placement.QueueOn(core::ShardId(shard), "rmq_sys_wheel_timer");
      EXPECT_EQ(placement.OwnerOf("rmq_sys_wheel_timer", queue), core::ShardId(shard));
      EXPECT_GE(queue, 0);
      EXPECT_LT(queue, static_cast<int32_t>(shards));
    }
  }
}

// Topics with one queue each must not gather on a few shards.
TEST(PlacementTest, FirstQueuesOfManyTopicsAreSpread) {
  const Placement placement(16);
  int counts[16] = {};
  for (int i = 0; i < 16000; ++i) ++counts[placement.OwnerOf("topic-" + std::to_string(i), 0).value()];
  for (const int count : counts) {
    EXPECT_GT(count, 800);
    EXPECT_LT(count, 1200);
  }
}

TEST(PlacementTest, EveryQueueIdHasAnOwnerInRange) {
  const Placement placement(3);
  for (const int32_t queue : {INT32_MIN, -1, 0, INT32_MAX}) EXPECT_LT(placement.OwnerOf("T", queue).value(), 3u);
}

}  // namespace
}  // namespace broker
