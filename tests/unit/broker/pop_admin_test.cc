// What surrounds pops: notifications, looks without taking, who waits, resets of offsets, deleted topics and groups, and who is told which queues to consume how.
#include <set>
#include <string>
#include <vector>

#include "broker/pop/allocate.h"
#include "broker/pop/notification.h"
#include "core/scope.h"
#include "net/json.h"
#include "net/requests/group_admin.h"
#include "net/requests/group_forbidden.h"
#include "net/requests/topic_admin.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/pop_fixture.h"

namespace broker::testing {
namespace {

constexpr std::string_view kTopic = "T";

net::NotificationRequest NotifyOf(int64_t poll_ms) {
  net::NotificationRequest request;
  request.consumer_group = "poppers";
  request.topic = kTopic;
  request.queue_id = -1;
  request.poll_time = poll_ms;
  request.born_time = core::Reactor::Current().wall_now();
  return request;
}

core::Task<void> Notified(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 4, 1);
  Answer told = co_await Ask(client, NotifyOf(0));
  EXPECT_EQ(told.fields["hasMsg"], "true");
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 2'000))).size(), 4u);
  told = co_await Ask(client, NotifyOf(0));
  EXPECT_EQ(told.fields["hasMsg"], "false");
  const core::MonoTime begin = core::Reactor::Current().now();
  told = co_await Ask(client, NotifyOf(1'000));
  EXPECT_EQ(told.fields["hasMsg"], "false");
  EXPECT_GE(core::Reactor::Current().now() - begin, absl::Milliseconds(900));
  // Until they come again.
  told = co_await Ask(client, NotifyOf(10'000));
  EXPECT_EQ(told.fields["hasMsg"], "true");
  EXPECT_LE(core::Reactor::Current().now() - begin, absl::Milliseconds(2'100));
  EXPECT_FALSE((co_await Pop(client, PopFrom(kTopic, 60'000))).empty()) << "nothing was taken by that";
}
TEST(PopAdminTest, NotificationsTellAndTakeNothing) { WithBroker(Notified); }

core::Task<void> Peeked(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 4, 2);
  net::PeekMessageRequest peek;
  peek.consumer_group = "poppers";
  peek.topic = kTopic;
  peek.queue_id = -1;
  peek.max_msg_nums = 5;
  for (int i = 0; i < 2; ++i) {
    const Answer answer = co_await Ask(client, peek);
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(RecordsOf(answer.body).size(), 5u);
    EXPECT_EQ(answer.Number("restNum"), 8);
  }
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 60'000))).size(), 8u);
  EXPECT_EQ((co_await Ask(client, peek)).code, 19);
}
TEST(PopAdminTest, PeekingLeavesThemWhereTheyAre) { WithBroker(Peeked); }

core::Task<void> Polling(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 1);
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 600'000))).size(), 1u);
  std::unique_ptr<net::Client> other = co_await Connect();
  core::Scope pops;
  const auto pop = [](net::Client* with) -> core::Task<void> {
    (void)co_await Pop(*with, PopFrom(kTopic, 60'000, 10'000));
  };
  for (int i = 0; i < 3; ++i) pops.Spawn(pop(other.get()));
  co_await core::Sleep(absl::Seconds(1));
  net::PollingInfoRequest info;
  info.consumer_group = "poppers";
  info.topic = kTopic;
  info.queue_id = -1;
  EXPECT_EQ((co_await Ask(client, info)).Number("pollingNum"), 3);
  co_await pops.Join();
  EXPECT_EQ((co_await Ask(client, info)).Number("pollingNum"), 0);
  co_await other->Close();
}
TEST(PopAdminTest, ThoseWhoWaitAreCounted) { WithBroker(Polling); }

BrokerConfig FewWait() {
  BrokerConfig config = TestConfig();
  config.pop_polling_size = 2;
  config.pop_messages_max = 3;
  return config;
}

core::Task<void> TooMany(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 10);
  net::PopMessageRequest request = PopFrom(kTopic, 5'000);
  request.max_msg_nums = 2;
  EXPECT_EQ((co_await Pop(client, request)).size(), 2u);
  const std::vector<Popped> more = co_await Pop(client, request);
  EXPECT_EQ(more.size(), 2u) << "three are not yet in flight";
  EXPECT_TRUE((co_await Pop(client, request)).empty()) << "four are";
  std::unique_ptr<net::Client> other = co_await Connect();
  core::Scope pops;
  const auto pop = [](net::Client* with) -> core::Task<void> {
    (void)co_await Pop(*with, PopFrom(kTopic, 60'000, 2'000));
  };
  for (int i = 0; i < 2; ++i) pops.Spawn(pop(other.get()));
  co_await core::Sleep(absl::Milliseconds(500));
  EXPECT_EQ((co_await Ask(client, PopFrom(kTopic, 60'000, 2'000))).code, 209) << "two wait already";
  co_await pops.Join();
  for (const Popped& one : more) EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  request.born_time = core::Reactor::Current().wall_now();
  EXPECT_EQ((co_await Pop(client, request)).size(), 2u);
  co_await other->Close();
}
TEST(PopAdminTest, WhatIsTooMuchWaits) { WithBroker(TooMany, FewWait()); }

core::Task<void> Reset(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 4, 2);
  const std::vector<Popped> first = co_await Pop(client, PopFrom(kTopic, 5'000));
  EXPECT_EQ(first.size(), 8u);
  net::InvokeBrokerToResetOffsetRequest reset;
  reset.group = "poppers";
  reset.topic = kTopic;
  reset.timestamp = 0;
  reset.is_force = true;
  EXPECT_EQ((co_await Ask(client, reset)).code, 0);
  EXPECT_EQ((co_await Ask(client, ChangeOf(first[0], 1'000))).code, 208) << "it is in flight no more";
  const std::vector<Popped> second = co_await Pop(client, PopFrom(kTopic, 60'000));
  EXPECT_EQ(second.size(), 8u);
  for (const Popped& one : second) EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 60'000, 10'000))).empty())
      << "what was popped before the reset came again";
}
TEST(PopAdminTest, AResetClearsWhatIsInFlight) { WithBroker(Administrator<Reset>); }

core::Task<void> Deleted(Broker& broker, net::Client& client) {
  const CatalogView& catalog = broker.shards().local().catalog_view();
  co_await SendMany(client, kTopic, 4, 2);
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 2'000))).size(), 8u);
  co_await core::Sleep(absl::Seconds(3));
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 2'000))).size(), 8u);
  EXPECT_NE(catalog->FindTopic("%RETRY%poppers_T"), nullptr);
  net::DeleteTopicInBrokerRequest remove;
  remove.topic = kTopic;
  EXPECT_EQ((co_await Ask(client, remove)).code, 0);
  EXPECT_EQ(catalog->FindTopic("%RETRY%poppers_T"), nullptr);
  co_await SendMany(client, kTopic, 4, 1, "new");
  const std::vector<Popped> fresh = co_await Pop(client, PopFrom(kTopic, 2'000));
  EXPECT_EQ(fresh.size(), 4u);
  for (const Popped& one : fresh) EXPECT_TRUE(one.body.starts_with("new")) << one.body;
  net::DeleteSubscriptionGroupRequest group;
  group.group_name = "poppers";
  group.clean_offset = true;
  EXPECT_EQ((co_await Ask(client, group)).code, 0);
  co_await core::Sleep(absl::Seconds(5));
  EXPECT_EQ(catalog->FindTopic("%RETRY%poppers_T"), nullptr) << "something came again to a group that was deleted";
}
TEST(PopAdminTest, WithATopicOrAGroupGoesWhatIsInFlight) { WithBroker(Administrator<Deleted>); }

core::Task<void> Forbidden(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 1);
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 60'000))).size(), 1u);
  std::unique_ptr<net::Client> other = co_await Connect();
  core::Scope pops;
  Answer held;
  const auto pop = [](net::Client* with, Answer* into) -> core::Task<void> { *into = co_await Ask(*with, PopFrom(kTopic, 60'000, 20'000)); };
  pops.Spawn(pop(other.get(), &held));
  co_await core::Sleep(absl::Seconds(1));
  net::UpdateAndGetGroupForbiddenRequest forbid;
  forbid.group = "poppers";
  forbid.topic = kTopic;
  forbid.readable = false;
  EXPECT_EQ((co_await Ask(client, forbid)).code, 0);
  const core::MonoTime begin = core::Reactor::Current().now();
  co_await pops.Join();
  EXPECT_LE(core::Reactor::Current().now() - begin, absl::Milliseconds(100));
  EXPECT_EQ(held.code, 16) << held.remark;
  EXPECT_EQ((co_await Ask(client, PopFrom(kTopic, 60'000))).code, 16);
  co_await other->Close();
}
TEST(PopAdminTest, AGroupThatIsForbiddenATopicPopsNothing) { WithBroker(Administrator<Forbidden>); }

core::Task<void> Modes(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 4, 1);
  net::SetMessageRequestModeRequest set;
  const auto body = [](std::string_view topic, std::string_view mode, int share) {
    return core::StrCat(R"({"consumerGroup":"poppers","mode":")", mode, R"(","popShareQueueNum":)", share,
                        R"(,"topic":")", topic, R"("})");
  };
  EXPECT_EQ((co_await Ask(client, set, body("%RETRY%poppers", "POP", 0))).code, 16);
  EXPECT_EQ((co_await Ask(client, set, body("Nowhere", "POP", 0))).code, 17);
  EXPECT_EQ((co_await Ask(client, set, body(kTopic, "PUSH", 0))).code, 29);
  EXPECT_EQ((co_await Ask(client, set, "")).code, 1);
  const std::string heartbeat =
      R"({"clientID":"c1","consumerDataSet":[{"groupName":"poppers","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",)"
      R"("consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"T","subString":"*","tagsSet":[],)"
      R"("codeSet":[],"subVersion":1,"expressionType":"TAG"}]}],"producerDataSet":[]})";
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, heartbeat)).code, 0);
  const std::string query =
      R"({"topic":"T","consumerGroup":"poppers","clientId":"c1","strategyName":"AVG","messageModel":"CLUSTERING"})";
  Answer answer = co_await Ask(client, net::QueryAssignmentRequest{}, query);
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.body.find(R"({"messageQueue":{"brokerName":"broker-a","queueId":3,"topic":"T"},"mode":"PULL"})"),
            std::string::npos)
      << answer.body;
  EXPECT_EQ((co_await Ask(client, set, body(kTopic, "POP", 0))).code, 0);
  answer = co_await Ask(client, net::QueryAssignmentRequest{}, query);
  EXPECT_EQ(
      answer.body,
      R"({"messageQueueAssignments":[{"messageQueue":{"brokerName":"broker-a","queueId":-1,"topic":"T"},"mode":"POP"}]})");
  answer = co_await Ask(
      client, net::QueryAssignmentRequest{},
      R"({"topic":"T","consumerGroup":"poppers","clientId":"c1","strategyName":"MINE","messageModel":"CLUSTERING"})");
  EXPECT_EQ(answer.code, 0);
  answer = co_await Ask(
      client, net::QueryAssignmentRequest{},
      R"({"topic":"Nowhere","consumerGroup":"poppers","clientId":"c1","strategyName":"AVG","messageModel":"CLUSTERING"})");
  EXPECT_EQ(answer.body, "{}") << "nothing to say: the client keeps what it has";
  answer = co_await Ask(client, net::GetAllMessageRequestModeRequest{});
  EXPECT_EQ(
      answer.body,
      R"({"messageRequestModeMap":{"T":{"poppers":{"consumerGroup":"poppers","mode":"POP","popShareQueueNum":0,"topic":"T"}}}})");
  net::DeleteTopicInBrokerRequest remove;
  remove.topic = kTopic;
  EXPECT_EQ((co_await Ask(client, remove)).code, 0);
  answer = co_await Ask(client, net::GetAllMessageRequestModeRequest{});
  EXPECT_EQ(answer.body, R"({"messageRequestModeMap":{}})");
}
TEST(PopAdminTest, GroupsAreToldToPop) { WithBroker(Administrator<Modes>); }

std::vector<ClusterQueue> Queues(int brokers, int each) {
  std::vector<ClusterQueue> queues;
  for (int broker = 0; broker < brokers; ++broker) {
    for (int id = 0; id < each; ++id) queues.push_back({"T", core::StrCat("b", broker), id});
  }
  return queues;
}

TEST(AllocateTest, EachQueueHasOneMember) {
  for (const char* strategy : {"AVG", "AVG_BY_CIRCLE"}) {
    for (int count = 1; count <= 12; ++count) {
      std::vector<std::string> clients;
      for (int i = 0; i < count; ++i) clients.push_back(core::StrCat("c", 10 + i));
      const std::vector<ClusterQueue> queues = Queues(2, 4);
      std::multiset<ClusterQueue> all;
      for (const std::string& client : clients) {
        const auto mine = AllocateQueues(strategy, client, queues, clients);
        ASSERT_TRUE(mine.has_value());
        EXPECT_LE(mine->size(), (queues.size() + clients.size() - 1) / clients.size());
        all.insert(mine->begin(), mine->end());
      }
      EXPECT_EQ(all, std::multiset<ClusterQueue>(queues.begin(), queues.end())) << strategy << " " << count;
    }
  }
}

TEST(AllocateTest, AsTheJavaClientDoes) {
  const std::vector<std::string> clients = {"a", "b", "c"};
  const std::vector<ClusterQueue> queues = Queues(1, 8);
  // AllocateMessageQueueAveragely of 8 over 3: 3, 3, 2.
  EXPECT_EQ(AllocateQueues("AVG", "a", queues, clients), std::vector<ClusterQueue>(queues.begin(), queues.begin() + 3));
  EXPECT_EQ(AllocateQueues("AVG", "c", queues, clients), std::vector<ClusterQueue>(queues.begin() + 6, queues.end()));
  EXPECT_EQ(AllocateQueues("AVG_BY_CIRCLE", "c", queues, clients), (std::vector<ClusterQueue>{queues[2], queues[5]}));
  EXPECT_EQ(AllocateQueues("AVG", "z", queues, clients), std::vector<ClusterQueue>());
  EXPECT_EQ(AllocateQueues("MACHINE_ROOM_NEARBY", "a", queues, clients), std::nullopt);
}

TEST(AllocateTest, PopsShareQueues) {
  const std::vector<std::string> clients = {"a", "b", "c", "d"};
  const std::vector<ClusterQueue> queues = Queues(2, 2);
  const std::vector<ClusterQueue> any = {{"T", "b0", -1}, {"T", "b1", -1}};
  for (const int share : {-1, 0, 3, 100})
    EXPECT_EQ(AllocateQueuesForPop("AVG", "a", queues, clients, share), any) << share;
  EXPECT_EQ(AllocateQueuesForPop("AVG", "d", queues, clients, 1), (std::vector<ClusterQueue>{queues[0], queues[3]}));
  EXPECT_EQ(AllocateQueuesForPop("AVG", "d", std::span(queues).first(2), clients, 1),
            std::vector<ClusterQueue>{queues[1]})
      << "more members than queues";
  EXPECT_EQ(AllocateQueuesForPop("AVG", "z", queues, clients, 1), std::vector<ClusterQueue>());
}

}  // namespace
}  // namespace broker::testing
