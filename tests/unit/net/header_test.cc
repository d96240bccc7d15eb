#include "net/header.h"

#include <gtest/gtest.h>

#include "net/requests/offsets.h"
#include "net/requests/pull.h"
#include "net/requests/send.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

std::string Encoded(const auto& header) {
  HeaderFields fields;
  fields.AddHeader(header);
  std::string text;
  for (const HeaderFields::Entry& entry : fields.entries()) {
    text += std::string(entry.name) + "=" + std::string(fields.ValueOf(entry)) + " ";
  }
  return text;
}

TEST(DecodeHeader, ReadsShortNamesOfASend) {
  const auto frame = DecodeJson(
      R"({"code":310,"extFields":{"a":"PG","b":"T","c":"TBW102","d":"4","e":"2","f":"0","g":"1700000000000","h":"-5","i":"TAGS\u0001x\u0002","k":"True","m":"true","n":"broker-a","bname":"x"}})");
  ASSERT_TRUE(frame.ok()) << frame.status();
  SendMessageV2Request request;
  const HeaderError error = DecodeHeader(*frame, request);
  ASSERT_TRUE(error.ok()) << error.Text();
  EXPECT_EQ(request.producer_group, "PG");
  EXPECT_EQ(request.topic, "T");
  EXPECT_EQ(request.default_topic, "TBW102");
  EXPECT_EQ(request.default_topic_queue_nums, 4);
  EXPECT_EQ(request.queue_id, 2);
  EXPECT_EQ(request.born_timestamp, 1700000000000);
  EXPECT_EQ(request.flag, -5);
  EXPECT_EQ(request.properties, "TAGS\x01x\x02");
  EXPECT_TRUE(request.unit_mode);
  EXPECT_TRUE(request.batch);
  EXPECT_FALSE(request.max_reconsume_times.has_value());
}

TEST(DecodeHeader, NamesTheFirstMissingField) {
  const auto frame = DecodeJson(R"({"extFields":{"topic":"T"}})");
  QueryConsumerOffsetRequest request;
  EXPECT_EQ(DecodeHeader(*frame, request).Text(), "the custom field <consumerGroup> is null");
}

TEST(DecodeHeader, NamesTheMalformedField) {
  for (const std::string_view bad : {"x", "1x", "2147483648", "1.0", "+-1", "0x1", " 1"}) {
    const auto frame = DecodeJson(R"({"extFields":{"topic":"T","queueId":")" + std::string(bad) + "\"}}");
    GetMinOffsetRequest request;
    const HeaderError error = DecodeHeader(*frame, request);
    EXPECT_EQ(error.Text(), "the custom field <queueId> is not a number of its range: " + std::string(bad));
  }
}

TEST(DecodeHeader, TakesDefaultsSignsAndTheLastOfAName) {
  const auto frame = DecodeJson(R"({"extFields":{"topic":"T","queueId":"7","queueId":"+3","committed":"FALSE"}})");
  GetMaxOffsetRequest request;
  ASSERT_TRUE(DecodeHeader(*frame, request).ok());
  EXPECT_EQ(request.queue_id, 3);
  EXPECT_FALSE(request.committed);
  GetMaxOffsetRequest other;
  ASSERT_TRUE(DecodeHeader(*DecodeJson(R"({"extFields":{"topic":"","queueId":0}})"), other).ok());
  EXPECT_TRUE(other.committed);
}

// Empty text is how some clients write "none".
TEST(DecodeHeader, EmptyTextIsNoNumber) {
  const auto frame = DecodeJson(R"({"extFields":{"topic":"T","queueId":""}})");
  GetMinOffsetRequest request;
  EXPECT_EQ(DecodeHeader(*frame, request).Text(), "the custom field <queueId> is null");
}

TEST(HeaderFields, LeavesOutWhatIsAbsent) {
  PullMessageResponse response;
  response.next_begin_offset = 5;
  response.min_offset = -1;
  response.topic_sys_flag = 0;
  EXPECT_EQ(Encoded(response), "suggestWhichBrokerId=0 nextBeginOffset=5 minOffset=-1 maxOffset=0 topicSysFlag=0 ");
}

// Java clients dereference the two extension fields of every answer to a send.
TEST(HeaderFields, SendResponsesCarryRegionAndTrace) {
  SendMessageResponse response;
  response.msg_id = "ID";
  EXPECT_EQ(Encoded(response), "msgId=ID queueId=0 queueOffset=0 MSG_REGION=DefaultRegion TRACE_ON=true ");
}

TEST(HeaderFields, RoundTripsEveryMemberType) {
  PullMessageRequest request;
  request.consumer_group = "CG";
  request.topic = "T";
  request.queue_offset = INT64_MIN;
  request.commit_offset = INT64_MAX;
  request.sys_flag = INT32_MIN;
  request.subscription = "*";
  request.max_msg_bytes = 17;
  HeaderFields fields;
  fields.AddHeader(request);
  FrameHead head;
  head.fields = &fields;
  const auto frame = Decode(Encode(head).substr(4));
  PullMessageRequest back;
  ASSERT_TRUE(DecodeHeader(*frame, back).ok());
  EXPECT_EQ(Encoded(back), Encoded(request));
  EXPECT_EQ(back.queue_offset, INT64_MIN);
  EXPECT_FALSE(back.expression_type.has_value());
}

}  // namespace
}  // namespace net
