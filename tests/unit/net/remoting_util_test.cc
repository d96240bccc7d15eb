#include "net/remoting_util.h"

#include <gtest/gtest.h>

#include "tests/unit/net/test_util.h"

namespace net {
namespace {

std::string OneMessage(uint32_t total, uint32_t body_bytes, std::string_view rest) {
  return BigEndian32(total) + BigEndian32(0) + BigEndian32(0) + BigEndian32(9) + BigEndian32(body_bytes) +
         std::string(rest);
}

TEST(BatchReader, ReadsMessagesWhereTheyLie) {
  const std::string body =
      OneMessage(27, 3, std::string("abc\x00\x02p!", 7)) + OneMessage(22, 0, std::string("\x00\x00", 2));
  BatchReader reader(body);
  BatchMessage message;
  ASSERT_TRUE(reader.Next(message).ok());
  EXPECT_EQ(message.flag, 9);
  EXPECT_EQ(message.body, "abc");
  EXPECT_EQ(message.body.data(), body.data() + 20);
  EXPECT_EQ(message.properties, "p!");
  ASSERT_FALSE(reader.AtEnd());
  ASSERT_TRUE(reader.Next(message).ok());
  EXPECT_EQ(message.body, "");
  EXPECT_EQ(message.properties, "");
  EXPECT_TRUE(reader.AtEnd());
}

TEST(BatchReader, ReadsWhatIsAppended) {
  std::string body;
  AppendBatchMessage(body, {.flag = -1, .body = "one", .properties = "TAGS\x01x\x02"});
  AppendBatchMessage(body, {});
  BatchReader reader(body);
  BatchMessage message;
  ASSERT_TRUE(reader.Next(message).ok());
  EXPECT_EQ(message.flag, -1);
  EXPECT_EQ(message.body, "one");
  EXPECT_EQ(message.properties, "TAGS\x01x\x02");
  ASSERT_TRUE(reader.Next(message).ok());
  EXPECT_TRUE(reader.AtEnd());
}

TEST(BatchReader, RefusesSizesThatDoNotFit) {
  const std::string properties("\x00\x02p!", 4);
  for (const std::string& bad : {
           std::string("short"),
           OneMessage(28, 3, "abc" + properties),             // more than is there
           OneMessage(26, 3, "abc" + properties),             // ends inside its properties
           OneMessage(0, 3, "abc" + properties),              //
           OneMessage(27, 6, "abc" + properties),             // the body leaves no room for the length
           OneMessage(27, 0xFFFFFFFF, "abc" + properties),    //
           OneMessage(27, 4, "abc" + properties),             // the body takes from the length
           OneMessage(25, 3, std::string("abc\xFF\xFF", 5)),  // 65,535 bytes of properties
           OneMessage(0xFFFFFFFF, 3, "abc" + properties),
       }) {
    BatchReader reader(bad);
    BatchMessage message;
    EXPECT_EQ(reader.Next(message).code(), absl::StatusCode::kInvalidArgument) << bad.size();
  }
}

TEST(DecodeOffsetMessageId, ReadsBothFamilies) {
  // Observed from RocketMQ 5.3.3.
  const auto id = DecodeOffsetMessageId("7F000001000078BF0000000000000261");
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(id->store_host.Text(), "127.0.0.1:30911");
  EXPECT_EQ(id->position.value(), 0x261);
  const auto ipv6 = DecodeOffsetMessageId(
      "00000000000000000000000000000001"
      "00002a9f"
      "0001000000000010");
  ASSERT_TRUE(ipv6.ok()) << ipv6.status();
  EXPECT_EQ(ipv6->store_host.Text(), "[::1]:10911");
  EXPECT_EQ(ipv6->position.value(), int64_t{1} << 48 | 0x10);
}

TEST(DecodeOffsetMessageId, RefusesTheRest) {
  for (const std::string_view bad : {"", "7F000001000078BF000000000000026", "7F000001000078BF00000000000002G1",
                                     "7F000001000178BF0000000000000261", "7F000001000078BF0000000000000261AA"}) {
    EXPECT_FALSE(DecodeOffsetMessageId(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace net
