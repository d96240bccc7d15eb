#include "broker/message_id.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace broker {
namespace {

// Taken from a running RocketMQ 5.3.3 broker.
TEST(MessageIdTest, IsRocketMqsTextOfHostPortAndOffset) {
  const core::Endpoint host = core::Endpoint::Parse("127.0.0.1:30911").value();
  EXPECT_EQ(MessageId::OfRecord(host, core::PhysicalOffset(0x261)).text(), "7F000001000078BF0000000000000261");
}

TEST(MessageIdTest, HasRoomForIpv6AndForTheLogNumber) {
  const core::Endpoint host = core::Endpoint::Parse("[::1]:10911").value();
  const MessageId id = MessageId::OfRecord(host, core::PhysicalOffset((int64_t{3} << 48) | 0x1000));
  EXPECT_EQ(id.text(), "0000000000000000000000000000000100002A9F0003000000001000");
}

TEST(MessageIdTest, GivesItsOffsetBack) {
  const core::PhysicalOffset position((int64_t{3} << 48) | 0xabcdef);
  for (const char* host : {"127.0.0.1:30911", "[::1]:10911"}) {
    EXPECT_EQ(MessageId::PositionIn(MessageId::OfRecord(core::Endpoint::Parse(host).value(), position).text()), position);
  }
  EXPECT_EQ(MessageId::PositionIn("7f000001000078bf0000000000000aBc"), core::PhysicalOffset(0xabc));
  EXPECT_EQ(MessageId::PositionIn(""), std::nullopt);
  EXPECT_EQ(MessageId::PositionIn("7F000001000078BF000000000000261"), std::nullopt) << "a digit is missing";
  EXPECT_EQ(MessageId::PositionIn("7F000001000078BF000000000000026G"), std::nullopt);
  EXPECT_EQ(MessageId::PositionIn(std::string("7F000001000078BF000000000000026\0", 32)), std::nullopt);
}

TEST(UniqueKeysTest, AreUniqueAndTellTheTimeSinceTheMonthBegan) {
  const core::Endpoint host = core::Endpoint::Parse("10.0.0.1:10911").value();
  UniqueKeys keys(0x1122334455667788u);
  const core::WallMillis first_of_november = 1793491200000;  // 2026-11-01T00:00:00Z
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const MessageId key = keys.Next(host, first_of_november + 5);
    ASSERT_EQ(key.text().size(), 32u);
    EXPECT_EQ(key.text().substr(0, 8), "0A000001");
    EXPECT_EQ(key.text().substr(20, 8), "00000005");
    seen.insert(std::string(key.text()));
  }
  EXPECT_EQ(seen.size(), 1000u);
  // Milliseconds before the first of the month belong to the month before.
  EXPECT_EQ(keys.Next(host, first_of_november - 1).text().substr(20, 8), "9FA523FF") << "31 days less 1 ms";
}

}  // namespace
}  // namespace broker
