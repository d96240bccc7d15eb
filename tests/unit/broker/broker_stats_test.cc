#include "broker/broker_stats.h"

#include "broker/runtime_info.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include <string>
#include <utility>
#include <vector>

namespace broker {
namespace {

core::MonoTime Second(int64_t seconds) { return {seconds * 1'000'000'000}; }

TEST(BrokerStatsTest, RatesAreOfTheWindow) {
  BrokerStats stats(Second(100));
  stats.Sample(Second(100), 0);
  stats.OnPut("T", 0, {.messages = 50, .bytes = 5000});
  stats.Sample(Second(110), 0);
  EXPECT_DOUBLE_EQ(stats.PutTps("T"), 5);  // new since the last sample: 0 then
  stats.OnPut("T", 0, {.messages = 100, .bytes = 10000});
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
  stats.OnPut("T", 0, {.messages = 7, .bytes = 1});
  stats.Sample(Second(109), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->minute.sum, 0u);
  stats.Sample(Second(110), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->minute.sum, 7u);
}

TEST(BrokerStatsTest, WindowsForgetWhatIsOlder) {
  BrokerStats stats(Second(0));
  stats.OnPut("T", 0, {.messages = 1000, .bytes = 1});
  for (int64_t second = 0; second <= 2 * 3600; second += 10) stats.Sample(Second(second), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->hour.sum, 0u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->day.sum, 1000u);
  for (int64_t second = 2 * 3600; second <= 26 * 3600; second += 10) stats.Sample(Second(second), 0);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->day.sum, 0u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->total, 1000u);
}

TEST(BrokerStatsTest, KeysOfTheTools) {
  BrokerStats stats(Second(0));
  stats.OnPut("T", 0, {.messages = 3, .bytes = 300});
  stats.OnGet("G", "T", 1, {.messages = 2, .bytes = 200, .millis = 12});
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->total, 3u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_SIZE", "T")->total, 300u);
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "T@G")->total, 2u);
  EXPECT_EQ(stats.Find("GROUP_GET_SIZE", "T@G")->total, 200u);
  EXPECT_EQ(stats.Find("BROKER_PUT_NUMS", "C")->total, 3u);
  stats.OnPut("T", 1, {.messages = 1, .bytes = 50, .millis = 7});
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "T@0")->total, 3u);
  EXPECT_EQ(stats.Find("QUEUE_PUT_SIZE", "T@1")->total, 50u);
  EXPECT_EQ(stats.Find("TOPIC_PUT_LATENCY", "1@T")->total, 7u);
  EXPECT_EQ(stats.Find("QUEUE_GET_NUMS", "T@1@G")->total, 2u);
  EXPECT_EQ(stats.Find("QUEUE_GET_SIZE", "T@1@G")->total, 200u);
  EXPECT_EQ(stats.Find("GROUP_GET_LATENCY", "1@T@G")->total, 12u);
  EXPECT_EQ(stats.Find("GROUP_GET_LATENCY", "T@G")->total, 12u);
  stats.OnSendBack("G", "T");
  EXPECT_EQ(stats.Find("SNDBCK_PUT_NUMS", "T@G")->total, 1u);
  for (const char* key : {"T@2", "T@-1", "T@x", "T", "T@0@G", "@0", ""})
    EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", key), std::nullopt) << key;
  EXPECT_EQ(stats.Find("QUEUE_GET_NUMS", "T@0@G"), std::nullopt);
  EXPECT_EQ(stats.Find("SNDBCK_PUT_NUMS", "T@H"), std::nullopt);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "U"), std::nullopt);
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "G@T"), std::nullopt);
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "T"), std::nullopt);
  EXPECT_EQ(stats.Find("NO_SUCH", "T"), std::nullopt);
  stats.ForgetGroup("G");
  EXPECT_EQ(stats.Find("GROUP_GET_NUMS", "T@G"), std::nullopt);
  EXPECT_EQ(stats.Find("SNDBCK_PUT_NUMS", "T@G"), std::nullopt);
  stats.ForgetTopic("T");
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "T"), std::nullopt);
}

TEST(BrokerStatsTest, TheMeanLatencyIsThatOfTheWindow) {
  BrokerStats stats(Second(0));
  stats.OnPut("T", 0, {.messages = 1, .millis = 3});
  stats.OnPut("T", 0, {.messages = 10, .millis = 9});
  stats.Sample(Second(10), 0);
  EXPECT_DOUBLE_EQ(stats.Find("TOPIC_PUT_LATENCY", "0@T")->minute.average(), 6);
  EXPECT_DOUBLE_EQ(stats.Find("TOPIC_PUT_NUMS", "T")->minute.average(), 5.5);
}

TEST(BrokerStatsTest, UsersAreCountedWithoutTheBrokersOwnTopics) {
  BrokerStats stats(Second(0), {.is_system = [](std::string_view topic) { return topic == "OWN"; },
                                .time_zone = absl::UTCTimeZone()});
  stats.OnPut("T", 0, {.messages = 2});
  stats.OnPut("OWN", 0, {.messages = 30});
  stats.OnDelivered("T", 0, 100);
  stats.OnGet("G", "T", 0, {.messages = 4});
  stats.OnGet("G", "OWN", 0, {.messages = 50});
  EXPECT_EQ(stats.Totals().put.total, 33u);
  EXPECT_EQ(stats.Totals().user_put.total, 3u);
  EXPECT_EQ(stats.Totals().get.total, 54u);
  EXPECT_EQ(stats.Totals().user_get.total, 4u);
  EXPECT_EQ(stats.Totals().found.total, 2u);
  EXPECT_EQ(stats.Totals().put_requests, 3u);
  EXPECT_EQ(stats.Find("BROKER_PUT_NUMS", "C")->total, 33u);
  EXPECT_EQ(stats.Find("BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", "C")->total, 3u);
  EXPECT_EQ(stats.Find("BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC", "C")->total, 4u);
}

TEST(BrokerStatsTest, QueuesToldApartAreBoundedAndIdleOnesMakeRoom) {
  BrokerStats stats(Second(0));
  const auto count = [&stats](const char* topic, int32_t queue) { stats.OnPut(topic, queue, {.messages = 1}); };
  for (size_t queue = 0; queue < BrokerStats::kQueuesMax; ++queue) count("T", static_cast<int32_t>(queue));
  count("U", 0);
  count("U", BrokerStats::kNoQueue);
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "U@0"), std::nullopt);
  EXPECT_EQ(stats.Find("TOPIC_PUT_NUMS", "U")->total, 2u) << "for its topic it counts";
  for (int64_t hour = 1; hour <= 30; ++hour) {
    stats.Sample(Second(hour * 3600), 0);
    count("T", 5);
  }
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "T@0"), std::nullopt) << "a day without a message";
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "T@5")->total, 31u);
  count("U", 0);
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "U@0")->total, 1u);
  // What a deleted topic or group had is free again, too.
  stats.ForgetTopic("T");
  stats.ForgetTopic("U");
  for (size_t queue = 0; queue < BrokerStats::kQueuesMax; ++queue)
    stats.OnGet("G", "T", static_cast<int32_t>(queue), {.messages = 1});
  count("U", 0);
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "U@0"), std::nullopt);
  stats.ForgetGroup("G");
  count("U", 0);
  EXPECT_EQ(stats.Find("QUEUE_PUT_NUMS", "U@0")->total, 1u);
}

TEST(BrokerStatsTest, LatenciesAreOfTheLastWholeMinute) {
  BrokerStats stats(Second(0));
  stats.Sample(Second(0), 0);
  for (int i = 0; i < 98; ++i) stats.OnPut("T", 0, {.messages = 1});
  stats.OnPut("T", 0, {.messages = 1, .millis = 9});
  stats.OnPut("T", 0, {.messages = 1, .millis = 1500});
  EXPECT_EQ(stats.Totals().put_latency.Quantile(0.999), 0) << "the minute is not over";
  EXPECT_EQ(stats.Totals().put_millis_max, 1500u);
  stats.Sample(Second(60), 0);
  EXPECT_EQ(stats.Totals().put_latency.Distribution(),
            "[<=0ms]:98 [0~10ms]:1 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 [1~2s]:1 [2~3s]:0 "
            "[3~4s]:0 [4~5s]:0 "
            "[5~10s]:0 [10s~]:0 ");
  EXPECT_EQ(stats.Totals().put_latency.Quantile(0.5), 0);
  EXPECT_NEAR(stats.Totals().put_latency.Quantile(0.99), 9.5, 0.6);
  EXPECT_NEAR(stats.Totals().put_latency.Quantile(0.9999), 1500, 10);
  stats.Sample(Second(120), 0);
  EXPECT_EQ(stats.Totals().put_latency.Quantile(0.9999), 0) << "of the minute without a send";
  EXPECT_EQ(stats.Totals().put_millis_max, 1500u) << "of all";
}

TEST(PutLatencyTest, EachLatencyIsInTheBucketOfItsName) {
  for (const auto& [millis, name] : std::vector<std::pair<uint64_t, std::string>>{{0, "[<=0ms]"},
                                                                                  {1, "[0~10ms]"},
                                                                                  {9, "[0~10ms]"},
                                                                                  {10, "[10~50ms]"},
                                                                                  {49, "[10~50ms]"},
                                                                                  {50, "[50~100ms]"},
                                                                                  {199, "[100~200ms]"},
                                                                                  {200, "[200~500ms]"},
                                                                                  {999, "[500ms~1s]"},
                                                                                  {1000, "[1~2s]"},
                                                                                  {4999, "[4~5s]"},
                                                                                  {9999, "[5~10s]"},
                                                                                  {10'000, "[10s~]"},
                                                                                  {UINT64_MAX - 1, "[10s~]"}}) {
    PutLatency latency;
    latency.Record(millis);
    EXPECT_NE(latency.Distribution().find(name + ":1 "), std::string::npos) << millis << " " << latency.Distribution();
    PutLatency twice = latency;
    twice += latency;
    EXPECT_NE(twice.Distribution().find(name + ":2 "), std::string::npos) << millis;
    EXPECT_EQ(twice.Since(latency).Distribution(), latency.Distribution());
  }
}

TEST(BrokerStatsTest, MorningsAreTheTotalsAtMidnight) {
  constexpr core::WallMillis kDay = 24 * 3600 * 1000;
  BrokerStats stats(Second(0));
  stats.Sample(Second(0), 100 * kDay + 1);
  stats.OnPut("T", 0, {.messages = 5, .bytes = 5});
  stats.Sample(Second(10), 101 * kDay + 1);
  stats.OnPut("T", 0, {.messages = 2, .bytes = 2});
  stats.Sample(Second(20), 102 * kDay + 1);
  EXPECT_EQ(stats.Totals().put_yesterday_morning, 5u);
  EXPECT_EQ(stats.Totals().put_today_morning, 7u);
}

TEST(BrokerStatsTest, TodayBeginsInTheBrokersTimeZone) {
  constexpr core::WallMillis kHour = 3600 * 1000;
  BrokerStats stats(Second(0),
                    {.is_system = [](std::string_view) { return false; }, .time_zone = absl::FixedTimeZone(8 * 3600)});
  stats.Sample(Second(0), 15 * kHour);  // 23:00 there
  stats.OnPut("T", 0, {.messages = 5});
  stats.Sample(Second(10), 16 * kHour);
  EXPECT_EQ(stats.Totals().put_today_morning, 5u);
  stats.OnPut("T", 0, {.messages = 2});
  stats.Sample(Second(20), 24 * kHour);
  EXPECT_EQ(stats.Totals().put_today_morning, 5u) << "midnight UTC is none there";
}

// mqadmin clusterList and the dashboard end in a stack trace when one of these is missing or no number.
TEST(RuntimeInfoTest, WhatToolsParseIsThereAndParses) {
  std::vector<ShardRuntime> shards(2);
  shards[1].store.earliest_store_time = 1234;
  shards[0].waiting = 2;
  shards[1].waiting = 3;
  const auto table = RuntimeInfo(shards, {.now = 100'000, .boot = 8'500});
  for (const char* key : {"bootTimestamp",
                          "msgPutTotalYesterdayMorning",
                          "msgPutTotalTodayMorning",
                          "msgPutTotalTodayNow",
                          "msgGetTotalYesterdayMorning",
                          "msgGetTotalTodayMorning",
                          "msgGetTotalTodayNow",
                          "putMessageAverageSize",
                          "commitLogDiskRatio",
                          "consumeQueueDiskRatio",
                          "pageCacheLockTimeMills",
                          "earliestMessageTimeStamp",
                          "sendThreadPoolQueueSize",
                          "sendThreadPoolQueueHeadWaitTimeMills",
                          "pullThreadPoolQueueSize",
                          "timerReadBehind",
                          "timerOffsetBehind",
                          "timerCongestNum",
                          "timerEnqueueTps",
                          "timerDequeueTps",
                          "putLatency99",
                          "putLatency999",
                          "putMessageEntireTimeMax",
                          "getMessageEntireTimeMax"}) {
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
  EXPECT_EQ(table.at("timerCongestNum"), "5");
  EXPECT_EQ(table.at("runtime"), "[ 0 days, 0 hours, 1 minutes, 31 seconds ]");
  EXPECT_EQ(table.at("brokerVersionDesc"), "V5_3_3");
}

}  // namespace
}  // namespace broker
