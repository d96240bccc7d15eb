// Goal: what a consumer sends back comes again by its group's retry topic after its delay, with what it was, and becomes a dead letter when it was tried often enough.
#include "broker/send_back.h"

#include <string>

#include "broker/schedule.h"
#include "core/sync.h"
#include "net/remoting_util.h"
#include "net/requests/group_admin.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"

namespace broker::testing {
namespace {

net::ConsumerSendMsgBackRequest SendBackOf(const store::RecordView& record, int32_t level = 0) {
  net::ConsumerSendMsgBackRequest request;
  request.offset = record.position.value();
  request.group = "g";
  request.delay_level = level;
  return request;
}

core::Task<Answer> Pull(net::Client& client, std::string topic, int64_t offset) {
  const net::PullMessageRequest pull = PullFrom(topic, 0, offset);
  co_return co_await Ask(client, pull);
}

core::Task<void> RetryAndDie(Broker& broker, net::Client& client) {
  const std::string properties = Properties({{"TAGS", "A"}, {"KEYS", "k"}, {"UNIQ_KEY", "0A0B"}});
  net::SendMessageV2Request request = SendTo("T", 0, properties);
  request.flag = 3;
  const Answer sent = co_await Ask(client, request, "hard to digest");
  EXPECT_EQ(sent.code, 0);
  const Answer first = co_await Pull(client, "T", 0);
  const std::vector<store::RecordView> originals = RecordsOf(first.body);
  EXPECT_EQ(originals.size(), 1u);
  if (originals.size() != 1) co_return;

  // The first time: level 3, 10 s.
  const Answer back = co_await Ask(client, SendBackOf(originals[0]));
  EXPECT_EQ(back.code, 0) << back.remark;
  EXPECT_NE(broker.catalog_view()->FindTopic("%RETRY%g"), nullptr);
  (void)co_await core::Sleep(absl::Milliseconds(9900));
  EXPECT_TRUE((co_await Pull(client, "%RETRY%g", 0)).body.empty());
  (void)co_await core::Sleep(absl::Milliseconds(200));
  const Answer second = co_await Pull(client, "%RETRY%g", 0);
  const std::vector<store::RecordView> again = RecordsOf(second.body);
  EXPECT_EQ(again.size(), 1u);
  if (again.size() != 1) co_return;
  EXPECT_EQ(BodyOf(again[0]), "hard to digest");
  EXPECT_EQ(again[0].flag, 3);
  EXPECT_EQ(again[0].born_timestamp, 1234);
  EXPECT_EQ(again[0].born_host, originals[0].born_host);
  EXPECT_EQ(again[0].reconsume_times, 1);
  EXPECT_EQ(PropertyOf(again[0].properties, "RETRY_TOPIC"), "T");
  EXPECT_EQ(PropertyOf(again[0].properties, "ORIGIN_MESSAGE_ID"), sent.fields.at("msgId"));
  EXPECT_EQ(PropertyOf(again[0].properties, "DELAY"), "3");
  EXPECT_EQ(PropertyOf(again[0].properties, "WAIT"), "false");
  EXPECT_EQ(PropertyOf(again[0].properties, "REAL_TOPIC"), "%RETRY%g");
  EXPECT_EQ(PropertyOf(again[0].properties, "TAGS"), "A");
  EXPECT_EQ(PropertyOf(again[0].properties, "KEYS"), "k");
  EXPECT_EQ(PropertyOf(again[0].properties, "UNIQ_KEY"), "0A0B");

  // The second time with a level of the consumer's, and it still knows where it came from.
  EXPECT_EQ((co_await Ask(client, SendBackOf(again[0], 1))).code, 0);
  (void)co_await core::Sleep(absl::Milliseconds(1100));
  const Answer third = co_await Pull(client, "%RETRY%g", 1);
  const std::vector<store::RecordView> thrice = RecordsOf(third.body);
  EXPECT_EQ(thrice.size(), 1u);
  if (thrice.size() != 1) co_return;
  EXPECT_EQ(thrice[0].reconsume_times, 2);
  EXPECT_EQ(PropertyOf(thrice[0].properties, "RETRY_TOPIC"), "T");
  EXPECT_EQ(PropertyOf(thrice[0].properties, "ORIGIN_MESSAGE_ID"), sent.fields.at("msgId"));

  // The client's own limit makes it a dead letter, at once and for everybody to read.
  net::ConsumerSendMsgBackRequest last = SendBackOf(thrice[0]);
  last.max_reconsume_times = 2;
  EXPECT_EQ((co_await Ask(client, last)).code, 0);
  const Answer letters = co_await Pull(client, "%DLQ%g", 0);
  const std::vector<store::RecordView> dead = RecordsOf(letters.body);
  EXPECT_EQ(dead.size(), 1u);
  if (dead.size() != 1) co_return;
  EXPECT_EQ(BodyOf(dead[0]), "hard to digest");
  EXPECT_EQ(dead[0].reconsume_times, 3);
  EXPECT_EQ(PropertyOf(dead[0].properties, "RETRY_TOPIC"), "T");
  EXPECT_EQ(PropertyOf(dead[0].properties, "DELAY"), "0");
  const TopicConfig* const topic = broker.catalog_view()->FindTopic("%DLQ%g");
  EXPECT_TRUE(topic != nullptr && topic->readable());

  // A negative level: at once, whatever the count.
  EXPECT_EQ((co_await Ask(client, SendBackOf(originals[0], -1))).code, 0);
  EXPECT_EQ((co_await Pull(client, "%DLQ%g", 1)).Number("maxOffset"), 2);
}
TEST(SendBackTest, AMessageComesAgainAndInTheEndIsADeadLetter) { WithBroker(RetryAndDie); }

core::Task<void> Refusals(Broker& broker, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0), "x")).code, 0);
  const Answer pulled = co_await Pull(client, "T", 0);
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 1u);
  if (records.size() != 1) co_return;
  for (const int64_t wrong : {records[0].position.value() + 1, int64_t{-1}, INT64_MAX, int64_t{0},
                              records[0].position.value() + (int64_t{1} << 52)}) {
    net::ConsumerSendMsgBackRequest request = SendBackOf(records[0]);
    request.offset = wrong;
    const Answer answer = co_await Ask(client, request);
    EXPECT_EQ(answer.code, 1) << wrong;
    EXPECT_NE(answer.remark.find("look message by offset failed"), std::string::npos) << answer.remark;
  }
  // What waits is not to be got before its time by sending it back.
  const Answer waiting = co_await Ask(client, SendTo("T", 0, Properties({{"DELAY", "18"}})), "secret");
  const absl::StatusOr<net::OffsetMessageId> id = net::DecodeOffsetMessageId(waiting.fields.at("msgId"));
  EXPECT_TRUE(id.ok());
  if (!id.ok()) co_return;
  net::ConsumerSendMsgBackRequest early = SendBackOf(records[0], -1);
  early.offset = id->position.value();
  EXPECT_EQ((co_await Ask(client, early)).code, 1);

  // A group that wants no retries: the message is done with.
  GroupConfig none;
  none.name = "g";
  none.retry_queues = 0;
  std::vector<GroupConfig> groups = {none};
  EXPECT_TRUE((co_await broker.catalog_writer().PutGroups(groups)).ok());
  EXPECT_EQ((co_await Ask(client, SendBackOf(records[0], -1))).code, 0);
  EXPECT_EQ(broker.catalog_view()->FindTopic("%DLQ%g"), nullptr);
  // A group's own limit.
  none.retry_queues = 2;
  none.retry_max_times = 0;
  groups = {none};
  EXPECT_TRUE((co_await broker.catalog_writer().PutGroups(groups)).ok());
  EXPECT_EQ((co_await Ask(client, SendBackOf(records[0]))).code, 0);
  EXPECT_NE(broker.catalog_view()->FindTopic("%DLQ%g"), nullptr);
}
TEST(SendBackTest, WhatIsNotThereCanNotBeSentBack) { WithBroker(Refusals); }

core::Task<void> UnknownGroup(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0), "x")).code, 0);
  net::ConsumerSendMsgBackRequest request;
  request.group = "nobody";
  const Answer answer = co_await Ask(client, request);
  EXPECT_EQ(answer.code, 26);
  EXPECT_EQ(answer.remark, "subscription group not exist, nobody");
}
TEST(SendBackTest, AnUnknownGroupIsRefusedWhereGroupsAreNotMade) {
  BrokerConfig config = TestConfig();
  config.auto_create_subscription_group = false;
  WithBroker(UnknownGroup, config);
}

}  // namespace
}  // namespace broker::testing
