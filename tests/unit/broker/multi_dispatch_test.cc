// Goal: a message is in the light queues that it names, shown there as RocketMQ shows it, and in no other; nothing is stored of what is refused; light queues are there
// without being made and are in no list.
#include "broker/multi_dispatch.h"

#include <string>
#include <vector>

#include "broker/lmq.h"
#include "broker/schedule.h"
#include "core/sync.h"
#include "net/remoting_util.h"
#include "net/requests/topic_admin.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"

namespace broker::testing {
namespace {

BrokerConfig LightConfig() {
  BrokerConfig config = TestConfig();
  config.enable_lmq = true;
  config.enable_multi_dispatch = true;
  return config;
}

core::Task<Answer> Send(net::Client& client, std::string topic, int32_t queue, std::string names, std::string body,
                        std::vector<std::pair<std::string, std::string>> more = {}) {
  std::string properties;
  AppendProperty(properties, "INNER_MULTI_DISPATCH", names);
  for (const auto& [name, value] : more) AppendProperty(properties, name, value);
  const net::SendMessageV2Request request = SendTo(topic, queue, properties);
  co_return co_await Ask(client, request, body);
}

/// A message as a pull shows it.
struct Seen {
  std::string body;
  std::string topic;
  int32_t queue_id;
  int64_t queue_offset;
  std::string names;
  std::string offsets;
  std::string properties;
};

core::Task<std::vector<Seen>> ReadAll(net::Client& client, std::string topic, int32_t queue, std::string expression = "*") {
  const net::PullMessageRequest pull = PullFrom(topic, queue, 0, expression);
  const Answer answer = co_await Ask(client, pull);
  std::vector<Seen> seen;
  for (const store::RecordView& record : RecordsOf(answer.body)) {
    EXPECT_TRUE(record.BodyIntact());
    seen.push_back({BodyOf(record), std::string(record.topic), record.queue_id, record.queue_offset.value(),
                    PropertyOf(record.properties, kPropertyMultiDispatch), PropertyOf(record.properties, kPropertyMultiQueueOffset),
                    std::string(record.properties)});
  }
  co_return seen;
}

// Catches a copy on the wrong shard, one with another topic, tag or number than RocketMQ shows, and one too few or too many.
core::Task<void> Dispatched(Broker&, net::Client& client) {
  const char* const all = "%LMQ%a,%LMQ%b,%LMQ%c";  // on both shards
  EXPECT_EQ((co_await Send(client, "T", 1, "%LMQ%b", "one", {{"TAGS", "x"}})).code, 0);
  EXPECT_EQ((co_await Send(client, "T", 2, all, "two", {{"TAGS", "y"}, {"INNER_MULTI_QUEUE_OFFSET", "77"}, {"REAL_TOPIC", "made up"}})).code, 0);
  EXPECT_EQ((co_await Ask(client, SendTo("T", 2), "three")).code, 0);
  const std::vector<Seen> parent = co_await ReadAll(client, "T", 2);
  EXPECT_EQ(parent.size(), 2U);
  EXPECT_EQ(parent[0].names, all);
  EXPECT_EQ(parent[0].offsets, "0,1,0");
  EXPECT_EQ(parent[1].offsets, "");
  const std::vector<Seen> b = co_await ReadAll(client, "%LMQ%b", 0);
  EXPECT_EQ(b.size(), 2U);
  if (b.size() != 2) co_return;
  EXPECT_EQ(b[0].body, "one");
  EXPECT_EQ(b[1].body, "two");
  for (int32_t i = 0; i < 2; ++i) {
    const Seen& seen = b[static_cast<size_t>(i)];
    EXPECT_EQ(seen.topic, "T");
    EXPECT_EQ(seen.queue_id, i + 1);
    EXPECT_EQ(seen.queue_offset, i);
    EXPECT_EQ(seen.names, "%LMQ%b");
    EXPECT_EQ(seen.offsets, std::to_string(i));
    EXPECT_EQ(PropertyOf(seen.properties, "REAL_TOPIC"), "");
    EXPECT_EQ(PropertyOf(seen.properties, "CLUSTER"), "DefaultCluster");
  }
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%b", 0, "y")).size(), 1U);
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%a", 0)).size(), 1U);
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%c", 0)).size(), 1U);
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%d", 0)).size(), 0U);
  EXPECT_EQ((co_await Ask(client, PullFrom("%LMQ%b", 1, 0))).code, static_cast<int32_t>(net::ResponseCode::kInvalidParameter)) << "it has one queue";
}
TEST(MultiDispatchTest, EachLightQueueGetsACopy) { WithBroker(Dispatched, LightConfig()); }
TEST(MultiDispatchTest, EachLightQueueGetsACopyOnOneShard) { WithBroker(Dispatched, LightConfig(), 1, 1); }

// What is sent to a light queue by its name is there as it was sent, and not dispatched because somebody has made up what a copy has.
core::Task<void> Direct(Broker& broker, net::Client& client) {
  const int64_t queues = broker.shards().local().catalog().counts().queues;
  EXPECT_EQ((co_await Ask(client, SendTo("%LMQ%mqtt+#", 0), "plain")).code, 0);
  const std::vector<Seen> seen = co_await ReadAll(client, "%LMQ%mqtt+#", 0);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].topic, "%LMQ%mqtt+#");
  EXPECT_EQ(seen[0].offsets, "");
  EXPECT_EQ((co_await Ask(client, SendTo("%LMQ%a,b", 0), "comma")).code, static_cast<int32_t>(net::ResponseCode::kInvalidParameter));
  for (const std::shared_ptr<const TopicConfig>& topic : broker.shards().local().catalog().Topics()) EXPECT_FALSE(IsLmq(topic->name));
  EXPECT_EQ(broker.shards().local().catalog().counts().queues, queues);
  // Made-up properties of a copy change nothing.
  std::string properties;
  AppendProperty(properties, "REAL_TOPIC", "Other");
  AppendProperty(properties, "REAL_QID", "7");
  AppendProperty(properties, "INNER_MULTI_DISPATCH", "%LMQ%own");
  EXPECT_EQ((co_await Ask(client, SendTo("%LMQ%own", 0, properties), "pretends")).code, 0);
  const std::vector<Seen> own = co_await ReadAll(client, "%LMQ%own", 0);  // the copy that it asks for, and itself
  EXPECT_EQ(own.size(), 2U);
  if (own.size() != 2) co_return;
  for (const Seen& one : own) {
    EXPECT_EQ(one.topic, "%LMQ%own");
    EXPECT_EQ(one.queue_id, 0);
  }
}
TEST(MultiDispatchTest, ALightQueueTakesMessagesByItsName) { WithBroker(Direct, LightConfig()); }

core::Task<void> Refused(Broker&, net::Client& client) {
  constexpr auto kIllegal = static_cast<int32_t>(net::ResponseCode::kMessageIllegal);
  std::string many = "%LMQ%0";
  for (size_t i = 1; i <= kDispatchQueuesMax; ++i) many += ",%LMQ%" + std::to_string(i);
  for (const std::string& names : {std::string("plain"), std::string("%LMQ%a,"), std::string("%LMQ%a,,%LMQ%b"), std::string("%LMQ%"), std::string("%LMQ%a/b"), many}) {
    const Answer answer = co_await Send(client, "T", 0, names, "body");
    // A comma at the end names nothing more, as in Java's split.
    EXPECT_EQ(answer.code, names == "%LMQ%a," ? 0 : kIllegal) << names << answer.remark;
  }
  std::string large = "%LMQ%0";
  for (int i = 1; i < 100; ++i) large += ",%LMQ%" + std::to_string(i);
  EXPECT_EQ((co_await Send(client, "T", 0, large, std::string(1 << 20, 'x'))).code, kIllegal) << "100 MiB of copies";
  EXPECT_EQ((co_await ReadAll(client, "T", 0)).size(), 1U);
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%0", 0)).size(), 0U);
}
TEST(MultiDispatchTest, WhatIsRefusedIsNotStored) { WithBroker(Refused, LightConfig()); }

BrokerConfig Few() {
  BrokerConfig config = LightConfig();
  config.max_lmq_consume_queue_num = 2;
  return config;
}
core::Task<void> Full(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Send(client, "T", 0, "%LMQ%a,%LMQ%b", "1")).code, 0);
  const Answer one_too_many = co_await Send(client, "T", 0, "%LMQ%a,%LMQ%c", "2");
  EXPECT_EQ(one_too_many.code, static_cast<int32_t>(net::ResponseCode::kSystemError));
  EXPECT_NE(one_too_many.remark.find("LMQ_CONSUME_QUEUE_NUM_EXCEEDED"), std::string::npos) << one_too_many.remark;
  EXPECT_EQ((co_await Ask(client, SendTo("%LMQ%c", 0), "3")).code, static_cast<int32_t>(net::ResponseCode::kSystemError));
  EXPECT_EQ((co_await ReadAll(client, "T", 0)).size(), 1U);
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%a", 0)).size(), 1U) << "nothing is stored of what is refused";
  // One that waits must not keep others waiting: it goes where there is room.
  EXPECT_EQ((co_await Send(client, "T", 0, "%LMQ%c,%LMQ%b", "later", {{"DELAY", "1"}})).code, 0);
  (void)co_await core::Sleep(absl::Milliseconds(1200));
  const std::vector<Seen> parent = co_await ReadAll(client, "T", 0);
  EXPECT_EQ(parent.size(), 2U);
  EXPECT_EQ(parent.back().offsets, "-1,1");
  net::DeleteTopicInBrokerRequest gone;
  gone.topic = "%LMQ%a";
  EXPECT_EQ((co_await Ask(client, gone)).code, 0);
  EXPECT_EQ((co_await Send(client, "T", 0, "%LMQ%c", "4")).code, 0) << "there is room again";
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%a", 0)).size(), 0U);
}
TEST(MultiDispatchTest, NoMoreLightQueuesThanMayBe) { WithBroker(Administrator<Full>, Few(), 1, 1); }

// After a restart those that are there count.
core::Task<void> FillTwo(Broker&, net::Client& client) { EXPECT_EQ((co_await Send(client, "T", 0, "%LMQ%a,%LMQ%b", "1")).code, 0); }
core::Task<void> ExpectFull(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Send(client, "T", 0, "%LMQ%c", "2")).code, static_cast<int32_t>(net::ResponseCode::kSystemError));
  EXPECT_EQ((co_await Send(client, "T", 0, "%LMQ%b", "3")).code, 0);
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%b", 0)).size(), 2U);
}
TEST(MultiDispatchTest, ARestartKnowsWhichLightQueuesThereAre) {
  const absl::Status status = sim::RunInWorld(3, 1, []() -> core::Task<absl::Status> {
    CO_RETURN_IF_ERROR(co_await RunScenario(Few(), FillTwo));
    co_return co_await RunScenario(Few(), ExpectFull);
  });
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<void> Waits(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Send(client, "T", 1, "%LMQ%a,%LMQ%b", "later", {{"DELAY", "1"}})).code, 0);
  (void)co_await core::Sleep(absl::Milliseconds(900));
  EXPECT_EQ((co_await ReadAll(client, "%LMQ%a", 0)).size(), 0U);
  (void)co_await core::Sleep(absl::Milliseconds(200));
  for (const char* name : {"%LMQ%a", "%LMQ%b"}) {
    const std::vector<Seen> seen = co_await ReadAll(client, name, 0);
    EXPECT_EQ(seen.size(), 1U);
    if (seen.size() != 1) co_return;
    EXPECT_EQ(seen[0].topic, "T");
    EXPECT_EQ(seen[0].queue_id, 1);
  }
  const std::vector<Seen> parent = co_await ReadAll(client, "T", 1);
  EXPECT_EQ(parent.size(), 1U);
  EXPECT_EQ(parent[0].offsets, "0,0");
}
TEST(MultiDispatchTest, AMessageThatWaitsIsDispatchedWhenItIsDue) { WithBroker(Waits, LightConfig()); }

// Catches limits that count a whole batch for each of its messages, or none.
core::Task<void> Batches(Broker&, net::Client& client) {
  std::string names;
  AppendProperty(names, "INNER_MULTI_DISPATCH", "%LMQ%a,%LMQ%a,%LMQ%b");
  std::string body;
  for (int i = 0; i < 200; ++i) {
    const std::string text = std::to_string(i) + std::string(10'000, 'x');
    net::AppendBatchMessage(body, {.flag = 0, .body = text, .properties = i % 2 == 0 ? std::string_view(names) : std::string_view()});
  }
  net::SendMessageV2Request request = SendTo("T", 1);
  request.batch = true;
  const Answer answer = co_await Ask(client, request, body);
  EXPECT_EQ(answer.code, 0) << answer.remark;
  for (const char* light : {"%LMQ%a", "%LMQ%b"}) {
    net::GetMaxOffsetRequest max;
    max.topic = light;
    max.queue_id = 0;
    EXPECT_EQ((co_await Ask(client, max)).Number("offset"), 100) << light;
  }
  EXPECT_EQ((co_await ReadAll(client, "T", 1))[2].offsets.size(), 5U);
}
TEST(MultiDispatchTest, MessagesOfABatchAreDispatched) { WithBroker(Batches, LightConfig()); }

// Catches dead letters, which clients send to the retry topic, that pass by the limits.
core::Task<void> DeadLetters(Broker&, net::Client& client) {
  std::string properties;
  AppendProperty(properties, "INNER_MULTI_DISPATCH", "plain");
  net::SendMessageV2Request request = SendTo("%RETRY%group", 0, properties);
  request.reconsume_times = 100;
  request.max_reconsume_times = 3;
  EXPECT_EQ((co_await Ask(client, request, "dead")).code, static_cast<int32_t>(net::ResponseCode::kMessageIllegal));
  properties.clear();
  AppendProperty(properties, "INNER_MULTI_DISPATCH", "%LMQ%a");
  request.properties = properties;
  EXPECT_EQ((co_await Ask(client, request, "dead")).code, 0);
  const std::vector<Seen> seen = co_await ReadAll(client, "%LMQ%a", 0);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].topic, "%DLQ%group");
}
TEST(MultiDispatchTest, DeadLettersAreDispatchedWithinTheLimits) { WithBroker(DeadLetters, LightConfig()); }

// As RocketMQ-MQTT keeps where its clients are: any number of groups, so there is an end to what they leave.
core::Task<void> Offsets(Broker& broker, net::Client& client) {
  const auto commit = [&client](std::string group) -> core::Task<int32_t> {
    net::UpdateConsumerOffsetRequest request;
    request.consumer_group = group;
    request.topic = "%LMQ%home%+";
    request.queue_id = 0;
    request.commit_offset = 5;
    co_return (co_await Ask(client, request)).code;
  };
  EXPECT_EQ(co_await commit("%LMQ%GID_x@@@client-1.2"), 0);
  net::QueryConsumerOffsetRequest query;
  query.consumer_group = "%LMQ%GID_x@@@client-1.2";
  query.topic = "%LMQ%home%+";
  query.queue_id = 0;
  EXPECT_EQ((co_await Ask(client, query)).Number("offset"), 5);
  int refused = 0;
  for (int i = 0; i < 40; ++i) refused += co_await commit("%LMQ%" + std::to_string(i)) == 0 ? 0 : 1;
  EXPECT_EQ(refused, 41 - 16);
  EXPECT_EQ(co_await commit("%LMQ%GID_x@@@client-1.2"), 0) << "it has its place";
  EXPECT_EQ(broker.shards().local().catalog().FindMadeGroup("%LMQ%0"), nullptr);
}
TEST(MultiDispatchTest, OffsetsOfGroupsThatNobodyMadeHaveALimit) { WithBroker(Offsets, Few(), 1, 1); }

core::Task<void> Off(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Send(client, "T", 0, "anything", "body", {{"INNER_MULTI_QUEUE_OFFSET", "77"}})).code, 0);
  const std::vector<Seen> seen = co_await ReadAll(client, "T", 0);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].offsets, "77") << "it is the application's own";
  EXPECT_EQ((co_await Ask(client, PullFrom("%LMQ%a", 0, 0))).code, static_cast<int32_t>(net::ResponseCode::kTopicNotExist));
}
TEST(MultiDispatchTest, WithoutLightQueuesThePropertyMeansNothing) { WithBroker(Off); }

TEST(LmqQueuesTest, EachShardHasItsPart) {
  LmqQueues queues(1600, 4);
  int admitted = 0;
  for (int i = 0; i < 2000; ++i) admitted += queues.Admit("%LMQ%" + std::to_string(i)).ok() ? 1 : 0;
  EXPECT_EQ(admitted, 466);
  EXPECT_TRUE(queues.Admit("%LMQ%1").ok()) << "it is there";
  queues.Forget("%LMQ%1");
  EXPECT_TRUE(queues.Admit("%LMQ%new").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(queues.Admit("%LMQ%1")));
}

}  // namespace
}  // namespace broker::testing
