#include "broker/creation_limits.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace broker {
namespace {

TopicConfig TopicOf(std::string name, int32_t queues) {
  TopicConfig topic;
  topic.name = std::move(name);
  topic.read_queues = queues;
  topic.write_queues = 1;
  return topic;
}
GroupConfig GroupOf(std::string name) {
  GroupConfig group;
  group.name = std::move(name);
  return group;
}

constexpr CreationLimits kLimits{.topics = 2, .groups = 1, .queues = 10};

TEST(CreationLimitsTest, CountsFollowEveryChange) {
  Catalog catalog;
  catalog.PutTopic(TopicOf("T", 4));
  catalog.PutTopic(TopicOf("T", 6));
  catalog.PutTopic(TopicOf("%RETRY%g", 1));
  catalog.PutGroup(GroupOf("g"));
  catalog.PutGroup(GroupOf("g"));
  EXPECT_EQ(catalog.counts().topics, 1);
  EXPECT_EQ(catalog.counts().internal_topics, 1);
  EXPECT_EQ(catalog.counts().queues, 7);
  EXPECT_EQ(catalog.counts().groups, 1);
  catalog.EraseTopic("T");
  catalog.EraseTopic("T");
  catalog.EraseTopic("%RETRY%g");
  catalog.EraseGroup("g");
  EXPECT_EQ(catalog.counts().topics, 0);
  EXPECT_EQ(catalog.counts().internal_topics, 0);
  EXPECT_EQ(catalog.counts().queues, 0);
  EXPECT_EQ(catalog.counts().groups, 0);
}

TEST(CreationLimitsTest, TopicsAndQueues) {
  Catalog catalog;
  catalog.PutTopic(TopicOf("T", 4));
  EXPECT_TRUE(CheckRoomForTopic(catalog, TopicOf("U", 6), kLimits).ok());
  const absl::Status queues = CheckRoomForTopic(catalog, TopicOf("U", 7), kLimits);
  EXPECT_EQ(queues.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(queues.message().find("queuesMax of this broker is 10"), absl::string_view::npos) << queues;
  catalog.PutTopic(TopicOf("U", 6));
  const absl::Status topics = CheckRoomForTopic(catalog, TopicOf("V", 0), kLimits);
  EXPECT_EQ(topics.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(topics.message().find("topicsMax of this broker is 2"), absl::string_view::npos) << topics;
  EXPECT_TRUE(CheckRoomForTopic(catalog, TopicOf("U", 5), kLimits).ok()) << "what is there may shrink";
  EXPECT_FALSE(CheckRoomForTopic(catalog, TopicOf("U", 7), kLimits).ok()) << "but not grow";
}

TEST(CreationLimitsTest, GroupsAndTheirTopics) {
  Catalog catalog;
  EXPECT_TRUE(CheckRoomForGroup(catalog, GroupOf("g"), kLimits).ok());
  catalog.PutGroup(GroupOf("g"));
  EXPECT_TRUE(CheckRoomForGroup(catalog, GroupOf("g"), kLimits).ok()) << "it is there";
  EXPECT_EQ(CheckRoomForGroup(catalog, GroupOf("h"), kLimits).code(), absl::StatusCode::kResourceExhausted);
  catalog.PutTopic(TopicOf("T", 0));
  catalog.PutTopic(TopicOf("U", 0));
  EXPECT_TRUE(CheckRoomForTopic(catalog, TopicOf("%RETRY%g", 1), kLimits).ok()) << "apart from other topics";
  catalog.PutTopic(TopicOf("%RETRY%g", 1));
  catalog.PutTopic(TopicOf("%DLQ%g", 1));
  EXPECT_FALSE(CheckRoomForTopic(catalog, TopicOf("%RETRY%h", 1), kLimits).ok()) << "two a group";
}

TEST(CreationLimitsTest, ABurstOfAMinuteAndThenEvenly) {
  CreationRate rate(64);
  const auto at = [](int64_t millis) { return core::MonoTime{millis * 1'000'000}; };
  int taken = 0;
  while (rate.Take(at(0))) ++taken;
  EXPECT_EQ(taken, 64);
  EXPECT_FALSE(rate.Take(at(900)));
  EXPECT_TRUE(rate.Take(at(940)));  // a 64th of a minute is 937.5 ms
  EXPECT_FALSE(rate.Take(at(940)));
  taken = 0;
  while (rate.Take(at(3'600'000))) ++taken;
  EXPECT_EQ(taken, 64) << "no more is saved up";
  CreationRate none(0);
  EXPECT_FALSE(none.Take(at(1'000'000)));
}

}  // namespace
}  // namespace broker
