#include "nameserver/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace nameserver {
namespace {

using ::testing::HasSubstr;

TEST(NameServerConfigTest, ThePrintedConfigurationLoadsAndIsTheSame) {
  const std::string text = NameServerConfigText(NameServerConfig(), core::Reader::kOperator);
  NameServerConfig loaded;
  std::vector<core::ConfigFinding> findings;
  const absl::Status status = ApplyNameServerProperties(*core::ParseProperties(text), "printed", loaded, findings);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(NameServerConfigText(loaded, core::Reader::kOperator), text);
  EXPECT_TRUE(CheckNameServerConfig(loaded).ok());
}

TEST(NameServerConfigTest, EveryKeyIsListedOnce) {
  std::set<std::string_view> keys;
  for (const auto& setting : NameServerSettings()) EXPECT_TRUE(keys.insert(setting.key()).second) << setting.key();
  for (const auto& ignored : IgnoredNameServerKeys()) EXPECT_TRUE(keys.insert(ignored.key).second) << ignored.key;
}

// One forbidden key among allowed ones, or one bad value, must leave everything as it was.
TEST(NameServerConfigTest, AnUpdateFromOutsideIsHarmlessAndWhole) {
  NameServerConfig config;
  const std::string before = NameServerConfigText(config, core::Reader::kOperator);
  EXPECT_EQ(UpdateLiveSettings("orderMessageEnable=true\nkvConfigPath=/etc/passwd\n", config).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(UpdateLiveSettings("orderMessageEnable=true\nlistenPort=1\n", config).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(UpdateLiveSettings("orderMessageEnable=true\nenableAllTopicList=maybe\n", config).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NameServerConfigText(config, core::Reader::kOperator), before);
  EXPECT_TRUE(UpdateLiveSettings("orderMessageEnable=true\nenableAllTopicList=false\n", config).ok());
  EXPECT_TRUE(config.order_message_enable);
  EXPECT_FALSE(config.enable_all_topic_list);
}

TEST(NameServerConfigTest, AHostNameIsNoAddressToListenOn) {
  NameServerConfig config;
  config.listen_address = "localhost";
  EXPECT_THAT(std::string(CheckNameServerConfig(config).message()), HasSubstr("bindAddress='localhost'"));
}

}  // namespace
}  // namespace nameserver
