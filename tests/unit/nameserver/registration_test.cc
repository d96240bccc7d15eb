#include "nameserver/registration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/zlib.h"

namespace nameserver {
namespace {

using ::testing::HasSubstr;

constexpr int32_t kV4_9_7 = 407;
constexpr int32_t kV5_3_3 = 479;

std::string Int32(size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}
std::string Text(std::string_view text) { return Int32(text.size()) + std::string(text); }

// The body as a 5.3.3 broker sends it.
TEST(RegistrationTest, PlainBody) {
  const auto report = DecodeTopicReport(
      R"({"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"stateVersion":1,"timestamp":1795227053207},)"
      R"("topicConfigTable":{"T":{"attributes":{},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG",)"
      R"("topicName":"T","topicSysFlag":2,"writeQueueNums":3}},"topicQueueMappingInfoMap":{"T":{"bname":"b","currIdMap":{0:1,2:3},)"
      R"("dirty":false,"epoch":7,"scope":"__global__","topic":"T","totalQueues":4}}}})",
      /*compressed=*/false, kV5_3_3);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->version, (DataVersion{.state_version = 1, .timestamp = 1795227053207, .counter = 3}));
  ASSERT_EQ(report->topics.size(), 1u);
  EXPECT_EQ(report->topics[0].name, "T");
  EXPECT_EQ(report->topics[0].queues, (QueueData{4, 3, 6, 2}));
  const QueueMapping mapping{"b", {{0, 1}, {2, 3}}, false, 7, "__global__", "T", 4};
  EXPECT_EQ(report->mappings.at("T"), mapping);
}

TEST(RegistrationTest, BrokersBefore3011SendTheWrapperAlone) {
  const std::string body = R"({"dataVersion":{"counter":1},"topicConfigTable":{"T":{"perm":2}}})";
  EXPECT_EQ(DecodeTopicReport(body, false, 36)->topics.size(), 1u);
  EXPECT_EQ(DecodeTopicReport(body, false, 37)->topics.size(), 0u);
}

TEST(RegistrationTest, PackedBodyWithAndWithoutMappings) {
  const std::string common = Text(R"({"counter":1,"stateVersion":0,"timestamp":2})") + Int32(2) +
                             Text("TBW102 8 8 7 SINGLE_TAG {}") + Text("T 4 3 6 SINGLE_TAG") + Text("[]");
  const auto old = DecodeTopicReport(net::Deflate(common), true, kV4_9_7);
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->version.timestamp, 2);
  ASSERT_EQ(old->topics.size(), 2u);
  EXPECT_EQ(old->topics[0].queues, (QueueData{8, 8, 7, 0}));
  EXPECT_EQ(old->topics[1].queues, (QueueData{4, 3, 6, 0}));

  const std::string mapping = R"({"bname":"b","currIdMap":{"0":0},"topic":"T","totalQueues":1})";
  const auto modern = DecodeTopicReport(net::Deflate(common + Int32(1) + Text(mapping)), true, kV5_3_3);
  ASSERT_TRUE(modern.ok()) << modern.status();
  EXPECT_EQ(modern->mappings.at("T").total_queues, 1);
  EXPECT_FALSE(DecodeTopicReport(net::Deflate(common), true, kV5_3_3).ok()) << "the mappings are missing";
}

// Every cut of a packed body, and lengths that promise more than there is, must be refused without reading beyond.
TEST(RegistrationTest, DamagedPackedBodies) {
  const std::string whole = Text("{}") + Int32(1) + Text("T 4 3 6 SINGLE_TAG") + Text("[]");
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(DecodeTopicReport(net::Deflate(whole.substr(0, length)), true, kV4_9_7).ok()) << length;
  }
  EXPECT_FALSE(DecodeTopicReport(net::Deflate(Text("{}") + Int32(0xffffffff)), true, kV4_9_7).ok());
  EXPECT_FALSE(DecodeTopicReport(net::Deflate(Int32(0x7fffffff) + "{}"), true, kV4_9_7).ok());
  for (const char* topic : {"", "T", "T 4 3", "T a 3 6 X", " 4 3 6 X"}) {
    EXPECT_FALSE(DecodeTopicReport(net::Deflate(Text("{}") + Int32(1) + Text(topic) + Text("[]")), true, kV4_9_7).ok()) << topic;
  }
}

TEST(RegistrationTest, NoBodyIsAReportWithoutTopicsAndNoJsonIsAnError) {
  EXPECT_TRUE(DecodeTopicReport("", false, kV5_3_3)->topics.empty());
  EXPECT_FALSE(DecodeTopicReport("{\"topicConfig", false, kV5_3_3).ok());
}

TEST(RegistrationTest, DataVersionRoundTrip) {
  const DataVersion version{.state_version = 1, .timestamp = 2, .counter = 3};
  EXPECT_EQ(DataVersionJson(version), R"({"counter":3,"stateVersion":1,"timestamp":2})");
  EXPECT_EQ(*DataVersionFromJson(DataVersionJson(version)), version);
}

}  // namespace
}  // namespace nameserver
