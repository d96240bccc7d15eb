#include "broker/delay.h"

#include <gtest/gtest.h>

#include "broker/config.h"

namespace broker {
namespace {

constexpr core::WallMillis kNow = 1'700'000'000'000;

std::string Text(std::string_view name, std::string_view value) {
  std::string text;
  AppendProperty(text, name, value);
  return text;
}

/// The delay in ms; -1: refused; 0: at once.
int64_t DelayOf(const std::string& properties, const BrokerConfig& config = {}) {
  Delay delay;
  if (ReadDelay(config, ScanProperties(properties), kNow, delay).has_value()) return -1;
  return delay.waits() ? delay.due - kNow : 0;
}

// Catches levels that are off by one, another unit, and a text that passes for levels.
TEST(DelayTest, LevelsAreTheConfigurations) {
  const absl::StatusOr<std::vector<int64_t>> levels = DelayLevelsMs(BrokerConfig().message_delay_level);
  ASSERT_TRUE(levels.ok()) << levels.status();
  EXPECT_EQ(*levels, BrokerConfig().delay_levels_ms);
  EXPECT_EQ(*DelayLevelsMs("7s 1d"), (std::vector<int64_t>{7000, 86'400'000}));
  for (const char* wrong :
       {"", " ", "1", "s", "1s  2s", "-1s", "0s", "1w", "1s x", "99999999999999999999s", "40000d"}) {
    EXPECT_FALSE(DelayLevelsMs(wrong).ok()) << wrong;
  }
  EXPECT_EQ(DelayOf(Text("DELAY", "1")), 1000);
  EXPECT_EQ(DelayOf(Text("DELAY", "18")), 7'200'000);
  EXPECT_EQ(DelayOf(Text("DELAY", "19")), 7'200'000) << "RocketMQ takes the highest";
  EXPECT_EQ(DelayOf(Text("DELAY", "0")), 0);
  EXPECT_EQ(DelayOf(Text("DELAY", "-1")), 0);
  EXPECT_EQ(DelayOf(Text("DELAY", "soon")), -1);
}

TEST(DelayTest, TimersAreExactToTheMillisecond) {
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "1")), 1);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_SEC", "3")), 3000);
  EXPECT_EQ(DelayOf(Text("TIMER_DELIVER_MS", std::to_string(kNow + 1234))), 1234);
  EXPECT_EQ(DelayOf(Text("TIMER_DELIVER_MS", std::to_string(kNow - 5))), 0);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "0")), 0);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "-7")), 0);
  // Of several the seconds count, then the milliseconds; a level before all.
  EXPECT_EQ(DelayOf(Text("TIMER_DELIVER_MS", "1") + Text("TIMER_DELAY_SEC", "2") + Text("TIMER_DELAY_MS", "3")), 2000);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "3") + Text("DELAY", "2")), 5000);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "3") + Text("TIMER_OUT_MS", "4")), 0) << "it has waited";
}

// Catches an overflow, which would deliver at once what was meant for later.
TEST(DelayTest, TooFarAndUnreadableIsRefused) {
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_SEC", "259200")), 259'200'000);
  for (const char* far : {"259201", "9223372036854775807", "9223372036854775", "99999999999999999999", "1x", ""}) {
    if (*far != '\0') EXPECT_EQ(DelayOf(Text("TIMER_DELAY_SEC", far)), -1) << far;
  }
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "259200001")), -1);
  EXPECT_EQ(DelayOf(Text("TIMER_DELIVER_MS", "9223372036854775807")), -1);
  EXPECT_EQ(DelayOf(Text("TIMER_DELIVER_MS", "-9223372036854775808")), 0);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_SEC", "-9223372036854775808")), 0);
  BrokerConfig years;
  years.timer_max_delay = absl::Hours(24 * 3650);
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_SEC", "157680000"), years), 157'680'000'000);
  BrokerConfig none;
  none.timer_wheel_enable = false;
  EXPECT_EQ(DelayOf(Text("TIMER_DELAY_MS", "5"), none), -1);
  EXPECT_EQ(DelayOf(Text("DELAY", "1"), none), 1000);
}

// The bytes are those of RocketMQ 5.3.3's RecallMessageHandle.HandleV1.buildHandle("topicA", "broker-a", "1795227108001", "0A0B").
TEST(DelayTest, RecallHandlesAreRocketMqs) {
  const RecallHandle handle{"topicA", "broker-a", 1'795'227'108'001, "0A0B"};
  EXPECT_EQ(handle.Encode(), "djEgdG9waWNBIGJyb2tlci1hIDE3OTUyMjcxMDgwMDEgMEEwQg==");
  const absl::StatusOr<RecallHandle> back = RecallHandle::Decode(handle.Encode());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->topic, "topicA");
  EXPECT_EQ(back->broker_name, "broker-a");
  EXPECT_EQ(back->due, 1'795'227'108'001);
  EXPECT_EQ(back->uniq_key, "0A0B");
  for (const char* wrong :
       {"", "djE=", "!!!", "djIgdG9waWNBIGJyb2tlci1hIDE3OTUyMjcxMDgwMDEgMEEwQg==", "djEgYSBiIHggYw=="}) {
    EXPECT_FALSE(RecallHandle::Decode(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace broker
