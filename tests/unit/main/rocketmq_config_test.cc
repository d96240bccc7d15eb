// Goal: topics, groups and offsets come through RocketMQ's files unchanged, each offset to the log that owns its queue; what RocketMQ would pass over
// is taken back.
#include "main/rocketmq_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/placement.h"
#include "net/json.h"
#include "store/tools/overview.h"

namespace ringmq {
namespace {

using ::testing::HasSubstr;

// As RocketMQ 5.3.3 writes them, shortened.
constexpr std::string_view kTopics = R"({"dataVersion":{"counter":2,"stateVersion":0,"timestamp":1},"topicConfigTable":{
  "T":{"attributes":{},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":4},
  "%RETRY%g":{"order":false,"perm":6,"readQueueNums":1,"topicFilterType":"SINGLE_TAG","topicName":"%RETRY%g","topicSysFlag":0,"writeQueueNums":1}}})";
constexpr std::string_view kGroups = R"({"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1},"forbiddenTable":{},
  "subscriptionGroupTable":{"g":{"groupName":"g","retryMaxTimes":3,"retryQueueNums":1}}})";
constexpr std::string_view kOffsets = R"({"offsetTable":{"T@g":{0:7,1:8,2:9,3:10},"%RETRY%g@g":{0:1}}})";

TEST(RocketMqConfigTest, FilesBecomeChangesOfTheOwners) {
  const auto changes = ReadRocketMqConfig({std::string(kTopics), std::string(kGroups), std::string(kOffsets)}, 3);
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_EQ(changes->size(), 3U);
  const broker::Placement placement(3);
  size_t offsets = 0;
  for (uint32_t log = 0; log < 3; ++log) {
    for (const store::MetaChange& change : (*changes)[log]) {
      if (change.table != store::MetaTable::kConsumerOffsets) {
        EXPECT_EQ(log, 0U);
        continue;
      }
      std::string group;
      core::QueueKey queue;
      ASSERT_TRUE(store::tools::ParseOffsetKey(change.key, group, queue));
      EXPECT_EQ(placement.OwnerOf(queue).value(), log);
      if (queue.topic == "T") EXPECT_EQ(*change.value, std::to_string(7 + queue.queue_id));
      ++offsets;
    }
  }
  EXPECT_EQ(offsets, 5U);
  EXPECT_EQ(TopicsOf(kTopics)->size(), 2U);
}

TEST(RocketMqConfigTest, AWrongEntryIsNamed) {
  const auto offset = ReadRocketMqConfig({"", "", R"({"offsetTable":{"T":{0:1}}})"}, 1);
  EXPECT_THAT(std::string(offset.status().message()), HasSubstr("consumerOffset.json, T"));
  const auto topic = ReadRocketMqConfig({R"({"topicConfigTable":{"T":{}}})", "", ""}, 1);
  EXPECT_THAT(std::string(topic.status().message()), HasSubstr("topics.json, T"));
  EXPECT_FALSE(ReadRocketMqConfig({"{", "", ""}, 1).ok());
}

TEST(RocketMqConfigTest, ThereAndBackAndNoOffsetBeyondItsQueue) {
  const auto changes = ReadRocketMqConfig({std::string(kTopics), std::string(kGroups), std::string(kOffsets)}, 1);
  ASSERT_TRUE(changes.ok());
  store::tools::MetaContent meta;
  for (const store::MetaChange& change : (*changes)[0]) meta.tables[change.table][change.key] = *change.value;
  const std::map<core::QueueKey, int64_t> ends = {{{"T", 0}, 7}, {{"T", 1}, 100}, {{"T", 2}, 5}};
  const RocketMqConfig config = MakeRocketMqConfig({meta}, ends, 1'700'000'000'000);
  const auto document = net::JsonDocument::Parse(config.offsets);
  ASSERT_TRUE(document.ok());
  const net::JsonValue offsets = document->root()["offsetTable"]["T@g"];
  EXPECT_EQ(offsets["0"].AsInt(), 7);
  EXPECT_EQ(offsets["1"].AsInt(), 8);
  EXPECT_EQ(offsets["2"].AsInt(), 5);  // the queue ends there
  EXPECT_EQ(offsets["3"].AsInt(), 0);  // nothing of it was exported
  const auto again = ReadRocketMqConfig({config.topics, config.groups, ""}, 1);
  ASSERT_TRUE(again.ok()) << again.status();
  for (const store::MetaChange& change : (*again)[0]) EXPECT_EQ(meta.tables[change.table][change.key], *change.value);
}

}  // namespace
}  // namespace ringmq
