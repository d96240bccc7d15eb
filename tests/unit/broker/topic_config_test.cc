#include "broker/topic_config.h"

#include "broker/data_version.h"
#include "broker/group_config.h"
#include "broker/topic_attributes.h"
#include "gtest/gtest.h"

namespace broker {
namespace {

// Tools and slaves read these texts; member by member they are fastjson's of RocketMQ 5.3.3.
TEST(TopicConfigTest, JsonIsRocketMqs) {
  TopicConfig topic;
  topic.name = "T";
  topic.read_queues = 4;
  topic.write_queues = 8;
  topic.attributes["message.type"] = "FIFO";
  EXPECT_EQ(topic.ToJson(),
            R"({"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG",)"
            R"("topicName":"T","topicSysFlag":0,"writeQueueNums":8})");
  const absl::StatusOr<TopicConfig> back = TopicConfig::FromJson(topic.ToJson());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, topic);
}

TEST(TopicConfigTest, MissingMembersAreDefaults) {
  const absl::StatusOr<TopicConfig> topic = TopicConfig::FromJson(std::string_view(R"({"topicName":"T","perm":"4"})"));
  ASSERT_TRUE(topic.ok());
  EXPECT_EQ(topic->perm, 4);  // fastjson takes numbers in quotes
  EXPECT_EQ(topic->write_queues, 16);
  EXPECT_FALSE(TopicConfig::FromJson(std::string_view("{}")).ok());
  EXPECT_FALSE(TopicConfig::FromJson(std::string_view("[]")).ok());
}

TEST(GroupConfigTest, JsonIsRocketMqs) {
  GroupConfig group;
  group.name = "G";
  EXPECT_EQ(group.ToJson(),
            R"({"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,)"
            R"("consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"G","groupRetryPolicy":{"type":"CUSTOMIZED"},)"
            R"("groupSysFlag":0,"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,)"
            R"("whichBrokerWhenConsumeSlowly":1})");
}

TEST(GroupConfigTest, KeepsARetryPolicyThatItDoesNotUnderstand) {
  const absl::StatusOr<GroupConfig> group = GroupConfig::FromJson(
      std::string_view(R"({groupName:'G',"groupRetryPolicy":{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":5000}}})"));
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(group->retry_policy_json, R"({"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":5000}})");
  const absl::StatusOr<GroupConfig> back = GroupConfig::FromJson(group->ToJson());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, *group);
}

TEST(DataVersionTest, RoundTrip) {
  DataVersion version{.state_version = 2, .timestamp = 1795227053207, .counter = 3};
  EXPECT_EQ(version.ToJson(), R"({"counter":3,"stateVersion":2,"timestamp":1795227053207})");
  const absl::StatusOr<DataVersion> back = DataVersion::FromJson(version.ToJson());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, version);
  EXPECT_FALSE(DataVersion::FromJson("7").ok());
}

TEST(TopicAttributesTest, OnlyLegalChangesPass) {
  const TopicAttributes none;
  const absl::StatusOr<TopicAttributes> made = AlterAttributes(none, {{"+message.type", "DELAY"}, {"+cleanup.policy", "DELETE"}}, true);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(*made, (TopicAttributes{{"message.type", "DELAY"}, {"cleanup.policy", "DELETE"}}));

  EXPECT_TRUE(AlterAttributes(*made, {{"+message.type", "FIFO"}}, false).ok());
  EXPECT_FALSE(AlterAttributes(*made, {{"+cleanup.policy", "COMPACTION"}}, false).ok());  // unchangeable
  EXPECT_FALSE(AlterAttributes(none, {{"-message.type", ""}}, true).ok());                // removal while creating
  EXPECT_FALSE(AlterAttributes(none, {{"-message.type", ""}}, false).ok());               // not there
  EXPECT_FALSE(AlterAttributes(none, {{"+color", "red"}}, true).ok());
  EXPECT_FALSE(AlterAttributes(none, {{"message.type", "FIFO"}}, true).ok());
  EXPECT_FALSE(AlterAttributes(none, {{"+message.type", "OTHER"}}, true).ok());
  EXPECT_FALSE(AlterAttributes(none, {{"+reserve.time", "soon"}}, true).ok());
}

TEST(TopicAttributesTest, TextOfMqadmin) {
  const absl::StatusOr<TopicAttributes> changes = ParseAttributeChanges("+message.type=FIFO,-reserve.time");
  ASSERT_TRUE(changes.ok());
  EXPECT_EQ(*changes, (TopicAttributes{{"+message.type", "FIFO"}, {"-reserve.time", ""}}));
  EXPECT_FALSE(ParseAttributeChanges("message.type=FIFO").ok());
  EXPECT_FALSE(ParseAttributeChanges("+message.type").ok());
  EXPECT_FALSE(ParseAttributeChanges("+a=1,+a=2").ok());
  EXPECT_TRUE(ParseAttributeChanges("")->empty());
}

}  // namespace
}  // namespace broker
