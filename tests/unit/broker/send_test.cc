#include "broker/send.h"

#include <optional>
#include <set>
#include <string>

#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"
#include "net/name_rules.h"
#include "net/remoting_util.h"
#include "net/requests/to_client.h"

namespace broker::testing {
namespace {

core::Task<void> SendAndReadBack(Broker&, net::Client& client) {
  const std::string properties = Properties({{"KEYS", "key1"}, {"UNIQ_KEY", "0A0B"}, {"TAGS", "A"}});
  net::SendMessageV2Request request = SendTo("Topic1", 1, properties);
  request.flag = 7;
  const Answer sent = co_await Ask(client, request, "hello");
  EXPECT_EQ(sent.code, 0) << sent.remark;
  EXPECT_EQ(sent.Number("queueId"), 1);
  EXPECT_EQ(sent.Number("queueOffset"), 0);
  EXPECT_EQ(sent.fields.at("transactionId"), "0A0B");
  EXPECT_EQ(sent.fields.at("MSG_REGION"), "DefaultRegion");
  EXPECT_EQ(sent.fields.at("TRACE_ON"), "true");

  const Answer pulled = co_await Ask(client, PullFrom("Topic1", 1, 0));
  EXPECT_EQ(pulled.code, 0) << pulled.remark;
  EXPECT_EQ(pulled.remark, "FOUND");
  EXPECT_EQ(pulled.Number("nextBeginOffset"), 1);
  EXPECT_EQ(pulled.Number("minOffset"), 0);
  EXPECT_EQ(pulled.Number("maxOffset"), 1);
  EXPECT_EQ(pulled.Number("suggestWhichBrokerId"), 0);
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 1u);
  if (records.size() != 1) co_return;
  EXPECT_EQ(BodyOf(records[0]), "hello");
  EXPECT_EQ(records[0].topic, "Topic1");
  EXPECT_EQ(records[0].queue_id, 1);
  EXPECT_EQ(records[0].born_timestamp, 1234);
  EXPECT_EQ(PropertyOf(records[0].properties, "KEYS"), "key1");
  EXPECT_EQ(PropertyOf(records[0].properties, "CLUSTER"), "DefaultCluster");
  EXPECT_EQ(PropertyOf(records[0].properties, "MSG_REGION"), "DefaultRegion");

  // The offset id leads back to the record, by the address that this client dialled.
  const absl::StatusOr<net::OffsetMessageId> id = net::DecodeOffsetMessageId(sent.fields.at("msgId"));
  EXPECT_TRUE(id.ok());
  if (!id.ok()) co_return;
  EXPECT_EQ(id->store_host, BrokerAddress());
  EXPECT_EQ(id->position, records[0].position);
  net::ViewMessageRequest view;
  view.offset = id->position.value();
  const Answer viewed = co_await Ask(client, view);
  EXPECT_EQ(viewed.code, 0) << viewed.remark;
  EXPECT_EQ(viewed.body, pulled.body);
  // Every other offset is refused, also one in the middle of the record or in a log that is not there.
  for (const int64_t wrong : {id->position.value() + 1, id->position.value() + (int64_t{1} << 52), int64_t{-1}, INT64_MAX}) {
    view.offset = wrong;
    EXPECT_EQ((co_await Ask(client, view)).code, 1) << wrong;
  }
}
TEST(SendTest, AMessageComesBackAsItWasSent) { WithBroker(SendAndReadBack); }

core::Task<void> AllForms(Broker& broker, net::Client& client) {
  net::SendMessageRequest plain;
  static_cast<net::SendMessageHeader&>(plain) = SendTo("Topic1", 0);
  EXPECT_EQ((co_await Ask(client, plain, "one")).code, 0);
  const absl::Status oneway = client.Oneway(SendTo("Topic1", 0), core::Reactor::Current().buffers().Copy("two"));
  EXPECT_TRUE(oneway.ok());
  client.set_serialize_type(net::SerializeType::kRocketMq);
  EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0), "three")).code, 0);
  std::unique_ptr<net::Client> vip = co_await Connect(10909);
  EXPECT_EQ((co_await Ask(*vip, SendTo("Topic1", 0), "four")).code, 0);
  // Pulls are not answered on the VIP port.
  EXPECT_EQ((co_await Ask(*vip, PullFrom("Topic1", 0, 0))).code, 3);
  co_await vip->Close();
  const Answer pulled = co_await Ask(client, PullFrom("Topic1", 0, 0));
  std::multiset<std::string> bodies;
  for (const store::RecordView& record : RecordsOf(pulled.body)) bodies.insert(BodyOf(record));
  EXPECT_EQ(bodies, (std::multiset<std::string>{"one", "two", "three", "four"}));
  EXPECT_NE(broker.catalog_view()->FindTopic("Topic1"), nullptr);
}
TEST(SendTest, PlainV2OnewayBinaryAndVip) { WithBroker(AllForms); }

core::Task<void> NegativeQueues(Broker&, net::Client& client) {
  std::set<int64_t> queues;
  for (int i = 0; i < 60; ++i) {
    const Answer sent = co_await Ask(client, SendTo("Topic1", -1), "x");
    EXPECT_EQ(sent.code, 0) << sent.remark;
    queues.insert(sent.Number("queueId"));
  }
  EXPECT_EQ(queues, (std::set<int64_t>{0, 1, 2, 3}));
}
TEST(SendTest, ANegativeQueueIdIsAnyWriteQueue) { WithBroker(NegativeQueues); }

core::Task<void> UniqueKey(Broker&, net::Client& client) {
  const Answer sent = co_await Ask(client, SendTo("Topic1", 0, "a\x01" "b"), "x");
  EXPECT_EQ(sent.code, 0);
  EXPECT_EQ(sent.fields.at("transactionId").size(), 32u);
  const Answer pulled = co_await Ask(client, PullFrom("Topic1", 0, 0));
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 1u);
  EXPECT_EQ(PropertyOf(records[0].properties, "UNIQ_KEY"), sent.fields.at("transactionId"));
  EXPECT_EQ(PropertyOf(records[0].properties, "a"), "b") << "its last separator was missing";
}
TEST(SendTest, AMessageWithoutUniqueKeyGetsOne) { WithBroker(UniqueKey); }

core::Task<void> Refusals(Broker&, net::Client& client) {
  const std::string delayed = Properties({{"DELAY", "soon"}});
  const std::string timer = Properties({{"TIMER_DELAY_SEC", "999999999"}});
  const std::string long_properties = Properties({{"k", std::string(32700, 'v')}});
  EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0), "first")).code, 0);
  struct Case {
    const char* what;
    net::SendMessageV2Request request;
    std::string body;
    int32_t code;
  };
  net::SendMessageV2Request unknown = SendTo("Nowhere", 0);
  unknown.default_topic = "NoTemplate";
  net::SendMessageV2Request prepared = SendTo("Topic1", 0);
  prepared.sys_flag = 4;
  const std::vector<Case> cases = {
      {"unknown topic, unknown template", unknown, "x", 17},
      {"illegal name", SendTo("../etc/passwd", 0), "x", 29},
      {"empty name", SendTo("", 0), "x", 29},
      {"name too long", SendTo("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmno"
                               "pqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 0), "x", 29},
      {"system topic", SendTo("SCHEDULE_TOPIC_XXXX", 0), "x", 16},
      {"queue out of range", SendTo("Topic1", 8), "x", 29},
      {"queue far out of range", SendTo("Topic1", INT32_MAX), "x", 29},
      {"no body", SendTo("Topic1", 0), "", 13},
      {"body too large", SendTo("Topic1", 0), std::string((4 << 20) + 1, 'b'), 13},
      {"properties too long", SendTo("Topic1", 0, long_properties), "x", 13},
      {"delay level that is no number", SendTo("Topic1", 0, delayed), "x", 13},
      {"timer beyond the limit", SendTo("Topic1", 0, timer), "x", 13},
      {"transaction by flag", prepared, "x", 13},
  };
  for (const Case& one : cases) {
    const Answer answer = co_await Ask(client, one.request, one.body);
    EXPECT_EQ(answer.code, one.code) << one.what << ": " << answer.remark;
    EXPECT_FALSE(answer.remark.empty()) << one.what;
    const std::optional<std::string> wrong_name = net::WrongTopicName(one.request.topic);
    if (wrong_name.has_value()) EXPECT_EQ(answer.remark, *wrong_name) << one.what;
    // What is refused before it reaches the broker's part has no such fields; clients read them of a SendStatus only.
    const bool refused_at_the_edge = one.body.size() > (4 << 20);
    EXPECT_EQ(answer.fields.count("MSG_REGION"), refused_at_the_edge ? 0u : 1u) << one.what;
  }
  net::GetMaxOffsetRequest max;
  max.topic = "Topic1";
  EXPECT_EQ((co_await Ask(client, max)).Number("offset"), 1) << "something refused was stored";
  EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0), std::string(4 << 20, 'b'))).code, 0) << "exactly maxMessageSize";
}
TEST(SendTest, WhatIsRefusedHasItsCodeItsRemarkAndIsNotStored) { WithBroker(Refusals); }

core::Task<void> Batch(Broker&, net::Client& client) {
  const std::string of_batch = Properties({{"UNIQ_KEY", "BATCH"}, {"WAIT", "true"}, {"shared", "yes"}});
  std::string body;
  const std::string first = Properties({{"UNIQ_KEY", "M1"}, {"TAGS", "A"}});
  const std::string second = Properties({{"UNIQ_KEY", "M2"}, {"TAGS", "B"}});
  net::AppendBatchMessage(body, {.flag = 1, .body = "one", .properties = first});
  net::AppendBatchMessage(body, {.flag = 2, .body = "two", .properties = second});
  net::SendBatchMessageRequest request;
  static_cast<net::SendMessageHeader&>(request) = SendTo("Topic1", 2, of_batch);
  request.batch = true;
  const Answer sent = co_await Ask(client, request, body);
  EXPECT_EQ(sent.code, 0) << sent.remark;
  EXPECT_EQ(sent.Number("queueOffset"), 0);
  EXPECT_EQ(sent.fields.at("msgId").size(), 32u + 1 + 32);
  EXPECT_EQ(sent.fields.at("msgId")[32], ',');
  EXPECT_EQ(sent.fields.at("transactionId"), "BATCH");

  const Answer pulled = co_await Ask(client, PullFrom("Topic1", 2, 0));
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 2u);
  if (records.size() != 2) co_return;
  EXPECT_EQ(BodyOf(records[0]), "one");
  EXPECT_EQ(BodyOf(records[1]), "two");
  EXPECT_EQ(records[1].queue_offset, core::LogicalOffset(1));
  EXPECT_EQ(PropertyOf(records[0].properties, "UNIQ_KEY"), "M1") << "a message keeps its own, not the batch's";
  EXPECT_EQ(PropertyOf(records[1].properties, "shared"), "yes");
  EXPECT_EQ(PropertyOf(records[1].properties, "CLUSTER"), "DefaultCluster");
  // Each message is found by its own tag.
  EXPECT_EQ(RecordsOf((co_await Ask(client, PullFrom("Topic1", 2, 0, "B"))).body).size(), 1u);

  // A batch with one bad message stores none.
  std::string bad = body;
  net::AppendBatchMessage(bad, {.flag = 0, .body = "", .properties = ""});
  EXPECT_EQ((co_await Ask(client, request, bad)).code, 13);
  EXPECT_EQ((co_await Ask(client, request, body + "xyz")).code, 13);
  request.topic = "%RETRY%consumers";
  request.queue_id = 0;
  EXPECT_EQ((co_await Ask(client, request, body)).code, 13);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 2, 2))).Number("maxOffset"), 2);
}
TEST(SendTest, ABatchIsStoredWholeOrNotAtAll) { WithBroker(Batch); }

core::Task<void> Retry(Broker& broker, net::Client& client) {
  net::SendMessageV2Request retry = SendTo("%RETRY%g1", 0);
  retry.default_topic = "none";
  retry.reconsume_times = 1;
  EXPECT_EQ((co_await Ask(client, retry, "again")).code, 0);
  EXPECT_EQ((co_await Ask(client, PullFrom("%RETRY%g1", 0, 0))).Number("maxOffset"), 1);
  // Tried too often: a dead letter, and its delay no reason to refuse it.
  const std::string delayed = Properties({{"DELAY", "18"}, {"UNIQ_KEY", "K"}});
  retry.properties = delayed;
  EXPECT_EQ((co_await Ask(client, retry, "later")).code, 0);
  EXPECT_EQ((co_await Ask(client, PullFrom("%RETRY%g1", 0, 0))).Number("maxOffset"), 1) << "not at once, where a delay was asked for";
  retry.reconsume_times = 17;
  const Answer dead = co_await Ask(client, retry, "dead");
  EXPECT_EQ(dead.code, 0) << dead.remark;
  EXPECT_NE(broker.catalog_view()->FindTopic("%DLQ%g1"), nullptr);
  const Answer letters = co_await Ask(client, PullFrom("%DLQ%g1", 0, 0));
  const std::vector<store::RecordView> records = RecordsOf(letters.body);
  EXPECT_EQ(records.size(), 1u);
  if (records.size() != 1) co_return;
  EXPECT_EQ(BodyOf(records[0]), "dead");
  EXPECT_EQ(PropertyOf(records[0].properties, "DELAY"), "");
  EXPECT_EQ(PropertyOf(records[0].properties, "UNIQ_KEY"), "K");
}
TEST(SendTest, WhatWasTriedTooOftenBecomesADeadLetter) { WithBroker(Retry); }

/// A requester that takes replies.
struct Requester {
  core::Task<net::Reply> Take(net::RequestContext context, net::PushReplyMessageRequest request) {
    topic = request.topic;
    properties = request.properties.value_or("");
    body = context.frame.body.text();
    co_return net::Reply();
  }
  std::string topic;
  std::string properties;
  std::string body;
};

core::Task<void> ReplyGoesToTheRequester(Broker&, net::Client& client) {
  Requester requester;
  net::Router router;
  router.On(requester, &Requester::Take);
  absl::StatusOr<std::unique_ptr<net::Client>> asking =
      co_await net::Client::Connect(BrokerAddress(), kPatience, &router);
  EXPECT_TRUE(asking.ok());
  const std::string heartbeat = R"({"clientID":"requester-1","consumerDataSet":[],"producerDataSet":[{"groupName":"p"}]})";
  EXPECT_EQ((co_await Ask(**asking, net::HeartBeatRequest{}, heartbeat)).code, 0);

  const std::string to_requester =
      Properties({{"REPLY_TO_CLIENT", "requester-1"}, {"CORRELATION_ID", "c1"}, {"MSG_TYPE", "reply"}});
  net::SendReplyMessageV2Request reply;
  static_cast<net::SendMessageHeader&>(reply) = SendTo("DefaultCluster_REPLY_TOPIC", 0, to_requester);
  const Answer answer = co_await Ask(client, reply, "pong");
  EXPECT_EQ(answer.code, 0) << answer.remark;
  EXPECT_EQ(answer.fields.at("msgId"), "0");
  EXPECT_EQ(requester.body, "pong");
  EXPECT_EQ(PropertyOf(requester.properties, "CORRELATION_ID"), "c1");
  EXPECT_NE(PropertyOf(requester.properties, "PUSH_REPLY_TIME"), "");
  EXPECT_EQ((co_await Ask(client, PullFrom("DefaultCluster_REPLY_TOPIC", 0, 0))).Number("maxOffset"), 1) << "stored as well";

  co_await (*asking)->Close();
  const Answer nobody = co_await Ask(client, reply, "pong");
  EXPECT_EQ(nobody.code, 1);
  EXPECT_NE(nobody.remark.find("requester-1"), std::string::npos);
}
TEST(SendTest, AReplyIsPushedToWhoAsked) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(ReplyGoesToTheRequester, TestConfig(), seed);  // on either shard
}

core::Task<void> NoWait(Broker&, net::Client& client) {
  const std::string properties = Properties({{"WAIT", "false"}, {"UNIQ_KEY", "K"}});
  EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0, properties), "x")).code, 0);
  EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0), "y")).code, 0);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 0, 0))).Number("maxOffset"), 2);
}
TEST(SendTest, SyncFlushAnswersBothKindsOfProducers) {
  BrokerConfig config = TestConfig();
  config.flush_disk_type = FlushDiskType::kSyncFlush;
  WithBroker(NoWait, config);
}

}  // namespace
}  // namespace broker::testing
