#include "net/frame.h"

#include <gtest/gtest.h>

#include <random>

#include "net/header.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

TEST(EncodeFrameHead, WritesJsonAsARealBrokerDoes) {
  HeaderFields fields;
  fields.Add("offset", int64_t{3});
  FrameHead head;
  head.opaque = 19;
  head.flag = kFlagResponse;
  head.fields = &fields;
  // Observed from RocketMQ 5.3.3.
  const std::string header =
      R"({"code":0,"extFields":{"offset":"3"},"flag":1,"language":"JAVA","opaque":19,"serializeTypeCurrentRPC":"JSON","version":479})";
  const auto size = static_cast<uint32_t>(header.size());
  EXPECT_EQ(Encode(head, 7), BigEndian32(4 + size + 7) + BigEndian32(size) + header);
}

TEST(EncodeFrameHead, WritesTheBinaryLayout) {
  HeaderFields fields;
  fields.Add("ab", "xyz");
  FrameHead head;
  head.serialize_type = SerializeType::kRocketMq;
  head.code = 34;
  head.opaque = 0x01020304;
  head.flag = kFlagOneway;
  head.remark = "r!";
  head.fields = &fields;
  const std::string header = std::string("\x00\x22\x00\x01\xDF\x01\x02\x03\x04\x00\x00\x00\x02\x00\x00\x00\x02r!", 19) +
                             std::string(
                                 "\x00\x00\x00\x0B\x00\x02"
                                 "ab\x00\x00\x00\x03xyz",
                                 15);
  EXPECT_EQ(Encode(head), BigEndian32(4 + 34) + std::string("\x01\x00\x00\x22", 4) + header);
}

TEST(EncodeFrameHead, FallsBackToJsonForCodesThatDoNotFit) {
  FrameHead head;
  head.serialize_type = SerializeType::kRocketMq;
  head.code = 200050;  // 16 bits would make it 3442
  const absl::StatusOr<Frame> frame = Decode(Encode(head).substr(4));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->serialize_type, SerializeType::kJson);
  EXPECT_EQ(frame->code, 200050);
}

TEST(DecodeFrame, ReadsWhatTheGoClientSends) {
  const auto frame = DecodeJson(
      R"({"code":105,"language":"GO","version":317,"opaque":1,"flag":0,"remark":"","extFields":{"topic":"T"}})",
      "body");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->code, 105);
  EXPECT_EQ(frame->language, 9);
  EXPECT_EQ(frame->version, 317);
  EXPECT_EQ(frame->opaque, 1);
  EXPECT_EQ(Value(*frame, "topic"), "T");
  EXPECT_EQ(frame->body.text(), "body");
}

// Bare numbers among the fields, empty ACL fields and a newline behind the object: the C++ client.
TEST(DecodeFrame, ReadsWhatTheCppClientSends) {
  const auto frame = DecodeJson(
      "{\"code\":11,\"extFields\":{\"queueId\":0,\"sysFlag\":2,\"batch\":false,\"AccessKey\":\"\"},\"language\":"
      "\"CPP\",\"remark\":\"\"}\n");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->language, 1);
  EXPECT_EQ(Value(*frame, "queueId"), "0");
  EXPECT_EQ(Value(*frame, "sysFlag"), "2");
  EXPECT_EQ(Value(*frame, "batch"), "false");
  EXPECT_EQ(Value(*frame, "AccessKey"), "");
}

TEST(DecodeFrame, UnescapesWhereTheTextLies) {
  const auto frame = DecodeJson(
      "{\"extFields\":{\"i\":\"TAGS\\u0001A\\u0002KEYS\x01raw\x02\",\"e\":\"\\\"\\\\\\/"
      "\\b\\f\\n\\r\\t\\u00e9\\u4E2D\\uD83D\\uDE00\"}}");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(Value(*frame, "i"),
            "TAGS\x01"
            "A\x02KEYS\x01raw\x02");
  EXPECT_EQ(Value(*frame, "e"), "\"\\/\b\f\n\r\t\u00e9\u4E2D\U0001F600");
}

TEST(DecodeFrame, LoneSurrogatesBecomeQuestionMarks) {
  const auto frame = DecodeJson(R"({"extFields":{"a":"\ud83d","b":"\ude00x","c":"\ud83d\u0041"}})");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(Value(*frame, "a"), "?");
  EXPECT_EQ(Value(*frame, "b"), "?x");
  EXPECT_EQ(Value(*frame, "c"), "?A");
}

TEST(DecodeFrame, AcceptsAnyOrderBlanksUnknownMembersAndNulls) {
  const auto frame = DecodeJson(
      " { \"x\" : [1,{\"a\":\"]}\"}] , \"remark\":null, \"extFields\" : null , \"opaque\" : \"7\", "
      "\"language\":\"nOdE_jS\",\r\n\t\"code\":-3,"
      "\"version\":null } ");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->opaque, 7);
  EXPECT_EQ(frame->code, -3);
  EXPECT_EQ(frame->language, 13);
  EXPECT_EQ(frame->remark, "");
  EXPECT_TRUE(frame->fields.empty());
}

TEST(DecodeFrame, KeepsUnknownFieldsAndLetsTheLastOfANameCount) {
  const auto frame = DecodeJson(R"({"extFields":{"a":"1","Signature":"s","a":"2","n":null,"o":{"x":[1]}}})");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(Value(*frame, "a"), "2");
  EXPECT_EQ(Value(*frame, "Signature"), "s");
  EXPECT_EQ(Value(*frame, "n"), "<none>");
  EXPECT_EQ(Value(*frame, "o"), R"({"x":[1]})");
}

TEST(DecodeFrame, UnknownLanguagesAreOther) {
  EXPECT_EQ(DecodeJson(R"({"language":"COBOL"})")->language, kLanguageOther);
  EXPECT_EQ(DecodeJson(R"({"language":"12"})")->language, 12);
  EXPECT_EQ(DecodeJson(R"({"language":99})")->language, kLanguageOther);
  EXPECT_EQ(LanguageName(12), "RUST");
  EXPECT_EQ(LanguageName(-1), "OTHER");
}

TEST(DecodeFrame, BinaryReadsEmptyValuesAsNone) {
  const std::string header = std::string("\x00\x0A\x63\x01\x8F\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00", 17) +
                             std::string(
                                 "\x00\x00\x00\x0F\x00\x01"
                                 "a\x00\x00\x00\x00\x00\x01"
                                 "b\x00\x00\x00\x01"
                                 "2",
                                 19);
  const auto frame = Decode(RawFrame(1, header));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->code, 10);
  EXPECT_EQ(frame->language, kLanguageOther);  // 0x63 is nobody
  EXPECT_EQ(frame->version, 399);
  EXPECT_EQ(Value(*frame, "a"), "<none>");
  EXPECT_EQ(Value(*frame, "b"), "2");
}

class MalformedFrame : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(MalformedFrame, IsRefusedAndSaysWhy) {
  const auto& [bytes, why] = GetParam();
  const auto frame = Decode(bytes);
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(frame.status().message()).find(why), std::string::npos) << frame.status();
}

std::string Nested(int depth) {
  return "{\"x\":" + std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']') + "}";
}
std::string Binary(std::string_view tail) {
  return RawFrame(1, std::string("\x00\x0A\x00\x01\x8F\x00\x00\x00\x05\x00\x00\x00\x00", 13) + std::string(tail));
}

INSTANTIATE_TEST_SUITE_P(
    All, MalformedFrame,
    testing::Values(
        std::pair("abc", "too short"), std::pair(RawFrame(2, "{}"), "serialize type 2"),
        std::pair(BigEndian32(3) + "{}", "header of 3 bytes"),
        std::pair(BigEndian32(0xFFFFFF) + "{}", "header of 16777215"),
        std::pair(RawFrame(0, std::string(kHeaderBytesMax + 1, ' ')), "at most"),
        std::pair(RawFrame(0, ""), "an object"), std::pair(RawFrame(0, "null"), "an object"),
        std::pair(RawFrame(0, "[]"), "an object"), std::pair(RawFrame(0, "{"), "a string"),
        std::pair(RawFrame(0, "{}}"), "text after"), std::pair(RawFrame(0, "{\"code\":1"), "a comma"),
        std::pair(RawFrame(0, "{\"code\":1,}"), "a string"), std::pair(RawFrame(0, "{\"code\" 1}"), "a colon"),
        std::pair(RawFrame(0, "{\"code\":\"x\"}"), "32-bit"), std::pair(RawFrame(0, "{\"code\":2147483648}"), "32-bit"),
        std::pair(RawFrame(0, "{\"opaque\":{}}"), "32-bit"), std::pair(RawFrame(0, "{\"code\":tru}"), "a word"),
        std::pair(RawFrame(0, "{\"a\":\"x}"), "string without end"),
        std::pair(RawFrame(0, "{\"a\":\"\\x\"}"), "bad escape"),
        std::pair(RawFrame(0, "{\"a\":\"\\u12g4\"}"), "bad escape"),
        std::pair(RawFrame(0, "{\"a\":\"\\u12"), "bad escape"), std::pair(RawFrame(0, "{\"a\":\"\\"), "bad escape"),
        std::pair(RawFrame(0, "{\"extFields\":[]}"), "no object"),
        std::pair(RawFrame(0, "{\"x\":[}]}"), "do not match"), std::pair(RawFrame(0, "{\"x\":["), "without end"),
        std::pair(RawFrame(0, Nested(33)), "too deep"), std::pair(RawFrame(1, std::string(20, '\0')), "too few"),
        std::pair(Binary(std::string("\x00\x00\x00\x01\x00\x00\x00\x00", 8)), "fields do not end"),
        std::pair(Binary(std::string("\x7F\xFF\xFF\xFF\x00\x00\x00\x00", 8)), "remark beyond"),
        std::pair(Binary(std::string("\xFF\xFF\xFF\xFF\x00\x00\x00\x00", 8)), "remark beyond"),
        std::pair(Binary(std::string("\x00\x00\x00\x00\x00\x00\x00\x01", 8)), "fields do not end"),
        std::pair(Binary(std::string("\x00\x00\x00\x00\x00\x00\x00\x03\x00\x02"
                                     "a",
                                     11)),
                  "name beyond"),
        std::pair(Binary(std::string("\x00\x00\x00\x00\x00\x00\x00\x02\xFF\xFF", 10)), "name beyond"),
        std::pair(Binary(std::string("\x00\x00\x00\x00\x00\x00\x00\x07\x00\x01"
                                     "a\x00\x00\x00\x01",
                                     15)),
                  "value beyond"),
        std::pair(Binary(std::string("\x00\x00\x00\x00\x00\x00\x00\x07\x00\x01"
                                     "a\xFF\xFF\xFF\xFF",
                                     15)),
                  "value beyond")));

TEST(DecodeFrame, AcceptsTheDeepestNestingAllowed) { EXPECT_TRUE(DecodeJson(Nested(32)).ok()); }

// Whatever is encoded is decoded to the same, in both encodings.
TEST(FrameRoundTrip, KeepsEverything) {
  std::mt19937 random(7);
  const auto text = [&random](size_t most) {
    std::string made(1 + random() % most, ' ');
    for (char& c : made) c = static_cast<char>(random() % 256);
    return made;
  };
  static constexpr std::string_view kNames[] = {"a", "topic", "MSG_REGION", "suggestWhichBrokerId", "reconsumeTimes"};
  for (int round = 0; round < 2000; ++round) {
    HeaderFields fields;
    std::vector<std::string> values;
    const size_t count = random() % (std::size(kNames) + 1);
    for (size_t i = 0; i < count; ++i) {
      values.push_back(text(200));
      fields.Add(kNames[i], values.back());
    }
    const std::string remark = random() % 2 == 0 ? text(50) : std::string();
    FrameHead head;
    head.serialize_type = static_cast<SerializeType>(random() % 2);
    head.code = static_cast<int16_t>(random());
    head.opaque = static_cast<int32_t>(random());
    head.flag = static_cast<int32_t>(random());
    head.remark = remark;
    head.fields = &fields;
    const std::string body = random() % 2 == 0 ? text(100) : std::string();
    const std::string wire = Encode(head, body.size()) + body;
    ASSERT_EQ(wire.substr(0, 4), BigEndian32(static_cast<uint32_t>(wire.size() - 4)));
    const auto frame = Decode(wire.substr(4));
    ASSERT_TRUE(frame.ok()) << frame.status();
    EXPECT_EQ(frame->serialize_type, head.serialize_type);
    EXPECT_EQ(frame->code, head.code);
    EXPECT_EQ(frame->opaque, head.opaque);
    EXPECT_EQ(frame->flag, head.flag);
    EXPECT_EQ(frame->version, kOurVersion);
    EXPECT_EQ(frame->language, kLanguageJava);
    EXPECT_EQ(frame->remark, remark);
    EXPECT_EQ(frame->body.text(), body);
    ASSERT_EQ(frame->fields.size(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(Value(*frame, kNames[i]), values[i]);
  }
}

// Damage gives a frame or an error, never anything else (sanitizers watch the bounds).
TEST(FrameRoundTrip, DamagedFramesAreDecodedOrRefused) {
  std::mt19937 random(11);
  HeaderFields fields;
  fields.Add("i",
             "TAGS\x01"
             "a\x02");
  fields.Add("b", "topic");
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    FrameHead head;
    head.serialize_type = static_cast<SerializeType>(random() % 2);
    head.remark = "why";
    head.fields = &fields;
    std::string wire = Encode(head).substr(4);
    for (uint32_t hits = 1 + random() % 3; hits > 0; --hits) wire[random() % wire.size()] = static_cast<char>(random());
    if (random() % 4 == 0) wire.resize(random() % wire.size());
    const auto frame = Decode(wire);
    if (!frame.ok()) ++refused;
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 20000);
}

}  // namespace
}  // namespace net
