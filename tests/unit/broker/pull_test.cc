#include "broker/pull.h"

#include <string>

#include "broker/offset_table.h"
#include "tests/unit/broker/broker_fixture.h"
#include "core/scope.h"
#include "core/sync.h"

namespace broker::testing {
namespace {

core::MonoTime Now() { return core::Reactor::Current().io().Now(); }

std::string Tagged(std::string_view tag) {
  std::string text;
  AppendProperty(text, "TAGS", tag);
  return text;
}

net::PullMessageRequest Suspended(net::PullMessageRequest request, int64_t millis) {
  request.sys_flag |= 2;
  request.suspend_timeout_millis = millis;
  return request;
}

core::Task<void> Send(net::Client& client, std::string_view topic, int32_t queue, std::string body, std::string tag = "") {
  const std::string properties = tag.empty() ? "" : Tagged(tag);
  const Answer sent = co_await Ask(client, SendTo(topic, queue, properties), body);
  EXPECT_EQ(sent.code, 0) << sent.remark;
}

void ExpectWholeHeader(const Answer& answer) {
  for (const char* field : {"suggestWhichBrokerId", "nextBeginOffset", "minOffset", "maxOffset"}) {
    EXPECT_TRUE(answer.Has(field)) << field << " is missing, which Java clients dereference";
  }
}

core::Task<void> Statuses(Broker&, net::Client& client) {
  for (const char* body : {"a", "b", "c"}) co_await Send(client, "Topic1", 0, body);
  struct Case {
    int32_t queue;
    int64_t offset;
    int32_t code;
    const char* remark;
    int64_t next;
  };
  for (const Case& one : {Case{0, 0, 0, "FOUND", 3}, Case{0, 2, 0, "FOUND", 3}, Case{0, 3, 19, "OFFSET_OVERFLOW_ONE", 3},
                          Case{0, 4, 21, "OFFSET_OVERFLOW_BADLY", 3}, Case{0, INT64_MAX, 21, "OFFSET_OVERFLOW_BADLY", 3},
                          Case{0, -1, 21, "OFFSET_TOO_SMALL", 0}, Case{1, 0, 19, nullptr, 0}, Case{1, 5, 21, nullptr, 0}}) {
    const Answer answer = co_await Ask(client, PullFrom("Topic1", one.queue, one.offset));
    EXPECT_EQ(answer.code, one.code) << one.queue << "/" << one.offset << ": " << answer.remark;
    if (one.remark != nullptr) {
      EXPECT_EQ(answer.remark, one.remark);
    }
    EXPECT_EQ(answer.Number("nextBeginOffset"), one.next) << one.queue << "/" << one.offset;
    ExpectWholeHeader(answer);
  }
}
TEST(PullTest, EveryStatusHasItsCodeAndAWholeHeader) { WithBroker(Statuses); }

core::Task<void> Checks(Broker& broker, net::Client& client) {
  co_await Send(client, "Topic1", 0, "x");
  EXPECT_EQ((co_await Ask(client, PullFrom("Nowhere", 0, 0))).code, 17);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", -1, 0))).code, 29);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 4, 0))).code, 29);
  net::PullMessageRequest request = PullFrom("Topic1", 0, 0);
  request.consumer_group = "bad/group";
  EXPECT_EQ((co_await Ask(client, request)).code, 26);
  request = PullFrom("Topic1", 0, 0, "a > 5");
  request.expression_type = "XPATH";
  EXPECT_EQ((co_await Ask(client, request)).code, 1);
  request = PullFrom("Topic1", 0, 0);
  request.sys_flag = 0;  // what the group has registered, and nobody has
  EXPECT_EQ((co_await Ask(client, request)).code, 24);

  GroupConfig off;
  off.name = "switched-off";
  off.consume_enable = false;
  EXPECT_TRUE((co_await broker.catalog_writer().PutGroups({off})).ok());
  request = PullFrom("Topic1", 0, 0);
  request.consumer_group = "switched-off";
  EXPECT_EQ((co_await Ask(client, request)).code, 16);
}
TEST(PullTest, WhatMayNotBePulled) { WithBroker(Checks); }

core::Task<void> RegisteredSubscription(Broker&, net::Client& client) {
  co_await Send(client, "Topic1", 0, "a", "A");
  co_await Send(client, "Topic1", 0, "b", "B");
  const std::string heartbeat =
      R"({"clientID":"c1","consumerDataSet":[{"groupName":"consumers","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",)"
      R"("consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"Topic1","subString":"B","tagsSet":["B"],)"
      R"("codeSet":[66],"subVersion":100,"expressionType":"TAG"}]}],"producerDataSet":[]})";
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, heartbeat)).code, 0);
  net::PullMessageRequest request = PullFrom("Topic1", 0, 0);
  request.sys_flag = 0;
  request.sub_version = 100;
  const Answer found = co_await Ask(client, request);
  EXPECT_EQ(found.code, 0) << found.remark;
  EXPECT_EQ(RecordsOf(found.body).size(), 1u);
  request.sub_version = 101;
  EXPECT_EQ((co_await Ask(client, request)).code, 25);
  // Another connection that has announced nothing is filtered as the group is.
  request.sub_version = 100;
  std::unique_ptr<net::Client> other = co_await Connect();
  EXPECT_EQ(RecordsOf((co_await Ask(*other, request)).body).size(), 1u);
  request.topic = "BenchmarkTest";
  EXPECT_EQ((co_await Ask(*other, request)).code, 24);
  co_await other->Close();
}
TEST(PullTest, WithoutItsOwnSubscriptionTheRegisteredOneCounts) { WithBroker(RegisteredSubscription); }

core::Task<void> Tags(Broker&, net::Client& client) {
  for (int i = 0; i < 6; ++i) co_await Send(client, "Topic1", 0, std::to_string(i), i % 3 == 0 ? "A" : i % 3 == 1 ? "B" : "C");
  const Answer two = co_await Ask(client, PullFrom("Topic1", 0, 0, "A || B"));
  std::string bodies;
  for (const store::RecordView& record : RecordsOf(two.body)) bodies += BodyOf(record);
  EXPECT_EQ(bodies, "0134");
  const Answer none = co_await Ask(client, PullFrom("Topic1", 0, 0, "Z"));
  EXPECT_EQ(none.code, 20);
  EXPECT_EQ(none.Number("nextBeginOffset"), 6);
  ExpectWholeHeader(none);
}
TEST(PullTest, TagsChoose) { WithBroker(Tags); }

core::Task<void> Limits(Broker&, net::Client& client) {
  for (int i = 0; i < 40; ++i) co_await Send(client, "Topic1", 0, "m");
  net::PullMessageRequest request = PullFrom("Topic1", 0, 0);
  request.max_msg_nums = 1000;
  EXPECT_EQ(RecordsOf((co_await Ask(client, request)).body).size(), 32u);
  request.max_msg_nums = 5;
  EXPECT_EQ(RecordsOf((co_await Ask(client, request)).body).size(), 5u);
  request.max_msg_nums = INT32_MIN;
  EXPECT_EQ(RecordsOf((co_await Ask(client, request)).body).size(), 1u);
  for (int i = 0; i < 3; ++i) co_await Send(client, "Topic1", 1, std::string(200 << 10, 'b'));
  request = PullFrom("Topic1", 1, 0);
  EXPECT_EQ(RecordsOf((co_await Ask(client, request)).body).size(), 1u) << "256 KiB";
  request.max_msg_bytes = 1;
  EXPECT_EQ(RecordsOf((co_await Ask(client, request)).body).size(), 1u) << "the first is always given";
}
TEST(PullTest, AnAnswerHasItsLimits) { WithBroker(Limits); }

struct HeldPull {
  Answer answer;
  core::MonoTime answered;
  bool done = false;
};

core::Task<void> PullInto(net::Client& client, net::PullMessageRequest request, HeldPull& held) {
  held.answer = co_await Ask(client, request);
  held.answered = Now();
  held.done = true;
}

core::Task<void> Woken(Broker& broker, net::Client& client) {
  co_await Send(client, "Topic1", 0, "old");
  std::unique_ptr<net::Client> sender = co_await Connect();
  for (int32_t queue = 0; queue < 4; ++queue) {  // queues of both shards
    HeldPull held;
    core::Scope scope;
    const int64_t from = queue == 0 ? 1 : 0;
    scope.Spawn(PullInto(client, Suspended(PullFrom("Topic1", queue, from, "A"), 15000), held));
    co_await core::Sleep(absl::Seconds(5));
    EXPECT_FALSE(held.done);
    co_await Send(*sender, "Topic1", queue, "other", "B");
    co_await core::Sleep(absl::Seconds(1));
    EXPECT_FALSE(held.done) << "woken by a message that does not pass its filter";
    const core::MonoTime before = Now();
    co_await Send(*sender, "Topic1", queue, "mine", "A");
    co_await scope.Join();
    EXPECT_EQ(held.answer.code, 0) << held.answer.remark;
    EXPECT_EQ(RecordsOf(held.answer.body).size(), 1u);
    EXPECT_LT(held.answered - before, absl::Milliseconds(200));
  }
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    const size_t left = co_await broker.shards().On(core::ShardId(i), [](BrokerShard& shard) { return shard.held_pulls().count(); });
    EXPECT_EQ(left, 0u);
  }
  co_await sender->Close();
}
TEST(LongPollTest, AMessageThatPassesWakesThePull) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Woken, TestConfig(), seed);
}

core::Task<void> TimesOut(Broker&, net::Client& client) {
  co_await Send(client, "Topic1", 0, "old", "B");
  const core::MonoTime begin = Now();
  const Answer answer = co_await Ask(client, Suspended(PullFrom("Topic1", 0, 1), 1500));
  EXPECT_EQ(answer.code, 19);
  EXPECT_EQ(answer.Number("nextBeginOffset"), 1);
  ExpectWholeHeader(answer);
  EXPECT_GE(Now() - begin, absl::Milliseconds(1500));
  EXPECT_LT(Now() - begin, absl::Milliseconds(1700)) << "RocketMQ looks every 5 s only; this is to be exact";

  // What arrived and did not pass is not to be looked at again.
  HeldPull held;
  core::Scope scope;
  scope.Spawn(PullInto(client, Suspended(PullFrom("Topic1", 0, 1, "A"), 3000), held));
  co_await core::Sleep(absl::Seconds(1));
  std::unique_ptr<net::Client> sender = co_await Connect();
  co_await Send(*sender, "Topic1", 0, "new", "B");
  co_await scope.Join();
  EXPECT_EQ(held.answer.code, 20);
  EXPECT_EQ(held.answer.Number("nextBeginOffset"), 2);
  co_await sender->Close();
}
TEST(LongPollTest, ItsTimeIsExact) { WithBroker(TimesOut); }

core::Task<size_t> HeldEverywhere(Broker& broker) {
  size_t count = 0;
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    count += co_await broker.shards().On(core::ShardId(i), [](BrokerShard& shard) { return shard.held_pulls().count(); });
  }
  co_return count;
}

core::Task<void> Abandoned(Broker& broker, net::Client& client) {
  co_await Send(client, "Topic1", 0, "x");
  std::unique_ptr<net::Client> gone = co_await Connect();
  HeldPull held[4];
  core::Scope scope;
  for (int32_t queue = 0; queue < 4; ++queue) {
    scope.Spawn(PullInto(*gone, Suspended(PullFrom("Topic1", queue, queue == 0 ? 1 : 0), 30000), held[queue]));
  }
  co_await core::Sleep(absl::Seconds(2));
  EXPECT_EQ(co_await HeldEverywhere(broker), 4u);
  co_await gone->Close();
  co_await scope.Join();
  co_await core::Sleep(absl::Seconds(1));
  EXPECT_EQ(co_await HeldEverywhere(broker), 0u) << "held for a client that is gone";
}
TEST(LongPollTest, AClosedConnectionFreesItsPullsAtOnce) {
  for (uint64_t seed = 1; seed <= 8; ++seed) WithBroker(Abandoned, TestConfig(), seed);
}

// A stop must not wait for the pulls that are held.
core::Task<void> StoppedMeanwhile(Broker&, net::Client& client) {
  co_await Send(client, "Topic1", 0, "x");
  for (int32_t queue = 1; queue < 4; ++queue) {
    const net::PullMessageRequest request = Suspended(PullFrom("Topic1", queue, 0), 30000);
    const bool sent = client.connection().SendOneway(request);
    EXPECT_TRUE(sent);
  }
  co_await core::Sleep(absl::Seconds(1));
}
TEST(LongPollTest, TheBrokerStopsWithPullsHeld) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(StoppedMeanwhile, TestConfig(), seed);
}

net::UpdateConsumerOffsetRequest CommitOf(std::string_view group, std::string_view topic, int32_t queue, int64_t offset) {
  net::UpdateConsumerOffsetRequest request;
  request.consumer_group = group;
  request.topic = topic;
  request.queue_id = queue;
  request.commit_offset = offset;
  return request;
}

net::QueryConsumerOffsetRequest QueryOf(std::string_view topic, int32_t queue) {
  net::QueryConsumerOffsetRequest request;
  request.consumer_group = "consumers";
  request.topic = topic;
  request.queue_id = queue;
  return request;
}

core::Task<void> Offsets(Broker&, net::Client& client) {
  const core::WallMillis before = core::Reactor::Current().wall_now();
  co_await Send(client, "Topic1", 0, "a");
  co_await core::Sleep(absl::Seconds(10));
  co_await Send(client, "Topic1", 0, "b");
  // The group exists once it has pulled.
  EXPECT_EQ((co_await Ask(client, CommitOf("consumers", "Topic1", 0, 1))).code, 26);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 0, 0))).code, 0);
  EXPECT_EQ((co_await Ask(client, QueryOf("Topic1", 0))).Number("offset"), 0) << "a young queue is read from its beginning";
  net::QueryConsumerOffsetRequest strict = QueryOf("Topic1", 0);
  strict.set_zero_if_not_found = false;
  EXPECT_EQ((co_await Ask(client, strict)).code, 22);
  EXPECT_EQ((co_await Ask(client, QueryOf("Topic1", 1))).code, 22) << "an empty queue";
  EXPECT_EQ((co_await Ask(client, CommitOf("consumers", "Topic1", 0, 2))).code, 0);
  EXPECT_EQ((co_await Ask(client, strict)).Number("offset"), 2);
  EXPECT_EQ((co_await Ask(client, CommitOf("consumers", "Topic1", 0, -1))).code, 29);
  EXPECT_EQ((co_await Ask(client, CommitOf("consumers", "Topic1", 99, 1))).code, 29);
  EXPECT_EQ((co_await Ask(client, CommitOf("consumers", "Nowhere", 0, 1))).code, 17);

  // A pull commits by the way, also one that finds nothing.
  net::PullMessageRequest pull = PullFrom("Topic1", 0, 2);
  pull.sys_flag |= 1;
  pull.commit_offset = 1;
  EXPECT_EQ((co_await Ask(client, pull)).code, 19);
  EXPECT_EQ((co_await Ask(client, QueryOf("Topic1", 0))).Number("offset"), 1);

  net::GetMaxOffsetRequest max;
  max.topic = "Topic1";
  EXPECT_EQ((co_await Ask(client, max)).Number("offset"), 2);
  max.topic = "Nowhere";
  EXPECT_EQ((co_await Ask(client, max)).Number("offset"), 0);
  net::GetMinOffsetRequest min;
  min.topic = "Topic1";
  EXPECT_EQ((co_await Ask(client, min)).Number("offset"), 0);
  net::GetEarliestMsgStoreTimeRequest earliest;
  earliest.topic = "Topic1";
  const int64_t first = (co_await Ask(client, earliest)).Number("timestamp");
  EXPECT_GE(first, before);
  EXPECT_LT(first, before + 5000);
  earliest.queue_id = 1;
  EXPECT_EQ((co_await Ask(client, earliest)).Number("timestamp"), -1);

  net::SearchOffsetRequest search;
  search.topic = "Topic1";
  search.timestamp = first + 1;
  EXPECT_EQ((co_await Ask(client, search)).Number("offset"), 1);
  search.boundary_type = "UPPER";
  EXPECT_EQ((co_await Ask(client, search)).Number("offset"), 0);
  search.boundary_type = "LOWER";
  search.timestamp = first + 3600 * 1000;
  EXPECT_EQ((co_await Ask(client, search)).Number("offset"), 2);
}
TEST(OffsetHandlersTest, FollowRocketMqsRules) { WithBroker(Offsets); }

core::Task<absl::Status> RestartMain(BrokerConfig config) {
  {
    absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(config);
    if (!broker.ok()) co_return broker.status();
    std::unique_ptr<net::Client> client = co_await Connect();
    for (int i = 0; i < 20; ++i) co_await Send(*client, "Topic1", i % 4, std::to_string(i));
    EXPECT_EQ((co_await Ask(*client, PullFrom("Topic1", 3, 0))).code, 0);
    EXPECT_EQ((co_await Ask(*client, CommitOf("consumers", "Topic1", 3, 4))).code, 0);
    co_await client->Close();
    CO_RETURN_IF_ERROR(co_await (*broker)->Stop());
  }
  absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(config);
  if (!broker.ok()) co_return broker.status();
  std::unique_ptr<net::Client> client = co_await Connect();
  for (int32_t queue = 0; queue < 4; ++queue) {
    const Answer all = co_await Ask(*client, PullFrom("Topic1", queue, 0));
    const std::vector<store::RecordView> records = RecordsOf(all.body);
    EXPECT_EQ(records.size(), 5u) << queue;
    for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(BodyOf(records[i]), std::to_string(queue + 4 * static_cast<int>(i)));
  }
  EXPECT_EQ((co_await Ask(*client, QueryOf("Topic1", 3))).Number("offset"), 4);
  const Answer sent = co_await Ask(*client, SendTo("Topic1", 3), "next");
  EXPECT_EQ(sent.Number("queueOffset"), 5) << "dense";
  co_await client->Close();
  co_return co_await (*broker)->Stop();
}
TEST(BrokerTest, MessagesTopicsAndOffsetsAreThereAfterARestart) {
  const BrokerConfig config = TestConfig();
  const absl::Status status = sim::RunInWorld(7, 2, [&config] { return RestartMain(config); });
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<absl::Status> TwoInOneFolder(BrokerConfig config) {
  absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(config);
  if (!broker.ok()) co_return broker.status();
  config.listen_port = 0;
  absl::StatusOr<std::unique_ptr<Broker>> second = co_await Broker::Start(config);
  EXPECT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("/data"), absl::string_view::npos) << second.status();
  if (second.ok()) CO_RETURN_IF_ERROR(co_await (*second)->Stop());
  config.store_path_root_dir = "/other";
  config.listen_port = 10911;
  absl::StatusOr<std::unique_ptr<Broker>> third = co_await Broker::Start(config);
  EXPECT_FALSE(third.ok()) << "the port is taken";
  if (third.ok()) CO_RETURN_IF_ERROR(co_await (*third)->Stop());
  co_return co_await (*broker)->Stop();
}
TEST(BrokerTest, AFolderInUseAndAPortInUseAreErrors) {
  const BrokerConfig config = TestConfig();
  const absl::Status status = sim::RunInWorld(7, 2, [&config] { return TwoInOneFolder(config); });
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
