#include "broker/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/strings.h"

namespace broker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(BrokerConfigTest, AnOperatorsFile) {
  const auto properties = core::ParseProperties(
      "brokerClusterName = DefaultCluster\nbrokerName = broker-a\nbrokerId = 0\ndeleteWhen = 04\nfileReservedTime = 48\n"
      "brokerRole = ASYNC_MASTER\nflushDiskType = SYNC_FLUSH\nsendMessageThreadPoolNums=16\nbrokerIp1=10.0.0.1\n");
  ASSERT_TRUE(properties.ok());
  BrokerConfig config;
  std::vector<core::ConfigFinding> findings;
  ASSERT_TRUE(ApplyBrokerProperties(*properties, "broker.conf", config, findings).ok());
  EXPECT_EQ(config.flush_disk_type, FlushDiskType::kSyncFlush);
  EXPECT_EQ(config.file_reserved_time, absl::Hours(48));
  const std::string report = core::FormatFindings(findings);
  EXPECT_THAT(report, HasSubstr("ignored  sendMessageThreadPoolNums (broker.conf:8): one thread a core"));
  EXPECT_THAT(report, HasSubstr("unknown  brokerIp1 (broker.conf:9): did you mean brokerIP1?"));
  EXPECT_TRUE(CheckBrokerConfig(config).ok());
}

// Catches an owner who believes in a slave, or in sends that wait for one, because the report says that his line is used.
TEST(BrokerConfigTest, WhatNeedsReplicationIsReportedAsIgnored) {
  const auto report = [](const std::string& text) {
    const auto properties = core::ParseProperties(text);
    BrokerConfig config;
    std::vector<core::ConfigFinding> findings;
    EXPECT_TRUE(ApplyBrokerProperties(*properties, "b.conf", config, findings).ok()) << text;
    return core::FormatFindings(findings);
  };
  const std::string ignored = report("brokerId=3\nbrokerRole=sync_master\n");
  EXPECT_THAT(ignored, HasSubstr("ignored  brokerId (b.conf:1): '3': there is no replication yet"));
  EXPECT_THAT(ignored, HasSubstr("ignored  brokerRole (b.conf:2): 'sync_master': there is no replication yet"));
  EXPECT_THAT(ignored, Not(HasSubstr("used ")));

  const std::string used = report("brokerId=0\nbrokerRole=ASYNC_MASTER\n");
  EXPECT_THAT(used, HasSubstr("used     brokerId = 0 (b.conf:1)"));
  EXPECT_THAT(used, HasSubstr("used     brokerRole = ASYNC_MASTER (b.conf:2)"));

  const std::string twice = report("brokerId=0\nbrokerId=3\n");
  EXPECT_THAT(twice, HasSubstr("replaced brokerId (b.conf:1)"));
  EXPECT_THAT(twice, HasSubstr("ignored  brokerId (b.conf:2)"));
  EXPECT_THAT(report("brokerId=3\nbrokerId=0\n"), HasSubstr("used     brokerId = 0 (b.conf:2)"));
}

// Every default must be a value that the setting itself accepts, or --print-config prints a file that does not load.
TEST(BrokerConfigTest, ThePrintedConfigurationLoadsAndIsTheSame) {
  BrokerConfig defaults;
  defaults.broker_ip1 = "10.0.0.1";
  const std::string text = BrokerConfigText(defaults);
  const auto properties = core::ParseProperties(text);
  ASSERT_TRUE(properties.ok()) << properties.status();
  BrokerConfig loaded;
  std::vector<core::ConfigFinding> findings;
  const absl::Status status = ApplyBrokerProperties(*properties, "printed", loaded, findings);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(BrokerConfigText(loaded), text);
  EXPECT_EQ(findings.size(), BrokerSettings().size());
}

TEST(BrokerConfigTest, EveryKeyIsListedOnce) {
  std::set<std::string_view> keys;
  for (const auto& setting : BrokerSettings()) EXPECT_TRUE(keys.insert(setting.key()).second) << setting.key();
  for (const auto& ignored : IgnoredBrokerKeys()) EXPECT_TRUE(keys.insert(ignored.key).second) << ignored.key;
}

// What operators set in the broker.conf files of RocketMQ must be known, as setting or with a reason.
TEST(BrokerConfigTest, KeysThatOperatorsSetAreKnown) {
  for (const char* key : {"flushDiskType",
                          "deleteWhen",
                          "fileReservedTime",
                          "storePathRootDir",
                          "storePathCommitLog",
                          "autoCreateTopicEnable",
                          "autoCreateSubscriptionGroup",
                          "defaultTopicQueueNums",
                          "brokerPermission",
                          "maxMessageSize",
                          "messageDelayLevel",
                          "enablePropertyFilter",
                          "aclEnable",
                          "traceTopicEnable",
                          "traceOn",
                          "regionId",
                          "slaveReadEnable",
                          "longPollingEnable",
                          "sendMessageThreadPoolNums",
                          "pullMessageThreadPoolNums",
                          "useReentrantLockWhenPutMessage",
                          "transientStorePoolEnable",
                          "warmMapedFileEnable",
                          "waitTimeMillsInSendQueue",
                          "osPageCacheBusyTimeOutMills",
                          "transactionTimeOut",
                          "transactionCheckMax",
                          "transactionCheckInterval",
                          "timerWheelEnable",
                          "timerMaxDelaySec",
                          "enableConsumeQueueExt",
                          "maxTransferCountOnMessageInMemory",
                          "diskMaxUsedSpaceRatio",
                          "cleanFileForciblyEnable",
                          "rejectTransactionMessage",
                          "litePullMessageEnable",
                          "enableLmq",
                          "enableMultiDispatch",
                          "recallMessageEnable",
                          "configManagerVersion",
                          "storeType",
                          "brokerIP2",
                          "haListenPort",
                          "haMasterAddress",
                          "namesrvAddr",
                          "listenPort"}) {
    BrokerConfig config;
    std::vector<core::ConfigFinding> findings;
    (void)ApplyBrokerProperties(std::vector<core::Property>{{key, "1", 1}}, "f", config, findings).ok();
    EXPECT_TRUE(findings.empty() || findings[0].kind != core::ConfigFinding::Kind::kUnknown) << key;
  }
}

TEST(BrokerConfigTest, ForcedValuesAndImpossibleCombinations) {
  BrokerConfig config;
  config.broker_id = 5;
  config.broker_role = BrokerRole::kSyncMaster;
  config.register_name_server_period = absl::Seconds(1);
  ASSERT_TRUE(CheckBrokerConfig(config).ok());
  EXPECT_EQ(config.broker_id, 0);
  EXPECT_EQ(config.broker_role, BrokerRole::kAsyncMaster);
  EXPECT_EQ(config.register_name_server_period, absl::Seconds(10));

  const auto error = [](auto change) {
    BrokerConfig wrong;
    change(wrong);
    return std::string(CheckBrokerConfig(wrong).message());
  };
  EXPECT_THAT(error([](BrokerConfig& c) { c.broker_role = BrokerRole::kSlave; }), HasSubstr("brokerRole=SLAVE"));
  EXPECT_THAT(error([](BrokerConfig& c) { c.broker_name = "../etc"; }), HasSubstr("brokerName='../etc'"));
  EXPECT_THAT(error([](BrokerConfig& c) { c.listen_address = "localhost"; }), HasSubstr("bindAddress='localhost'"));
  EXPECT_THAT(error([](BrokerConfig& c) { c.listen_port = 2; }), HasSubstr("listenPort"));
  EXPECT_THAT(error([](BrokerConfig& c) { c.delete_when = "24"; }), HasSubstr("deleteWhen='24'"));
  EXPECT_THAT(error([](BrokerConfig& c) { c.segment_bytes = 8 << 20, c.max_message_size = 8 << 20; }),
              HasSubstr("mappedFileSizeCommitLog"));
  EXPECT_THAT(error([](BrokerConfig& c) { c.disk_max_used_space_ratio = 95; }), HasSubstr("diskSpaceWarningLevelRatio"));
}

// Catches messages that nobody has read deleted on a full disk although nobody has asked for that.
TEST(BrokerConfigTest, ForcedDeletionIsOnlyOnRequest) {
  EXPECT_FALSE(BrokerConfig().clean_file_forcibly_enable);
  BrokerConfig config;
  std::vector<core::ConfigFinding> findings;
  const std::vector<core::Property> properties = {{"cleanFileForciblyEnable", "true", 1},
                                                  {"diskSpaceCleanForciblyRatio", "80", 2}};
  ASSERT_TRUE(ApplyBrokerProperties(properties, "f", config, findings).ok());
  EXPECT_TRUE(config.clean_file_forcibly_enable);
  EXPECT_EQ(config.disk_space_clean_forcibly_ratio, 80);
}

TEST(BrokerConfigTest, DeleteWhen) {
  EXPECT_THAT(*DeleteWhenHours("04"), ElementsAre(4));
  EXPECT_THAT(*DeleteWhenHours("04;16"), ElementsAre(4, 16));
  EXPECT_THAT(*DeleteWhenHours(" 4 ; 23;"), ElementsAre(4, 23));
  for (const char* wrong : {"", ";", "4;;5", "-1", "4h", "24"}) EXPECT_FALSE(DeleteWhenHours(wrong).ok()) << wrong;
}

TEST(BrokerConfigTest, SplitAddresses) {
  EXPECT_THAT(SplitAddresses(" a:1; b:2 ;;"), ElementsAre("a:1", "b:2"));
  EXPECT_TRUE(SplitAddresses("").empty());
}

}  // namespace
}  // namespace broker
