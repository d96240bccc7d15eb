// Goal: inspect says what readers would see, from indexes and from segments without one.
#include "store/tools/overview.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/sim/world.h"
#include "tests/unit/store/tools/tools_fixture.h"

namespace store::tools {
namespace {

core::Task<absl::Status> InspectMain() {
  CO_ASSIGN_OR_RETURN(const Overview overview, co_await InspectFolder("data"));
  EXPECT_EQ(overview.damages, 0U);
  EXPECT_EQ(overview.logs.size(), 2U);
  EXPECT_EQ(overview.queues.size(), 4U);
  for (const auto& [key, queue] : overview.queues) {
    EXPECT_EQ(key.topic, "T");
    EXPECT_EQ(queue.log, static_cast<uint32_t>(key.queue_id % 2));
    EXPECT_EQ(queue.min, 0);
    EXPECT_EQ(queue.max, 200);
    EXPECT_EQ(queue.messages, 200U);
    EXPECT_GT(queue.time_min, 0);
    EXPECT_GE(queue.time_max, queue.time_min);
  }
  for (const LogOverview& log : overview.logs) {
    EXPECT_TRUE(log.closed);
    EXPECT_GT(log.epoch, 0U);
    EXPECT_GT(log.segments.size(), 1U);
    EXPECT_TRUE(log.segments.front().sealed);
    // Behind the last segment with messages there may be one that was made in advance.
    const auto last = std::find_if(log.segments.rbegin(), log.segments.rend(),
                                   [](const SegmentOverview& segment) { return segment.time_max > 0; });
    EXPECT_EQ(last->end, log.mark);
  }
  EXPECT_GT(overview.index_bytes, 0U);
  EXPECT_TRUE(overview.meta[0].All(MetaTable::kTopics).contains("T"));
  std::string group;
  core::QueueKey queue;
  EXPECT_TRUE(ParseOffsetKey(overview.meta[1].All(MetaTable::kConsumerOffsets).begin()->first, group, queue));
  EXPECT_EQ(group, "g");
  EXPECT_EQ(queue.topic, "T");
  EXPECT_FALSE(ParseOffsetKey("g", group, queue));
  co_return absl::OkStatus();
}

TEST(OverviewTest, QueuesSegmentsAndTablesAreThere) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillFolderMain(800, 900); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  node.Start(InspectMain);
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace store::tools
