// Goal: an answer made from its template is, byte for byte, the one that the encoder makes.
#include "net/answer_template.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/header.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

using std::string_view_literals::operator""sv;

constexpr int32_t kCode = 11;
constexpr std::string_view kRegion = "Region \"1\"\x01";

std::string FromTemplate(SerializeType type, int32_t opaque, const std::vector<std::string_view>& values) {
  const AnswerTemplate answer(kCode, {{"MSG_REGION", kRegion}, {"TRACE_ON", "true"}}, {"msgId", "queueOffset", "transactionId"});
  const std::vector<AnswerTemplate::Value> given = {{values[0], true}, {values[1], true}, {values[2]}};
  std::string out(answer.Bound(given), '\xEE');
  const char* const end = answer.Write(out.data(), type, opaque, given);
  out.resize(static_cast<size_t>(end - out.data()));
  return out;
}

std::string FromEncoder(SerializeType type, int32_t opaque, const std::vector<std::string_view>& values) {
  HeaderFields fields;
  fields.Add("MSG_REGION", kRegion);
  fields.Add("TRACE_ON", "true");
  fields.Add("msgId", values[0]);
  fields.Add("queueOffset", values[1]);
  fields.Add("transactionId", values[2]);
  return Encode({.serialize_type = type, .code = kCode, .opaque = opaque, .flag = kFlagResponse, .remark = {}, .fields = &fields});
}

TEST(AnswerTemplateTest, WritesWhatTheEncoderWrites) {
  const std::vector<std::vector<std::string_view>> all = {
      {"7F00000100002A9F0000000000000000", "0", ""},
      {"7F00000100002A9F0000000000000000", "9223372036854775807", "7F000001000078BF0000000000000261"},
      {"", "-1", "a \"quoted\" \\ \x01 \x1f and \0 text of more than sixteen bytes, with \xC3\xA4"sv}};
  for (const SerializeType type : {SerializeType::kJson, SerializeType::kRocketMq}) {
    for (const int32_t opaque : {0, 1, -1, 123'456, INT32_MAX, INT32_MIN}) {
      for (const std::vector<std::string_view>& values : all) {
        EXPECT_EQ(FromTemplate(type, opaque, values), FromEncoder(type, opaque, values)) << "opaque " << opaque << ", " << values[2];
      }
    }
  }
}

}  // namespace
}  // namespace net
