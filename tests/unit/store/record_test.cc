// Goal: records are RocketMQ's to the byte, and parsing takes any bytes.
#include "store/record.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "store/bytes.h"
#include "store/crc.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

std::string Hex(std::string_view hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  return absl::HexStringToBytes(digits);
}

std::vector<std::byte> Encode(const MessageDraft& draft, const RecordPlace& place) {
  std::vector<std::byte> bytes(RecordBytes(draft));
  EncodeRecord(draft, place, bytes.data());
  return bytes;
}

// The first record of a fresh store of RocketMQ 5.3.3, read from its commit log.
TEST(RecordTest, IsByteForByteRocketMqs) {
  const std::string properties =
      std::string("MSG_REGION\x01""DefaultRegion\x02""UNIQ_KEY\x01UK1\x02""CLUSTER\x01""DefaultCluster\x02TAGS\x01""a\x02") +
      "KEYS\x01k1 k2\x02WAIT\x01true\x02";
  const std::string more = "TRACE_ON\x01true\x02";
  MessageDraft draft = DraftOf("T1", 0, "hello");
  draft.properties = properties;
  draft.more_properties = more;
  draft.born_timestamp = 1;
  draft.born_host = {.ipv6 = false, .address = {127, 0, 0, 1}, .port = 38914};
  draft.store_host = {.ipv6 = false, .address = {127, 0, 0, 1}, .port = 30911};
  const std::string expected =
      Hex("000000c9 daa320a7 3610a686 00000000 00000000 0000000000000000 0000000000000000 00000000 0000000000000001 7f000001 00009802"
          "000001a1fbde1fc2 7f000001 000078bf 00000000 0000000000000000 00000005 68656c6c6f 02 5431 0067") +
      properties + more;
  const std::vector<std::byte> record = Encode(draft, {core::LogicalOffset(0), core::PhysicalOffset(0), 0x1a1fbde1fc2});
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(record.data()), record.size()), expected);
}

TEST(RecordTest, ParsesWhatItWrote) {
  for (const size_t topic_bytes : {size_t{1}, size_t{127}, size_t{128}, size_t{255}}) {
    for (const bool ipv6 : {false, true}) {
      for (const std::string& body : {std::string(), std::string(5000, 'b')}) {
        const std::string topic(topic_bytes, 't');
        MessageDraft draft = DraftOf(topic, 7, body);
        draft.born_host.ipv6 = ipv6;
        draft.sys_flag = 0x1 | kSysFlagStoreHostV6;  // a flag that the hosts do not bear out
        const std::vector<std::byte> bytes = Encode(draft, {core::LogicalOffset(12), MakePhysicalOffset(3, 4096), 99});
        const absl::StatusOr<RecordView> view = ParseRecord(bytes);
        ASSERT_TRUE(view.ok()) << view.status();
        EXPECT_EQ(view->topic, topic);
        EXPECT_EQ(view->queue_id, 7);
        EXPECT_EQ(view->body.size(), body.size());
        EXPECT_TRUE(view->BodyIntact());
        EXPECT_EQ(view->properties, draft.properties);
        EXPECT_EQ(view->queue_offset.value(), 12);
        EXPECT_EQ(LogNumberOf(view->position), 3U);
        EXPECT_EQ(LogPositionOf(view->position), 4096U);
        EXPECT_EQ(view->store_timestamp, 99);
        EXPECT_EQ(view->sys_flag, ipv6 ? 0x11 : 0x1);
        EXPECT_EQ(LoadBig<uint32_t>(bytes.data() + 4), topic_bytes > 127 ? kRecordMagicV2 : kRecordMagicV1);
        EXPECT_EQ(body.empty(), LoadBig<uint32_t>(bytes.data() + 8) == 0);
        EXPECT_EQ(bytes.size(), 91 + body.size() + topic_bytes + draft.properties.size() + (ipv6 ? 12 : 0) + (topic_bytes > 127 ? 1 : 0));
      }
    }
  }
}

TEST(RecordTest, AnyBytesParseOrFail) {
  const MessageDraft draft = DraftOf("Topic", 1, "some body");
  const std::vector<std::byte> good = Encode(draft, {});
  for (size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(ParseRecord(std::span(good).first(length)).ok());
  // Every single bit, and every byte at its extremes: a view inside the bytes or an error, under the sanitizers.
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 10; ++bit) {
      std::vector<std::byte> bytes = good;
      bytes[at] = bit == 8 ? std::byte{0xff} : bit == 9 ? std::byte{0x80} : bytes[at] ^ std::byte(1 << bit);
      const absl::StatusOr<RecordView> view = ParseRecord(bytes);
      if (!view.ok()) continue;
      EXPECT_GE(view->topic.data(), reinterpret_cast<const char*>(bytes.data()));
      EXPECT_EQ(view->properties.data() + view->properties.size(), reinterpret_cast<const char*>(bytes.data() + view->bytes));
      (void)view->BodyIntact();
    }
  }
}

TEST(RecordTest, DraftsThatCannotBeStoredAreRefused) {
  EXPECT_TRUE(CheckDraft(DraftOf("T", 0, "")).ok());
  EXPECT_FALSE(CheckDraft(DraftOf("", 0, "")).ok());
  EXPECT_FALSE(CheckDraft(DraftOf("T", -1, "")).ok());
  MessageDraft open = DraftOf("T", 0, "");
  open.properties = "a\x01""b";
  EXPECT_FALSE(CheckDraft(open).ok());
  const std::string half(16384, '\x02');
  MessageDraft large = DraftOf("T", 0, "");
  large.properties = large.more_properties = half;
  EXPECT_FALSE(CheckDraft(large).ok());
  large.more_properties = std::string_view(half).substr(1);
  EXPECT_TRUE(CheckDraft(large).ok());
}

TEST(CrcTest, AreTheKnownPolynomials) {
  const std::string check = "123456789";
  const std::span<const std::byte> bytes = std::as_bytes(std::span(check.data(), check.size()));
  EXPECT_EQ(Crc32c(bytes), 0xE3069283U);
  EXPECT_EQ(Crc32(bytes), 0xCBF43926U);
  EXPECT_EQ(Crc32c(bytes.subspan(4), Crc32c(bytes.first(4))), 0xE3069283U);
}

TEST(RecordTest, ThePhysicalOffsetNamesTheLog) {
  EXPECT_EQ(LogNumberOf(core::PhysicalOffset((int64_t{5} << 48) | 4096)), 5U);
  EXPECT_EQ(LogNumberOf(core::PhysicalOffset(4096)), 0U);
  EXPECT_EQ(LogNumberOf(core::PhysicalOffset(-1)), kLogNumberMax);
  EXPECT_EQ(LogPositionOf(core::PhysicalOffset((int64_t{5} << 48) | 4096)), 4096U);
}

}  // namespace
}  // namespace store
