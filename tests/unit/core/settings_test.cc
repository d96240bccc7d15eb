#include "core/settings.h"

#include <gtest/gtest.h>

#include "core/strings.h"

namespace core {
namespace {

enum class Mode { kSlow, kFast };
constexpr std::string_view kModes[] = {"SLOW", "FAST"};

struct Config {
  bool on = true;
  int32_t port = 9876;
  int64_t bytes = 1;
  double ratio = 0.5;
  std::string name = "n";
  absl::Duration period = absl::Seconds(30);
  Mode mode = Mode::kSlow;
};

constexpr Setting<Config> kSettings[] = {
    Setting<Config>("on", &Config::on, "A switch.").Live(),
    Setting<Config>("port", &Config::port, Range{1, 65535}, "A port.").Important(),
    Setting<Config>("bytes", &Config::bytes, Range{0}, "A size.").Live(),
    Setting<Config>("ratio", &Config::ratio, Range{0, 1}, "A share."),
    Setting<Config>("name", &Config::name, Range{1, 4}, "A name.").Private(),
    Setting<Config>("periodMillis", &Config::period, absl::Milliseconds(1), Range{10, 60000}, "A time."),
    Setting<Config>::Choice<&Config::mode>("mode", kModes, "A choice."),
};
constexpr IgnoredKey kIgnored[] = {{"threads", "there are none"}, {"aclEnable", "not there yet", "true"}};

absl::Status Apply(std::vector<Property> properties, Config& config, std::vector<ConfigFinding>& findings) {
  return ApplyProperties<Config>(properties, "f.conf", kSettings, kIgnored, config, findings);
}

std::string ErrorOf(const char* key, const char* value) {
  Config config;
  std::vector<ConfigFinding> findings;
  return std::string(Apply({{key, value, 7}}, config, findings).message());
}

TEST(SettingsTest, EveryKindIsSetAndPrinted) {
  Config config;
  std::vector<ConfigFinding> findings;
  ASSERT_TRUE(Apply({{"on", "FALSE", 1},
                     {"port", "+80", 2},
                     {"bytes", "9223372036854775807", 3},
                     {"ratio", "0.25", 4},
                     {"name", "abcd", 5},
                     {"periodMillis", "1500", 6},
                     {"mode", "fast", 7}},
                    config, findings)
                  .ok());
  EXPECT_EQ(config.period, absl::Milliseconds(1500));
  EXPECT_EQ(config.mode, Mode::kFast);
  EXPECT_EQ(ToProperties<Config>(kSettings, config),
            "bytes=9223372036854775807\nmode=FAST\nname=abcd\non=false\nperiodMillis=1500\nport=80\nratio=0.25\n");
  EXPECT_EQ(ToProperties<Config>(kSettings, config, /*important_only=*/true), "port=80\n");
}

TEST(SettingsTest, ErrorsNameFileLineKeyExpectationAndValue) {
  EXPECT_EQ(ErrorOf("port", "65536"), "f.conf:7: port: expected a whole number from 1 to 65535, not '65536'");
  EXPECT_EQ(ErrorOf("port", "80x"), "f.conf:7: port: expected a whole number from 1 to 65535, not '80x'");
  EXPECT_EQ(ErrorOf("bytes", "-1"), "f.conf:7: bytes: expected a whole number of at least 0, not '-1'");
  EXPECT_EQ(ErrorOf("bytes", "9223372036854775808"),
            "f.conf:7: bytes: expected a whole number of at least 0, not '9223372036854775808'");
  EXPECT_EQ(ErrorOf("ratio", "nan"), "f.conf:7: ratio: expected a number from 0 to 1, not 'nan'");
  EXPECT_EQ(ErrorOf("on", "yes"), "f.conf:7: on: expected true or false, not 'yes'");
  EXPECT_EQ(ErrorOf("mode", "MIDDLE"), "f.conf:7: mode: expected SLOW or FAST, not 'MIDDLE'");
  EXPECT_EQ(ErrorOf("name", ""), "f.conf:7: name: expected a text of at least 1 bytes, not ''");
  EXPECT_EQ(ErrorOf("name", "abcde"), "f.conf:7: name: expected a text of at most 4 bytes, not 'abcde'");
  EXPECT_NE(ErrorOf("name", "a\nb"), "");
}

TEST(SettingsTest, AFailedValueLeavesTheSettingAlone) {
  Config config;
  std::vector<ConfigFinding> findings;
  EXPECT_FALSE(Apply({{"port", "0", 1}}, config, findings).ok());
  EXPECT_EQ(config.port, 9876);
}

TEST(SettingsTest, FindingsTellWhatBecameOfEachKey) {
  Config config;
  std::vector<ConfigFinding> findings;
  ASSERT_TRUE(Apply({{"port", "1", 1}, {"threads", "8", 2}, {"prot", "3", 3}, {"zzzzzzzz", "4", 4}, {"port", "5", 5}}, config,
                    findings)
                  .ok());
  EXPECT_EQ(config.port, 5);
  EXPECT_EQ(FormatFindings(findings),
            "    replaced port (f.conf:1): given again in f.conf:5\n"
            "    ignored  threads (f.conf:2): there are none\n"
            "    unknown  prot (f.conf:3): did you mean port?\n"
            "    unknown  zzzzzzzz (f.conf:4)\n"
            "    used     port = 5 (f.conf:5)\n");
}

// To ignore aclEnable=true would open a broker that its owner believes closed.
TEST(SettingsTest, WhatWouldBeUnsafeToIgnoreIsRefused) {
  EXPECT_EQ(ErrorOf("aclEnable", "True"),
            "f.conf:7: aclEnable=True: not there yet; take the line out to start without");
  EXPECT_EQ(ErrorOf("aclEnable", "false"), "");
}

TEST(SettingsTest, NearestKeyIgnoresCaseAndGivesUpOnStrangers) {
  constexpr std::string_view kKeys[] = {"brokerName", "brokerClusterName", "listenPort"};
  EXPECT_EQ(NearestKey("brokername", kKeys), "brokerName");
  EXPECT_EQ(NearestKey("listnePort", kKeys), "listenPort");
  EXPECT_EQ(NearestKey("x", kKeys), "");
}

// CVE-2023-33246: what a peer may change is a short list, and a change is whole or not at all.
TEST(SettingsTest, OnlyLiveSettingsChangeWhileRunning) {
  Config config;
  const auto change = [&](std::vector<Property> properties) {
    return ApplyLive<Config>(properties, kSettings, kIgnored, config);
  };
  EXPECT_TRUE(change({{"on", "false", 1}, {"bytes", "7", 2}}).ok());
  EXPECT_FALSE(config.on);
  EXPECT_EQ(config.bytes, 7);

  absl::Status status = change({{"bytes", "8", 1}, {"port", "1", 2}});
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ToStd(status.message()),
            "can't change port while the server runs: write it into the configuration file and start anew");
  status = change({{"bytes", "9", 1}, {"threads", "2", 2}});
  EXPECT_EQ(ToStd(status.message()), "can't change threads: it has no effect on this server");
  status = change({{"bytes", "9", 1}, {"b\nytes", "2", 2}});
  EXPECT_EQ(ToStd(status.message()), "can't change b?ytes: there is no such setting");
  status = change({{"on", "true", 1}, {"bytes", "-1", 2}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ToStd(status.message()), "bytes: expected a whole number of at least 0, not '-1'");
  EXPECT_EQ(change({{"bytes", "9", 1}, {"bytes", "8", 2}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(config.on) << "one bad line, and none of them counts";
  EXPECT_EQ(config.bytes, 7);
}

TEST(SettingsTest, PeersDoNotSeePrivateSettings) {
  const Config config;
  EXPECT_NE(ToProperties<Config>(kSettings, config).find("name=n"), std::string::npos);
  const std::string shown = ToProperties<Config>(kSettings, config, false, Reader::kPeer);
  EXPECT_EQ(shown.find("name="), std::string::npos);
  EXPECT_NE(shown.find("port=9876"), std::string::npos);
}

}  // namespace
}  // namespace core
