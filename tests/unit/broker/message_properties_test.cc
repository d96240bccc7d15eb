#include "broker/message_properties.h"

#include <string>

#include "gtest/gtest.h"

namespace broker {
namespace {

std::string Text(std::initializer_list<std::pair<std::string_view, std::string_view>> properties) {
  std::string text;
  for (const auto& [name, value] : properties) AppendProperty(text, name, value);
  return text;
}

std::string Stored(std::string_view text) {
  std::string stored;
  AppendStorable(stored, text, [](std::string_view) { return false; });
  return stored;
}

TEST(MessagePropertiesTest, TheScanFindsWhatASendLooksAt) {
  const std::string text = Text({{"KEYS", "k"}, {"TAGS", "A"}, {"UNIQ_KEY", "0A"}, {"WAIT", "false"}, {"UserName", "x"}});
  const ScannedProperties found = ScanProperties(text);
  EXPECT_EQ(found.tags, "A");
  EXPECT_EQ(found.uniq_key, "0A");
  EXPECT_FALSE(found.wait);
  EXPECT_FALSE(found.transaction);
  EXPECT_FALSE(found.rewrite);
  EXPECT_FALSE(AsksForDelay(found));
}

TEST(MessagePropertiesTest, NothingMeansWaiting) { EXPECT_TRUE(ScanProperties("").wait); }

TEST(MessagePropertiesTest, OfANameGivenTwiceTheLastCounts) {
  const std::string text = Text({{"TAGS", "A"}, {"TAGS", "B"}});
  EXPECT_EQ(ScanProperties(text).tags, "B");
}

TEST(MessagePropertiesTest, BooleansAreTrueInAnyCaseAndOnlyTheWordTrue) {
  const std::string yes = Text({{"TRAN_MSG", "TRUE"}});
  EXPECT_TRUE(ScanProperties(yes).transaction);
  const std::string one = Text({{"TRAN_MSG", "1"}});
  EXPECT_FALSE(ScanProperties(one).transaction);
}

TEST(MessagePropertiesTest, OnlyALevelAboveZeroIsADelay) {
  for (const auto& [level, delayed] : {std::pair<std::string_view, bool>{"0", false}, {"-1", false}, {"3", true}, {"x", true}}) {
    const std::string text = Text({{"DELAY", level}});
    EXPECT_EQ(AsksForDelay(ScanProperties(text)), delayed) << level;
  }
}

// A stored text without its last separator would swallow the name of the next property.
TEST(MessagePropertiesTest, AMissingLastSeparatorIsAdded) {
  const std::string text = std::string("TAGS\x01") + "A";
  EXPECT_TRUE(ScanProperties(text).rewrite);
  EXPECT_EQ(Stored(text), Text({{"TAGS", "A"}}));
}

// A consumer's own retry carries what the broker once added; without this the text would grow with each attempt.
TEST(MessagePropertiesTest, WhatTheBrokerAddsItselfIsTakenOutOfAClientsText) {
  const std::string text =
      Text({{"MSG_REGION", "r"}, {"a", "1"}, {"TRACE_ON", "true"}, {"CLUSTER", "c"}, {"POP_CK", "0 1"}, {"b", "2"}});
  EXPECT_TRUE(ScanProperties(text).rewrite);
  EXPECT_EQ(Stored(text), Text({{"a", "1"}, {"b", "2"}}));
}

TEST(MessagePropertiesTest, EntriesThatAreNonePassUnseen) {
  std::string text = std::string("nonsense\x02\x01v\x02n\x01\x02") + Text({{"k", "v\x01w"}});
  int seen = 0;
  const bool clean = ForEachProperty(text, [&seen](std::string_view name, std::string_view value) {
    ++seen;
    EXPECT_EQ(name, "k");
    EXPECT_EQ(value, "v\x01w");
  });
  EXPECT_EQ(seen, 1);
  EXPECT_FALSE(clean);
}

}  // namespace
}  // namespace broker
