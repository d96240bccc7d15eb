#include "broker/broker_stats.h"

#include "broker/runtime_info.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace broker {
namespace {

core::MonoTime Second(int64_t seconds) { return {seconds * 1'000'000'000}; }

TEST(BrokerStatsTest, RatesAreOfTheWindow) {
  BrokerStats stats(Second(100));
  stats.Sample(Second(100), 0);
  stats.OnPut("T", 50, 5000);
  stats.Sample(Second(110), 0);
  EXPECT_DOUBLE_EQ(stats.PutTps("T"), 5);  // new since the last sample: 0 then
  stats.OnPut("T", 100, 10000);
  stats.Sample(Second(120), 0);
  EXPECT_DOUBLE_EQ(stats.PutTps("T"), 7.5);
  EXPECT_DOUBLE_EQ(stats.Totals().put.ten_seconds.tps(), 10);
  EXPECT_DOUBLE_EQ(stats.Totals().put.minute.tps(), 7.5);
  for (int64_t second = 130; second <= 200; second += 10) stats.Sample(Second(second), 0);
  EXPECT_DOUBLE_EQ(stats.PutTps("T"), 0);  // the minute has passed
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->hour.sum, 150u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->day.sum, 150u);
  EXPECT_EQ(stats.Totals().put.total, 150u);
}

TEST(BrokerStatsTest, OneSampleATenthOfAMinute) {
  BrokerStats stats(Second(100));
  for (int64_t second = 100; second < 110; ++second) stats.Sample(Second(second), 0);
  stats.OnPut("T", 7, 1);
  stats.Sample(Second(109), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->minute.sum, 0u);
  stats.Sample(Second(110), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->minute.sum, 7u);
}

TEST(BrokerStatsTest, WindowsForgetWhatIsOlder) {
  BrokerStats stats(Second(0));
  stats.OnPut("T", 1000, 1);
  for (int64_t second = 0; second <= 2 * 3600; second += 10) stats.Sample(Second(second), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->hour.sum, 0u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->day.sum, 1000u);
  for (int64_t second = 2 * 3600; second <= 26 * 3600; second += 10) stats.Sample(Second(second), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->day.sum, 0u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->total, 1000u);
}

TEST(BrokerStatsTest, KeysOfTheTools) {
  BrokerStats stats(Second(0));
  stats.OnPut("T", 3, 300);
  stats.OnGet("G", "T", 2, 200);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->total, 3u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_SIZE", "T")->total, 300u);
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "T@G")->total, 2u);
  EXPECT_EQ(stats.Find("GROUP_GET_SIZE", "T@G")->total, 200u);
  EXPECT_EQ(stats.Find("BROKER_PUT_NUMS", "C")->total, 3u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "U"), std::nullopt);
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "G@T"), std::nullopt);
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "T"), std::nullopt);
  EXPECT_EQ(stats.Find("NO_SUCH", "T"), std::nullopt);
  stats.ForgetTopic("T");
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "T@G"), std::nullopt);
}

TEST(BrokerStatsTest, MorningsAreTheTotalsAtMidnight) {
  constexpr core::WallMillis kDay = 24 * 3600 * 1000;
  BrokerStats stats(Second(0));
  stats.Sample(Second(0), 100 * kDay + 1);
  stats.OnPut("T", 5, 5);
  stats.Sample(Second(10), 101 * kDay + 1);
  stats.OnPut("T", 2, 2);
  stats.Sample(Second(20), 102 * kDay + 1);
  EXPECT_EQ(stats.Totals().put_yesterday_morning, 5u);
  EXPECT_EQ(stats.Totals().put_today_morning, 7u);
}

// mqadmin clusterList and the dashboard end in a stack trace when one of these is missing or no number.
TEST(RuntimeInfoTest, WhatToolsParseIsThereAndParses) {
  std::vector<ShardRuntime> shards(2);
  shards[1].store.earliest_store_time = 1234;
  const auto table = RuntimeInfo(shards, {.now = 100'000, .boot = 8'500});
  for (const char* key :
       {"bootTimestamp", "msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning", "msgPutTotalTodayNow", "msgGetTotalYesterdayMorning",
        "msgGetTotalTodayMorning", "msgGetTotalTodayNow", "putMessageAverageSize", "commitLogDiskRatio", "consumeQueueDiskRatio",
        "pageCacheLockTimeMills", "earliestMessageTimeStamp", "sendThreadPoolQueueSize", "sendThreadPoolQueueHeadWaitTimeMills",
        "pullThreadPoolQueueSize", "timerReadBehind", "timerOffsetBehind", "timerCongestNum", "timerEnqueueTps", "timerDequeueTps"}) {
    ASSERT_TRUE(table.contains(key)) << key;
    double number = 0;
    EXPECT_TRUE(absl::SimpleAtod(table.at(key), &number)) << key << "=" << table.at(key);
  }
  for (const char* key : {"putTps", "getTotalTps", "getTransferredTps", "getTransferedTps", "getFoundTps", "getMissTps"}) {
    ASSERT_TRUE(table.contains(key)) << key;
    const std::vector<std::string> numbers = absl::StrSplit(table.at(key), ' ');
    ASSERT_EQ(numbers.size(), 3u) << key;
    double number = 0;
    for (const std::string& text : numbers) EXPECT_TRUE(absl::SimpleAtod(text, &number)) << key << "=" << table.at(key);
  }
  EXPECT_EQ(table.at("earliestMessageTimeStamp"), "1234");
  EXPECT_EQ(table.at("runtime"), "[ 0 days, 0 hours, 1 minutes, 31 seconds ]");
  EXPECT_EQ(table.at("brokerVersionDesc"), "V5_3_3");
}

}  // namespace
}  // namespace broker
