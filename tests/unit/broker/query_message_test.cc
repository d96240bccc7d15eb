#include "broker/query_message.h"

#include <limits>
#include <string>
#include <vector>

#include "core/sync.h"
#include "net/requests/query.h"
#include "net/requests/topic_admin.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"

// Goal: a query by key is answered as RocketMQ would, from the queues of all shards, and not with more than there is room for.
// Method: a simulated broker of two shards and clients of the protocol.

namespace broker::testing {
namespace {

constexpr int32_t kQueues = 4;  // of both shards
constexpr std::string_view kNone = "can not find message, maybe time range not correct";

net::QueryMessageRequest QueryFor(std::string_view key, int32_t max_num = 64) {
  net::QueryMessageRequest request;
  request.topic = "Topic1";
  request.key = key;
  request.max_num = max_num;
  request.end_timestamp = std::numeric_limits<int64_t>::max();
  return request;
}

std::vector<std::string> BodiesOf(const Answer& answer) {
  std::vector<std::string> bodies;
  for (const store::RecordView& record : RecordsOf(answer.body)) bodies.push_back(BodyOf(record));
  return bodies;
}

/// Message `i` of `count` goes to queue i % kQueues, with the keys "k<i>" and "all", and the unique key "u<i>".
core::Task<void> SendKeyed(net::Client& client, int count, size_t body_bytes = 0) {
  for (int i = 0; i < count; ++i) {
    const std::string properties =
        Properties({{"KEYS", absl::StrCat("k", i, " all")}, {"UNIQ_KEY", absl::StrCat("u", i)}});
    const Answer sent = co_await Ask(client, SendTo("Topic1", i % kQueues, properties),
                                     absl::StrCat("m", i, std::string(body_bytes, '.')));
    EXPECT_EQ(sent.code, 0) << sent.remark;
    co_await core::Sleep(
        absl::Milliseconds(2));  // the order of what several logs have stored in one millisecond is any
  }
}

core::Task<void> Found(Broker&, net::Client& client) {
  const core::WallMillis begin = core::Reactor::Current().wall_now();
  co_await SendKeyed(client, 20);
  const Answer all = co_await Ask(client, QueryFor("all"));
  EXPECT_EQ(all.code, 0) << all.remark;
  std::vector<std::string> wanted;
  for (int i = 0; i < 20; ++i) wanted.push_back(absl::StrCat("m", i));
  EXPECT_EQ(BodiesOf(all), wanted);
  EXPECT_GE(all.Number("indexLastUpdateTimestamp"), begin);
  EXPECT_GT(all.Number("indexLastUpdatePhyoffset"), 0);
  EXPECT_EQ(BodiesOf(co_await Ask(client, QueryFor("all", 3))), (std::vector<std::string>{"m17", "m18", "m19"}));
  EXPECT_EQ(BodiesOf(co_await Ask(client, QueryFor("k7"))), (std::vector<std::string>{"m7"}));
  EXPECT_EQ(BodiesOf(co_await Ask(client, QueryFor("u8"))), (std::vector<std::string>{"m8"}));
  net::QueryMessageRequest unique = QueryFor("u8", 0);
  unique.unique_key_query = true;  // then maxNum does not count
  EXPECT_EQ(BodiesOf(co_await Ask(client, unique)), (std::vector<std::string>{"m8"}));
  net::QueryMessageRequest range = QueryFor("all");
  const std::vector<store::RecordView> records = RecordsOf(all.body);
  range.begin_timestamp = records[5].store_timestamp;
  range.end_timestamp = records[9].store_timestamp;
  EXPECT_EQ(BodiesOf(co_await Ask(client, range)), (std::vector<std::string>{"m5", "m6", "m7", "m8", "m9"}));
}
TEST(QueryMessageTest, ByKeyAndTimeFromAllShardsInOrder) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Found, TestConfig(), seed);
}

core::Task<void> NotFound(Broker&, net::Client& client) {
  co_await SendKeyed(client, 4);
  std::vector<net::QueryMessageRequest> none = {QueryFor("k4"),  QueryFor("ALL"), QueryFor(""),   QueryFor("all", 0),
                                                QueryFor("all"), QueryFor("all"), QueryFor("all")};
  none[4].topic = "Topic2";
  none[5].end_timestamp = 0;
  none[6].begin_timestamp = std::numeric_limits<int64_t>::max();
  for (const net::QueryMessageRequest& request : none) {
    const Answer answer = co_await Ask(client, request);
    EXPECT_EQ(answer.code, 22) << request.key;
    EXPECT_EQ(answer.remark, kNone);
    EXPECT_EQ(answer.Number("indexLastUpdateTimestamp"), 0);
    EXPECT_EQ(answer.Number("indexLastUpdatePhyoffset"), 0);
  }
  const Answer negative = co_await Ask(client, QueryFor("all", -1));
  EXPECT_EQ(negative.code, 1);
  EXPECT_NE(negative.remark.find("maxNum is -1"), std::string::npos);
}
TEST(QueryMessageTest, WhatIsNotThereIsSaidAsRocketMqDoes) { WithBroker(NotFound); }

core::Task<void> Limits(Broker&, net::Client& client) {
  co_await SendKeyed(client, 100);
  EXPECT_EQ(RecordsOf((co_await Ask(client, QueryFor("all", 1000))).body).size(), 64U);
  net::QueryMessageRequest unique = QueryFor("all");
  unique.unique_key_query = true;
  EXPECT_EQ(RecordsOf((co_await Ask(client, unique)).body).size(), 32U);
}
TEST(QueryMessageTest, NoMoreThanTheBrokerGives) { WithBroker(Limits); }

core::Task<void> Large(Broker&, net::Client& client) {
  co_await SendKeyed(client, 10, 30'000);
  const Answer some = co_await Ask(client, QueryFor("all"));
  EXPECT_EQ(some.code, 0) << some.remark;
  const std::vector<store::RecordView> records = RecordsOf(some.body);
  EXPECT_EQ(records.size(), 3U);
  if (records.empty()) co_return;
  EXPECT_TRUE(BodyOf(records.back()).starts_with("m9"));
  EXPECT_NE(some.remark.find("there are older ones"), std::string::npos) << some.remark;
}
TEST(QueryMessageTest, AnAnswerIsNoLargerThanAMessageMayBe) {
  BrokerConfig config = TestConfig();
  config.max_message_size = 100'000;
  WithBroker(Large, config);
}

core::Task<void> Deleted(Broker&, net::Client& client) {
  co_await SendKeyed(client, 8);
  EXPECT_EQ(RecordsOf((co_await Ask(client, QueryFor("all"))).body).size(), 8U);
  EXPECT_EQ((co_await Ask(client, net::DeleteTopicInBrokerRequest{.topic = "Topic1"})).code, 0);
  EXPECT_EQ((co_await Ask(client, QueryFor("all"))).code, 22);
  co_await core::Sleep(absl::Seconds(1));
  co_await SendKeyed(client, 1);
  EXPECT_EQ(BodiesOf(co_await Ask(client, QueryFor("all"))), (std::vector<std::string>{"m0"}));
}
TEST(QueryMessageTest, DeletedTopicsAreLeftOut) { WithBroker(Administrator<Deleted>); }

core::Task<void> Off(Broker&, net::Client& client) {
  co_await SendKeyed(client, 1);
  const Answer answer = co_await Ask(client, QueryFor("all"));
  EXPECT_EQ(answer.code, 22);
  EXPECT_NE(answer.remark.find("messageIndexEnable"), std::string::npos) << answer.remark;
}
TEST(QueryMessageTest, WithoutAnIndexThatIsSaid) {
  BrokerConfig config = TestConfig();
  config.message_index_enable = false;
  WithBroker(Off, config);
}

}  // namespace
}  // namespace broker::testing
