#include "broker/name_rules.h"

#include <string>

#include "gtest/gtest.h"

namespace broker {
namespace {

// CVE-2019-17572: a topic named ../../x became a path. Anything but the legal characters would be such a hole again.
TEST(NameRulesTest, NamesThatCouldBePathsAreWrong) {
  for (const char* name : {"../../etc/passwd", "a/b", "a\\b", "..", ".", "a b", "a\nb", "t@g", "a.b", "caf\xc3\xa9", "a;b"}) {
    EXPECT_NE(WrongTopicName(name), std::nullopt) << name;
    EXPECT_NE(WrongGroupName(name), std::nullopt) << name;
  }
  EXPECT_NE(WrongTopicName(std::string_view("a\0b", 3)), std::nullopt);
}

TEST(NameRulesTest, WhatRocketMqAllowsIsRight) {
  for (const char* name : {"Topic1", "a", "%RETRY%group-1", "NS%topic_x", "a|b"}) {
    EXPECT_EQ(WrongTopicName(name), std::nullopt) << name;
    EXPECT_EQ(WrongGroupName(name), std::nullopt) << name;
  }
}

TEST(NameRulesTest, LengthsAtTheirEnds) {
  EXPECT_EQ(WrongTopicName(std::string(127, 'a')), std::nullopt);
  EXPECT_EQ(WrongTopicName(std::string(128, 'a')), "The specified topic is longer than topic max length.");
  EXPECT_EQ(WrongTopicName("%RETRY%" + std::string(248, 'a')), std::nullopt);  // 255 bytes: what a record can hold
  EXPECT_NE(WrongTopicName("%RETRY%" + std::string(249, 'a')), std::nullopt);
  EXPECT_EQ(WrongGroupName(std::string(255, 'a')), std::nullopt);
  EXPECT_NE(WrongGroupName(std::string(256, 'a')), std::nullopt);
  EXPECT_EQ(WrongTopicName(""), "The specified topic is blank.");
  EXPECT_EQ(WrongGroupName("  "), "The specified group is blank.");
}

TEST(NameRulesTest, SystemTopics) {
  EXPECT_TRUE(IsSystemTopic("TBW102"));
  EXPECT_TRUE(IsSystemTopic("rmq_sys_anything"));
  EXPECT_FALSE(IsSystemTopic("Topic1"));
  EXPECT_TRUE(IsForbiddenToSend("SCHEDULE_TOPIC_XXXX"));
  EXPECT_FALSE(IsForbiddenToSend("TBW102"));  // RocketMQ lets it, too
}

}  // namespace
}  // namespace broker
