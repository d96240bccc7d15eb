#include "broker/reset_offset.h"

#include <string>

#include "core/scope.h"
#include "core/sync.h"
#include "net/requests/group_admin.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"

// A reset of a group's offsets: what the tool is told, and where consumers that are online, waiting or away go on.

namespace broker::testing {
namespace {

constexpr int32_t kQueues = 4;  // of both shards

core::Task<void> Send(net::Client& client, int32_t queue, std::string body) {
  const Answer sent = co_await Ask(client, SendTo("Topic1", queue), std::move(body));
  EXPECT_EQ(sent.code, 0) << sent.remark;
}

/// Two messages in each queue, then two more ten seconds later; returns the time in between.
core::Task<core::WallMillis> SendTwice(net::Client& client) {
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    for (int i = 0; i < 2; ++i) co_await Send(client, queue, "early");
  }
  co_await core::Sleep(absl::Seconds(5));
  const core::WallMillis between = core::Reactor::Current().wall_now();
  co_await core::Sleep(absl::Seconds(5));
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    for (int i = 0; i < 2; ++i) co_await Send(client, queue, "late");
  }
  co_return between;
}

core::Task<void> Join(net::Client& client) {
  const std::string heartbeat =
      R"({"clientID":"c1","consumerDataSet":[{"groupName":"consumers","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",)"
      R"("consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"Topic1","subString":"*","tagsSet":[],)"
      R"("codeSet":[],"subVersion":1,"expressionType":"TAG"}]}],"producerDataSet":[]})";
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, heartbeat)).code, 0);
}

net::InvokeBrokerToResetOffsetRequest ResetTo(int64_t timestamp) {
  net::InvokeBrokerToResetOffsetRequest request;
  request.group = "consumers";
  request.topic = "Topic1";
  request.timestamp = timestamp;
  request.is_force = true;
  return request;
}

net::InvokeBrokerToResetOffsetRequest ResetQueueTo(int32_t queue, int64_t offset) {
  net::InvokeBrokerToResetOffsetRequest request = ResetTo(0);
  request.queue_id = queue;
  request.offset = offset;
  return request;
}

core::Task<int64_t> Committed(net::Client& client, int32_t queue) {
  net::QueryConsumerOffsetRequest request;
  request.consumer_group = "consumers";
  request.topic = "Topic1";
  request.queue_id = queue;
  request.set_zero_if_not_found = false;
  const Answer answer = co_await Ask(client, request);
  co_return answer.code == 0 ? answer.Number("offset") : -1;
}

core::Task<Answer> Commit(net::Client& client, int32_t queue, int64_t offset) {
  net::UpdateConsumerOffsetRequest request;
  request.consumer_group = "consumers";
  request.topic = "Topic1";
  request.queue_id = queue;
  request.commit_offset = offset;
  co_return co_await Ask(client, request);
}

core::Task<void> MakeGroup(Broker& broker) {
  GroupConfig group;
  group.name = "consumers";
  std::vector<GroupConfig> groups = {group};
  EXPECT_TRUE((co_await broker.catalog_writer().PutGroups(groups)).ok());
}

core::Task<void> ByTime(Broker& broker, net::Client& client) {
  co_await MakeGroup(broker);
  const core::WallMillis between = co_await SendTwice(client);
  struct Case {
    int64_t timestamp;
    int64_t offset;
  };
  for (const Case& one : {Case{0, 0}, Case{between, 2}, Case{between + 60'000, 4}, Case{-1, 4}, Case{INT64_MIN, 4}}) {
    const Answer answer = co_await Ask(client, ResetTo(one.timestamp));
    EXPECT_EQ(answer.code, 0) << answer.remark;
    std::string body = R"({"offsetTable":{)";
    for (int32_t queue = 0; queue < kQueues; ++queue) {
      EXPECT_EQ(co_await Committed(client, queue), one.offset) << queue << " at " << one.timestamp;
      body += queue == 0 ? "" : ",";
      body += R"({"brokerName":")" + broker.shards().local().config().broker_name + R"(","queueId":)" + std::to_string(queue) +
              R"(,"topic":"Topic1"}:)" + std::to_string(one.offset);
    }
    EXPECT_EQ(answer.body, body + "}}");
  }
}
TEST(ResetOffsetTest, ByTimeEveryQueueGoesToItsFirstMessageFromThenOn) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Administrator<ByTime>, TestConfig(), seed);
}

core::Task<void> ToAnOffset(Broker& broker, net::Client& client) {
  co_await MakeGroup(broker);
  co_await SendTwice(client);
  EXPECT_EQ((co_await Ask(client, ResetTo(0))).code, 0);
  EXPECT_EQ((co_await Ask(client, ResetQueueTo(1, 3))).code, 0);
  EXPECT_EQ(co_await Committed(client, 0), 0);
  EXPECT_EQ(co_await Committed(client, 1), 3);
  // The other queues stay, and -1 means: by time.
  net::InvokeBrokerToResetOffsetRequest request = ResetQueueTo(2, -1);
  request.timestamp = -1;
  EXPECT_EQ((co_await Ask(client, request)).code, 0);
  EXPECT_EQ(co_await Committed(client, 2), 4);
  EXPECT_EQ(co_await Committed(client, 3), 0);
  EXPECT_EQ((co_await Ask(client, ResetQueueTo(3, 5))).code, 0) << "one past the end, as in RocketMQ";
  EXPECT_EQ((co_await Ask(client, ResetQueueTo(3, 4))).code, 0);

  for (const int64_t wrong : {int64_t{6}, INT64_MAX, int64_t{-2}, INT64_MIN}) {
    const Answer answer = co_await Ask(client, ResetQueueTo(3, wrong));
    EXPECT_EQ(answer.code, 1) << wrong;
    EXPECT_NE(answer.remark.find("[0-4]"), std::string::npos) << answer.remark;
  }
  EXPECT_EQ((co_await Ask(client, ResetQueueTo(kQueues, 0))).code, 29);
  EXPECT_EQ(co_await Committed(client, 3), 4) << "what was refused changed something";
}
TEST(ResetOffsetTest, OneQueueToAGivenOffset) { WithBroker(Administrator<ToAnOffset>); }

core::Task<void> Unknown(Broker& broker, net::Client& client) {
  net::InvokeBrokerToResetOffsetRequest request = ResetTo(0);
  EXPECT_EQ((co_await Ask(client, request)).code, 17);
  co_await Send(client, 0, "x");
  EXPECT_EQ((co_await Ask(client, request)).code, 26);
  co_await MakeGroup(broker);
  EXPECT_EQ((co_await Ask(client, request)).code, 0);
  request.group = "bad/group";
  EXPECT_NE((co_await Ask(client, request)).code, 0);
}
TEST(ResetOffsetTest, UnknownNamesAreRefused) { WithBroker(Administrator<Unknown>); }

// Catches a reset that the running consumer undoes, as it goes on where it is and commits that.
core::Task<void> Running(Broker&, net::Client& client) {
  co_await SendTwice(client);
  co_await Join(client);
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", queue, 0))).code, 0);
    EXPECT_EQ((co_await Commit(client, queue, 2)).code, 0);
  }
  EXPECT_EQ((co_await Ask(client, ResetTo(0))).code, 0);
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    const Answer ignored = co_await Commit(client, queue, 4);
    EXPECT_EQ(ignored.code, 0);
    EXPECT_EQ(ignored.remark, "Offset has been previously reset");
    EXPECT_EQ(co_await Committed(client, queue), 0);

    net::PullMessageRequest request = PullFrom("Topic1", queue, 4);
    request.sys_flag |= 1;  // with a commit
    request.commit_offset = 3;
    const Answer told = co_await Ask(client, request);
    EXPECT_EQ(told.code, 21);
    EXPECT_EQ(told.remark, "OFFSET_RESET");
    EXPECT_EQ(told.Number("nextBeginOffset"), 0);
    EXPECT_EQ(told.Number("minOffset"), 0);
    EXPECT_EQ(told.Number("maxOffset"), 4);
    EXPECT_EQ(co_await Committed(client, queue), 0) << "the commit that came along counted";

    const Answer again = co_await Ask(client, PullFrom("Topic1", queue, 0));
    EXPECT_EQ(again.code, 0) << again.remark;
    EXPECT_EQ(RecordsOf(again.body).size(), 4u);
    EXPECT_EQ((co_await Commit(client, queue, 1)).remark, "");
    EXPECT_EQ(co_await Committed(client, queue), 1);
  }
}
TEST(ResetOffsetTest, AMemberIsToldByItsNextPullAndCannotCommitBefore) { WithBroker(Administrator<Running>); }

// A member may have old messages in hand although it would pull from there: it has to let go of them.
core::Task<void> SamePlace(Broker&, net::Client& client) {
  co_await SendTwice(client);
  co_await Join(client);
  EXPECT_EQ((co_await Ask(client, ResetTo(-1))).code, 0);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 0, 4))).remark, "OFFSET_RESET");
}
TEST(ResetOffsetTest, AMemberIsToldAlsoWhereItIsThereAlready) { WithBroker(Administrator<SamePlace>); }

core::Task<void> Offline(Broker& broker, net::Client& client) {
  co_await MakeGroup(broker);
  co_await SendTwice(client);
  EXPECT_EQ((co_await Ask(client, ResetQueueTo(0, 2))).code, 0);
  EXPECT_EQ((co_await Ask(client, ResetQueueTo(1, 2))).code, 0);
  co_await Join(client);
  const Answer found = co_await Ask(client, PullFrom("Topic1", 0, 2));
  EXPECT_EQ(found.code, 0) << "who begins at the new offset need not be told: " << found.remark;
  EXPECT_EQ((co_await Commit(client, 0, 4)).remark, "");
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 1, 0))).remark, "OFFSET_RESET") << "it was running all the same";
}
TEST(ResetOffsetTest, AGroupThatWasAwayGoesOnAtTheNewOffset) { WithBroker(Administrator<Offline>); }

struct HeldPull {
  Answer answer;
  bool done = false;
};

core::Task<void> PullInto(net::Client& client, net::PullMessageRequest request, HeldPull& held) {
  held.answer = co_await Ask(client, request);
  held.done = true;
}

net::PullMessageRequest Waiting(std::string_view group, int32_t queue) {
  net::PullMessageRequest request = PullFrom("Topic1", queue, 4);
  request.consumer_group = group;
  request.sys_flag |= 2;
  request.suspend_timeout_millis = 20'000;
  return request;
}

core::Task<void> HeldPulls(Broker& broker, net::Client& client) {
  co_await SendTwice(client);
  co_await Join(client);
  std::unique_ptr<net::Client> consumer = co_await Connect();
  HeldPull mine[kQueues];
  HeldPull others;
  core::Scope scope;
  for (int32_t queue = 0; queue < kQueues; ++queue) scope.Spawn(PullInto(*consumer, Waiting("consumers", queue), mine[queue]));
  scope.Spawn(PullInto(*consumer, Waiting("others", 0), others));
  co_await core::Sleep(absl::Seconds(1));
  for (const HeldPull& held : mine) EXPECT_FALSE(held.done);
  EXPECT_EQ((co_await Ask(client, ResetTo(0))).code, 0);
  co_await core::Sleep(absl::Milliseconds(100));
  for (const HeldPull& held : mine) {
    EXPECT_TRUE(held.done) << "it still waits for messages behind the reset";
    EXPECT_EQ(held.answer.remark, "OFFSET_RESET");
    EXPECT_EQ(held.answer.Number("nextBeginOffset"), 0);
  }
  EXPECT_FALSE(others.done) << "another group's pull";
  co_await Send(client, 0, "new");
  co_await scope.Join();
  EXPECT_EQ(others.answer.code, 0) << others.answer.remark;
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    const size_t left = co_await broker.shards().On(core::ShardId(i), [](BrokerShard& shard) { return shard.held_pulls().count(); });
    EXPECT_EQ(left, 0u);
  }
  co_await consumer->Close();
}
TEST(ResetOffsetTest, APullThatIsHeldIsToldAtOnce) {
  for (uint64_t seed = 1; seed <= 8; ++seed) WithBroker(Administrator<HeldPulls>, TestConfig(), seed);
}

core::Task<void> TwoOfOneGroup(Broker&, net::Client& client) {
  co_await SendTwice(client);
  co_await Join(client);
  std::unique_ptr<net::Client> consumer = co_await Connect();
  HeldPull both[2];
  core::Scope scope;
  for (HeldPull& one : both) scope.Spawn(PullInto(*consumer, Waiting("consumers", 0), one));
  co_await core::Sleep(absl::Seconds(1));
  EXPECT_EQ((co_await Ask(client, ResetTo(0))).code, 0);
  co_await core::Sleep(absl::Milliseconds(100));
  EXPECT_TRUE(both[0].done && both[1].done) << "one of them is forgotten";
  EXPECT_NE(both[0].answer.code, both[1].answer.code) << "one is told, the other finds nothing";
  co_await scope.Join();
  co_await consumer->Close();
}
TEST(ResetOffsetTest, ASecondPullOfTheQueueIsAnsweredAsWell) { WithBroker(Administrator<TwoOfOneGroup>); }

core::Task<absl::Status> AcrossAKill() {
  absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(TestConfig());
  if (!broker.ok()) co_return broker.status();
  std::unique_ptr<net::Client> client = co_await ConnectHere();
  co_await MakeGroup(**broker);
  co_await SendTwice(*client);
  EXPECT_EQ((co_await Ask(*client, ResetTo(-1))).code, 0);
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    // In the metadata log by now, not only at the next interval: that is what a killed broker begins with.
    const std::string text = co_await (*broker)->shards().On(
        (*broker)->shards().local().placement().OwnerOf("Topic1", queue), [](BrokerShard& shard, int32_t id) {
          const std::string key = std::string("consumers\0Topic1\0", 17) + std::to_string(id);
          const std::string* value = shard.meta().Find(store::MetaTable::kConsumerOffsets, key);
          return value == nullptr ? std::string("nothing") : *value;
        }, queue);
    EXPECT_EQ(text, "4") << queue;
  }
  co_await client->Close();
  co_return co_await (*broker)->Stop();
}
TEST(ResetOffsetTest, IsDurableWhenItIsAnswered) {
  const absl::Status status = sim::RunInWorld(1, 2, [] { return AcrossAKill(); });
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
