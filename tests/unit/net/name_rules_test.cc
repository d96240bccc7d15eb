#include "net/name_rules.h"

#include <string>

#include "gtest/gtest.h"

namespace net {
namespace {

// CVE-2019-17572: a topic named ../../x became a path. Anything but the legal characters would be such a hole again.
TEST(NameRulesTest, NamesThatCouldBePathsAreWrong) {
  for (const char* name :
       {"../../etc/passwd", "a/b", "a\\b", "..", ".", "a b", "a\nb", "t@g", "a.b", "caf\xc3\xa9", "a;b"}) {
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

// A1: brokers may be named after hosts, and routes after brokers; nothing that could be a path, a line of a log or markup.
TEST(NameRulesTest, LabelsAndRoutes) {
  for (const char* name : {"broker-a", "host.example.com", "RaftNode00", "10.0.0.1:10911", "[::1]:10911"}) {
    EXPECT_EQ(WrongLabel("brokerName", name), std::nullopt) << name;
  }
  for (const char* name : {"", " ", "../x", "a/b", "a\\b", "a b", "a\nb", "<b>", "a'b", "a\"b", "caf\xc3\xa9"}) {
    EXPECT_NE(WrongLabel("brokerName", name), std::nullopt) << name;
    EXPECT_NE(WrongRouteName(name), std::nullopt) << name;
  }
  EXPECT_EQ(WrongRouteName("host.example.com"), std::nullopt);
  EXPECT_NE(WrongRouteName("a:b"), std::nullopt);
  EXPECT_EQ(WrongLabel("brokerName", std::string(255, 'a')), std::nullopt);
  EXPECT_EQ(WrongLabel("brokerName", std::string(256, 'a')), "a brokerName of 256 bytes; at most 255 are taken");
}

// Light queues are made of MQTT topics; everything else that a request names is as it ever was.
TEST(NameRulesTest, LightQueuesMayHaveMore) {
  for (const char* name : {"%LMQ%a", "%LMQ%home%+%temperature", "%LMQ%a#$.@:", "T", "%RETRY%g"}) EXPECT_EQ(WrongTopicToUse(name), std::nullopt) << name;
  for (const char* name : {"%LMQ%a/b", "%LMQ%a,b", "%LMQ%a b", "%LMQ%a\nb", "%LMQ%<a>", "a+b", "LMQ%a+b", ""}) EXPECT_NE(WrongTopicToUse(name), std::nullopt) << name;
  EXPECT_NE(WrongTopicName("%LMQ%a+b"), std::nullopt) << "nobody makes it";
  EXPECT_EQ(WrongTopicToUse("%LMQ%" + std::string(122, '+')), std::nullopt);
  EXPECT_NE(WrongTopicToUse("%LMQ%" + std::string(123, '+')), std::nullopt);
}

TEST(NameRulesTest, ClientIds) {
  EXPECT_EQ(WrongClientId("10.0.0.1@1234#5678@unit"), std::nullopt);
  EXPECT_EQ(WrongClientId("10.0.0.1@b\xc3\xbcro"), std::nullopt);
  EXPECT_NE(WrongClientId(""), std::nullopt);
  EXPECT_NE(WrongClientId("a\nb"), std::nullopt);
  EXPECT_EQ(WrongClientId(std::string(1024, 'a')), std::nullopt);
  EXPECT_NE(WrongClientId(std::string(1025, 'a')), std::nullopt);
}

// A peer's text in our log must not begin a line of its own.
TEST(NameRulesTest, QuotedTextIsOneShortLine) {
  EXPECT_EQ(Quoted("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(Quoted("\xc3\xa9"), "\\xc3\\xa9");
  EXPECT_EQ(Quoted("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace net
