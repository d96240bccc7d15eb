// Goal: delayed messages come to their queues at their time, as RocketMQ's look, across restarts; what can't be delayed is refused; a recalled one does not come.
#include "broker/schedule.h"

#include <string>

#include "broker/broker_stats.h"
#include "broker/delay.h"
#include "core/sync.h"
#include "net/remoting_util.h"
#include "net/requests/recall.h"
#include "net/requests/topic_admin.h"
#include "store/due_record.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"

namespace broker::testing {
namespace {

core::Task<int64_t> EndOf(net::Client& client, std::string topic, int32_t queue) {
  net::GetMaxOffsetRequest max;
  max.topic = topic;
  max.queue_id = queue;
  const Answer answer = co_await Ask(client, max);
  co_return answer.Number("offset");
}

core::Task<Answer> PullAll(net::Client& client, std::string topic, int32_t queue) {
  const net::PullMessageRequest pull = PullFrom(topic, queue, 0);
  co_return co_await Ask(client, pull);
}

// Catches another time than the level's, properties that RocketMQ's messages do not have or lack, a tag that is lost on the way.
core::Task<void> Levels(Broker& broker, net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) {  // one on each shard
    const std::string properties =
        Properties({{"DELAY", "2"}, {"TAGS", "A"}, {"KEYS", "k"}, {"TIMER_DELAY_MS", "1"}, {"UNIQ_KEY", "0A0B"}});
    net::SendMessageV2Request request = SendTo("T", queue, properties);
    request.flag = 9;
    const core::WallMillis sent_at = core::Reactor::Current().wall_now();
    const Answer sent = co_await Ask(client, request, "later");
    EXPECT_EQ(sent.code, 0) << sent.remark;
    EXPECT_EQ(sent.Number("queueId"), queue);
    EXPECT_EQ(sent.fields.at("transactionId"), "0A0B");
    EXPECT_FALSE(sent.Has("recallHandle")) << "levels have none";
    EXPECT_EQ(co_await EndOf(client, "T", queue), 0);
    (void)co_await core::Sleep(absl::Milliseconds(4900));
    EXPECT_EQ(co_await EndOf(client, "T", queue), 0);
    (void)co_await core::Sleep(absl::Milliseconds(200));
    EXPECT_EQ(co_await EndOf(client, "T", queue), 1);
    const Answer pulled = co_await PullAll(client, "T", queue);
    const std::vector<store::RecordView> records = RecordsOf(pulled.body);
    EXPECT_EQ(records.size(), 1u);
    if (records.size() != 1) co_return;
    const store::RecordView& record = records[0];
    EXPECT_EQ(BodyOf(record), "later");
    EXPECT_EQ(record.flag, 9);
    EXPECT_EQ(record.born_timestamp, 1234);
    EXPECT_TRUE(record.BodyIntact());
    EXPECT_GE(record.store_timestamp, sent_at + 5000);
    EXPECT_LE(record.store_timestamp, sent_at + 5050);
    // Source: semantics of RocketMQ 5.3.3, where a delivered record still shows them.
    EXPECT_EQ(PropertyOf(record.properties, "DELAY"), "2");
    EXPECT_EQ(PropertyOf(record.properties, "REAL_TOPIC"), "T");
    EXPECT_EQ(PropertyOf(record.properties, "REAL_QID"), std::to_string(queue));
    EXPECT_EQ(PropertyOf(record.properties, "KEYS"), "k");
    EXPECT_EQ(PropertyOf(record.properties, "UNIQ_KEY"), "0A0B");
    EXPECT_EQ(PropertyOf(record.properties, "CLUSTER"), "DefaultCluster");
    EXPECT_EQ(PropertyOf(record.properties, "TIMER_OUT_MS"), "");
    EXPECT_EQ(PropertyOf(record.properties, "TIMER_DELAY_MS"), "") << "a level makes timers void";
    EXPECT_EQ(RecordsOf((co_await Ask(client, PullFrom("T", queue, 0, "A"))).body).size(), 1u);
    EXPECT_EQ(RecordsOf((co_await Ask(client, PullFrom("T", queue, 0, "B"))).body).size(), 0u);
  }
  EXPECT_EQ(broker.shards().local().schedule().stats().waiting, 0U);
}
TEST(ScheduleTest, LevelsAreKept) { WithBroker(Levels); }

core::Task<void> Timers(Broker&, net::Client& client) {
  const core::WallMillis now = core::Reactor::Current().wall_now();
  EXPECT_EQ(
      (co_await Ask(client, SendTo("T", 0, Properties({{"TIMER_DELAY_MS", "300"}, {"UNIQ_KEY", "A"}})), "third")).code,
      0);
  EXPECT_EQ(
      (co_await Ask(client, SendTo("T", 0, Properties({{"TIMER_DELIVER_MS", std::to_string(now + 200)}})), "second"))
          .code,
      0);
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0, Properties({{"TIMER_DELAY_MS", "1"}})), "first")).code, 0);
  EXPECT_EQ(
      (co_await Ask(client, SendTo("T", 0, Properties({{"TIMER_DELIVER_MS", std::to_string(now - 5)}})), "at once"))
          .code,
      0);
  EXPECT_EQ(co_await EndOf(client, "T", 0), 1);
  (void)co_await core::Sleep(absl::Milliseconds(400));
  const Answer pulled = co_await PullAll(client, "T", 0);
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 4u);
  if (records.size() != 4) co_return;
  EXPECT_EQ(BodyOf(records[0]), "at once");
  EXPECT_EQ(PropertyOf(records[0].properties, "REAL_TOPIC"), "");
  EXPECT_EQ(BodyOf(records[1]), "first");
  EXPECT_EQ(BodyOf(records[2]), "second");
  EXPECT_EQ(BodyOf(records[3]), "third");
  EXPECT_EQ(PropertyOf(records[2].properties, "TIMER_OUT_MS"), std::to_string(now + 200));
  EXPECT_EQ(PropertyOf(records[3].properties, "TIMER_DELAY_MS"), "300");
  EXPECT_NE(PropertyOf(records[3].properties, "TIMER_ENQUEUE_MS"), "");
  EXPECT_NE(PropertyOf(records[3].properties, "TIMER_DEQUEUE_MS"), "");
  EXPECT_GE(records[2].store_timestamp, now + 200);
  EXPECT_LE(records[2].store_timestamp, now + 250);
}
TEST(ScheduleTest, TimersAreKeptToTheMillisecond) { WithBroker(Timers); }

core::Task<void> Recall(Broker& broker, net::Client& client) {
  const Answer kept =
      co_await Ask(client, SendTo("T", 0, Properties({{"TIMER_DELAY_MS", "5000"}, {"UNIQ_KEY", "KEPT"}})), "kept");
  const Answer sent =
      co_await Ask(client, SendTo("T", 1, Properties({{"TIMER_DELAY_MS", "5000"}, {"UNIQ_KEY", "GONE"}})), "gone");
  EXPECT_TRUE(sent.Has("recallHandle"));
  if (!sent.Has("recallHandle")) co_return;
  const std::string handle = sent.fields.at("recallHandle");
  net::RecallMessageRequest request;
  request.topic = "T";
  request.recall_handle = handle;
  EXPECT_EQ((co_await Ask(client, request)).code, 16) << "off unless it is switched on, as in RocketMQ";
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    co_await broker.shards().On(core::ShardId(i),
                                [](BrokerShard& there) { there.live_config().recall_message_enable = true; });
  }
  const Answer recalled = co_await Ask(client, request);
  EXPECT_EQ(recalled.code, 0) << recalled.remark;
  EXPECT_EQ(recalled.fields.at("msgId"), "GONE");
  EXPECT_EQ((co_await Ask(client, request)).code, 604) << "it does not wait any more";
  request.recall_handle = "nonsense";
  EXPECT_EQ((co_await Ask(client, request)).code, 604);
  const std::string elsewhere =
      RecallHandle{"T", "another", core::Reactor::Current().wall_now() + 9999, "GONE"}.Encode();
  request.recall_handle = elsewhere;
  EXPECT_EQ((co_await Ask(client, request)).code, 604);
  request.recall_handle = handle;
  request.topic = "U";
  EXPECT_EQ((co_await Ask(client, request)).code, 17);
  (void)co_await core::Sleep(absl::Seconds(6));
  EXPECT_EQ(co_await EndOf(client, "T", 0), 1);
  EXPECT_EQ(co_await EndOf(client, "T", 1), 0);
  request.topic = "T";
  const std::string old = kept.fields.at("recallHandle");
  request.recall_handle = old;
  EXPECT_EQ((co_await Ask(client, request)).code, 604) << "it was delivered";
}
TEST(ScheduleTest, ARecalledMessageDoesNotCome) { WithBroker(Recall); }

core::Task<void> NoBatches(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0), "makes the topic")).code, 0);
  std::string body;
  const std::string delayed = Properties({{"DELAY", "1"}});
  net::AppendBatchMessage(body, {.flag = 0, .body = "one", .properties = delayed});
  net::SendBatchMessageRequest request;
  static_cast<net::SendMessageHeader&>(request) = SendTo("T", 0);
  request.batch = true;
  const Answer answer = co_await Ask(client, request, body);
  EXPECT_EQ(answer.code, 13);
  EXPECT_NE(answer.remark.find("one by one"), std::string::npos) << answer.remark;
}
TEST(ScheduleTest, BatchesAreNotDelayed) { WithBroker(NoBatches); }

// Across a restart in order, with two messages on each shard: one due meanwhile, one later.
core::Task<void> StoreFour(Broker&, net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) {
    EXPECT_EQ((co_await Ask(client, SendTo("T", queue, Properties({{"TIMER_DELAY_MS", "500"}})), "soon")).code, 0);
    EXPECT_EQ((co_await Ask(client, SendTo("T", queue, Properties({{"DELAY", "5"}})), "late")).code, 0);
  }
}
core::Task<void> ExpectFour(Broker&, net::Client& client) {
  (void)co_await core::Sleep(absl::Milliseconds(100));
  for (int32_t queue = 0; queue < 2; ++queue) EXPECT_EQ(co_await EndOf(client, "T", queue), 1);
  (void)co_await core::Sleep(absl::Minutes(1));
  for (int32_t queue = 0; queue < 2; ++queue) EXPECT_EQ(co_await EndOf(client, "T", queue), 2);
}
core::Task<absl::Status> RestartMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), StoreFour));
  (void)co_await core::Sleep(absl::Seconds(2));
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), ExpectFour));
  co_return co_await RunScenario(TestConfig(), [](Broker&, net::Client& client) -> core::Task<void> {
    (void)co_await core::Sleep(absl::Minutes(1));
    for (int32_t queue = 0; queue < 2; ++queue) EXPECT_EQ(co_await EndOf(client, "T", queue), 2);
  });
}
TEST(ScheduleTest, WhatWaitsOutlivesARestart) {
  const absl::Status status = sim::RunInWorld(3, 2, RestartMain);
  EXPECT_TRUE(status.ok()) << status;
}

// A message whose topic is deleted while it waits must not bring the topic's queue back.
core::Task<void> DeletedTopic(Broker& broker, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0, Properties({{"TIMER_DELAY_MS", "1000"}})), "later")).code, 0);
  // Administration is answered to the machine itself.
  const absl::StatusOr<std::unique_ptr<net::Client>> admin =
      co_await net::Client::Connect(core::Endpoint::Parse("127.0.0.1", 10911).value(), kPatience);
  EXPECT_TRUE(admin.ok()) << admin.status();
  if (!admin.ok()) co_return;
  EXPECT_EQ((co_await Ask(**admin, net::DeleteTopicInBrokerRequest{.topic = "T"})).code, 0);
  co_await (*admin)->Close();
  (void)co_await core::Sleep(absl::Seconds(2));
  uint64_t discarded = 0;
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    discarded += co_await broker.shards().On(core::ShardId(i),
                                             [](BrokerShard& there) { return there.schedule().stats().discarded; });
  }
  EXPECT_EQ(discarded, 1U);
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0), "new")).Number("queueOffset"), 0);
}
TEST(ScheduleTest, WhatWaitsForADeletedTopicGoesWithIt) { WithBroker(DeletedTopic); }

}  // namespace
}  // namespace broker::testing
