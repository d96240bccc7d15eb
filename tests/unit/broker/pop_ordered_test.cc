// POP in order: nobody gets a message before those in front of it are acknowledged or their time is up, and each time it comes again is counted.
#include "broker/pop/ordered.h"

#include <set>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/status.h"
#include "net/requests/offsets.h"
#include "tests/unit/broker/pop_fixture.h"

namespace broker::testing {
namespace {

constexpr std::string_view kTopic = "Ordered";

TEST(OrderedBatchTest, ReadsWhatItWrites) {
  const OrderedBatch first = OrderedBatch::After(std::nullopt, "attempt with blanks, and: more", 1000, 500, 3, {3, 4, 9});
  EXPECT_EQ(OrderedBatch::Parse(first.Text()), first);
  OrderedBatch second = OrderedBatch::After(first, "", 2000, INT64_MAX, 4, {4, 9, 10});
  second.messages[1].acknowledged = true;
  EXPECT_EQ(second.messages[0].times, 1);
  EXPECT_EQ(second.messages[2].times, 0);
  EXPECT_EQ(second.messages[0].visible, INT64_MAX);
  EXPECT_EQ(OrderedBatch::Parse(second.Text()), second);
  for (const std::string_view text : {"", "1", "1 ", "x 1:0:1:0 ", "1 1:0:1 ", "1 2:0:1:0,1:0:1:0 ", "1 -1:0:1:0 "}) {
    EXPECT_EQ(OrderedBatch::Parse(text), std::nullopt) << text;
  }
}

TEST(OrderedBatchTest, WhatIsNotPoppedAgainStaysAsItIs) {
  OrderedBatch first = OrderedBatch::After(std::nullopt, "", 1000, 500, 1, {1, 2, 3, 4, 5});
  first.Find(1)->acknowledged = true;
  first.Find(5)->acknowledged = true;
  OrderedBatch second = OrderedBatch::After(first, "", 2000, 500, first.NextOffset(), {2, 3});
  EXPECT_EQ(second.messages.size(), 4u);
  EXPECT_EQ(second.BlockedUntil(), 2500);
  second.Find(2)->acknowledged = true;
  second.Find(3)->acknowledged = true;
  EXPECT_FALSE(second.done()) << "4 is open";
  EXPECT_EQ(second.NextOffset(), 4);
  EXPECT_FALSE(second.Blocks("", 2000)) << "nobody has it";
  EXPECT_TRUE(second.IsAcknowledged(5));
  OrderedBatch third = OrderedBatch::After(second, "", 3000, 500, 4, {4, 6});
  EXPECT_EQ(third.Find(4)->times, 1);
  third.Find(4)->acknowledged = true;
  third.Find(6)->acknowledged = true;
  EXPECT_TRUE(third.done());
  EXPECT_EQ(third.NextOffset(), 7);
}

TEST(OrderedBatchTest, BlocksUntilAllAreAcknowledgedOrSeenAgain) {
  OrderedBatch batch = OrderedBatch::After(std::nullopt, "a", 1000, 500, 3, {3, 4});
  EXPECT_TRUE(batch.Blocks("b", 1499));
  EXPECT_FALSE(batch.Blocks("b", 1500));
  EXPECT_FALSE(batch.Blocks("a", 1000)) << "it has not got the answer";
  EXPECT_TRUE(batch.Blocks("", 1000));
  batch.Find(3)->acknowledged = true;
  EXPECT_EQ(batch.NextOffset(), 4);
  EXPECT_TRUE(batch.Blocks("b", 1499));
  batch.Find(4)->acknowledged = true;
  EXPECT_EQ(batch.NextOffset(), 5);
  EXPECT_TRUE(batch.done());
  EXPECT_FALSE(batch.Blocks("b", 1000));
}

net::PopMessageRequest PopInOrder(int64_t invisible_ms, int64_t poll_ms = 0, int32_t messages = 2) {
  net::PopMessageRequest request = PopFrom(kTopic, invisible_ms, poll_ms);
  request.order = true;
  request.max_msg_nums = messages;
  return request;
}

core::Task<void> InOrder(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 5);
  const Answer answer = co_await Ask(client, PopInOrder(60'000));
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.Number("reviveQid"), 999);
  EXPECT_EQ(answer.fields.at("orderCountInfo"), "0 0 0");
  const std::vector<Popped> first = MessagesOf(answer, kTopic);
  EXPECT_EQ(first.size(), 2u);
  if (first.size() != 2) co_return;
  EXPECT_EQ(first[0].body, "m0.0");
  EXPECT_TRUE((co_await Pop(client, PopInOrder(60'000))).empty()) << "others are in front";
  EXPECT_EQ((co_await Ask(client, AckOf(first[1]))).code, 0);
  EXPECT_TRUE((co_await Pop(client, PopInOrder(60'000))).empty()) << "the first is still open";
  // What waits is told at once.
  std::unique_ptr<net::Client> other = co_await Connect();
  std::vector<Popped> next;
  core::Scope pops;
  const auto pop = [](net::Client* with, std::vector<Popped>* into) -> core::Task<void> {
    *into = co_await Pop(*with, PopInOrder(60'000, 30'000));
  };
  pops.Spawn(pop(other.get(), &next));
  co_await core::Sleep(absl::Seconds(1));
  const core::MonoTime acknowledged = core::Reactor::Current().now();
  EXPECT_EQ((co_await Ask(client, AckOf(first[0]))).code, 0);
  co_await pops.Join();
  EXPECT_LE(core::Reactor::Current().now() - acknowledged, absl::Milliseconds(50));
  EXPECT_EQ(next.size(), 2u);
  if (!next.empty()) EXPECT_EQ(next[0].body, "m0.2");
  EXPECT_EQ((co_await Ask(client, AckOf(first[0]))).code, 0) << "again";
  // Not among them.
  net::AckMessageRequest wrong = AckOf(next[0]);
  wrong.offset = 4;
  EXPECT_EQ((co_await Ask(client, wrong)).code, 13);
  co_await other->Close();
}
TEST(PopOrderedTest, LaterMessagesWaitForEarlierOnes) { WithBroker(InOrder); }

core::Task<void> Again(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 3);
  const std::vector<Popped> first = co_await Pop(client, PopInOrder(2'000));
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ((co_await Ask(client, AckOf(first[0]))).code, 0);
  const core::MonoTime begin = core::Reactor::Current().now();
  const Answer answer = co_await Ask(client, PopInOrder(2'000, 10'000));
  EXPECT_LE(core::Reactor::Current().now() - begin, absl::Milliseconds(2'100));
  const std::vector<Popped> second = MessagesOf(answer, kTopic);
  EXPECT_EQ(second.size(), 2u);
  if (second.size() != 2) co_return;
  EXPECT_EQ(second[0].body, "m0.1");
  EXPECT_EQ(second[0].topic, kTopic) << "no retry topic: it would lose its place";
  EXPECT_EQ(answer.fields.at("orderCountInfo"), "0 qo0%1 1;0 0 0");
  EXPECT_EQ((co_await Ask(client, AckOf(first[1]))).code, 208) << "a receipt of before";
  // Later, and sooner.
  const Answer later = co_await Ask(client, ChangeOf(second[1], 60'000));
  EXPECT_EQ(later.code, 0) << later.remark;
  EXPECT_NEAR(static_cast<double>(later.Number("popTime") + later.Number("invisibleTime")),
              static_cast<double>(core::Reactor::Current().wall_now() + 60'000), 5);
  EXPECT_EQ((co_await Ask(client, AckOf(second[0]))).code, 0);
  EXPECT_TRUE((co_await Pop(client, PopInOrder(2'000, 10'000))).empty());
  EXPECT_EQ((co_await Ask(client, ChangeOf(second[1], 0))).code, 0);
  EXPECT_EQ((co_await Pop(client, PopInOrder(2'000))).size(), 1u);
}
TEST(PopOrderedTest, AMessageWhoseTimeIsUpComesAgainInItsPlace) { WithBroker(Again); }

core::Task<void> SameAttempt(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 2);
  net::PopMessageRequest request = PopInOrder(60'000);
  request.attempt_id = "one";
  EXPECT_EQ((co_await Pop(client, request)).size(), 2u);
  const Answer again = co_await Ask(client, request);
  EXPECT_EQ(MessagesOf(again, kTopic).size(), 2u) << "its answer may be lost";
  EXPECT_EQ(again.fields.at("orderCountInfo"), "0 0 0");
  request.attempt_id = "two";
  EXPECT_TRUE((co_await Pop(client, request)).empty());
  const std::string long_id(300, 'x');
  request.attempt_id = long_id;
  EXPECT_EQ((co_await Ask(client, request)).code, 29);
}
TEST(PopOrderedTest, TheSameAttemptGetsTheSame) { WithBroker(SameAttempt); }

core::Task<void> Before(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 4);
  const std::vector<Popped> first = co_await Pop(client, PopInOrder(30'000, 0, 3));
  EXPECT_EQ(first.size(), 3u);
  EXPECT_EQ((co_await Ask(client, AckOf(first[0]))).code, 0);
  EXPECT_EQ((co_await Ask(client, AckOf(first[2]))).code, 0);
}
core::Task<void> After(Broker&, net::Client& client) {
  EXPECT_TRUE((co_await Pop(client, PopInOrder(1'000))).empty());
  const std::vector<Popped> second = co_await Pop(client, PopInOrder(30'000, 40'000, 3));
  EXPECT_EQ(second.size(), 2u) << "the third is done, though one in front of it is not";
  if (second.size() != 2) co_return;
  EXPECT_EQ(second[0].body, "m0.1");
  EXPECT_EQ(second[1].body, "m0.3");
  for (const Popped& one : second) EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  net::QueryConsumerOffsetRequest query;
  query.consumer_group = "poppers";
  query.topic = kTopic;
  query.queue_id = 0;
  EXPECT_EQ((co_await Ask(client, query)).Number("offset"), 4);
}
core::Task<absl::Status> RestartMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), Before));
  co_return co_await RunScenario(TestConfig(), After);
}
TEST(PopOrderedTest, ARestartForgetsNothing) {
  const absl::Status status = sim::RunInWorld(3, 2, RestartMain);
  EXPECT_TRUE(status.ok()) << status;
}

// A power cut under ASYNC_FLUSH takes messages with it that were in flight. Seed 755 of PopCrashTest.PowerCutAsync: those that were left had been acknowledged, and the group stayed in front of
// them until somebody popped something later.
core::Task<void> LoseTheOpenEnd(Broker& broker, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 2);
  const core::ShardId owner = broker.shards().local().placement().OwnerOf(kTopic, 0);
  const bool written = co_await core::InvokeOn(
      owner,
      [](BrokerShard* there) -> core::Task<bool> {
        std::vector<store::MetaChange> rows;
        rows.push_back({store::MetaTable::kPopOrders, core::StrCat("poppers", std::string_view("\0", 1), kTopic, std::string_view("\0", 1), 0),
                        "1000 0:1:0:0,1:1:0:0,2:0:9000000000000:0 "});
        co_return (co_await there->meta().Commit(std::move(rows))).ok();
      },
      broker.shards().at(owner));
  EXPECT_TRUE(written);
}
core::Task<void> GoesOn(Broker& broker, net::Client& client) {
  net::QueryConsumerOffsetRequest query;
  query.consumer_group = "poppers";
  query.topic = kTopic;
  query.queue_id = 0;
  EXPECT_EQ((co_await Ask(client, query)).Number("offset"), 2);
  size_t rows = 0;
  for (uint32_t shard = 0; shard < broker.shards().size(); ++shard) {
    rows += co_await core::InvokeOn(
        core::ShardId(shard), [](BrokerShard* there) { return there->meta().All(store::MetaTable::kPopOrders).size(); }, broker.shards().at(core::ShardId(shard)));
  }
  EXPECT_EQ(rows, 0u);
}
core::Task<absl::Status> LostEndMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), LoseTheOpenEnd));
  co_return co_await RunScenario(TestConfig(), GoesOn);
}
TEST(PopOrderedTest, TheGroupGoesOnWhenAllThatWasOpenIsLost) {
  const absl::Status status = sim::RunInWorld(3, 2, LostEndMain);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
