#include <string>

#include "net/requests/group_admin.h"
#include "net/requests/to_client.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/group_member.h"

// What tools ask of the members of a group: the broker asks them and passes their answers on.

namespace broker::testing {
namespace {

net::InvokeBrokerToGetConsumerStatusRequest StatusOf(std::string_view client = {}) {
  net::InvokeBrokerToGetConsumerStatusRequest request;
  request.topic = "Topic1";
  request.group = "consumers";
  request.client_addr = client;
  return request;
}

core::Task<void> Status(Broker& broker, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0), "body")).code, 0);
  Answer answer = co_await Ask(client, StatusOf());
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.remark.find("consumers"), std::string::npos);
  // The key of a table of queues is an object in Java's JSON; others may write it as text.
  Member first(R"({"messageQueueTable":{{"brokerName":"other","queueId":1,"topic":"Topic1"}:7,{"brokerName":"other","queueId":0,"topic":"Topic1"}:5}})");
  Member second(R"({"messageQueueTable":{"{\"brokerName\":\"x\",\"queueId\":2,\"topic\":\"Topic1\"}":"9","nonsense":1}})");
  Member silent("");
  Member broken("no JSON at all");
  co_await first.Join("c1", "*");
  co_await second.Join("c2", "*");
  co_await silent.Join("c3", "*");
  co_await broken.Join("c4", "*");
  answer = co_await Ask(client, StatusOf());
  EXPECT_EQ(answer.code, 0) << answer.remark;
  const std::string of_first = R"("c1":{{"brokerName":"other","queueId":1,"topic":"Topic1"}:7,{"brokerName":"other","queueId":0,"topic":"Topic1"}:5})";
  const std::string of_second = R"("c2":{{"brokerName":")" + broker.shards().local().config().broker_name + R"(","queueId":2,"topic":"Topic1"}:9})";
  EXPECT_EQ(answer.body, R"({"consumerTable":{)" + of_first + "," + of_second + "}}");
  EXPECT_EQ((co_await Ask(client, StatusOf("c1"))).body, R"({"consumerTable":{)" + of_first + "}}");
  EXPECT_EQ((co_await Ask(client, StatusOf("c9"))).code, 1);
  co_await first.Leave();
  co_await second.Leave();
  co_await silent.Leave();
  co_await broken.Leave();
}
TEST(ConsumerStatusTest, EachMemberSaysHowFarItIs) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Administrator<Status>, TestConfig(), seed);
}

core::Task<void> Directly(Broker& broker, net::Client& client) {
  const Answer sent = co_await Ask(client, SendTo("Topic1", 1), "consume me");
  EXPECT_EQ(sent.code, 0);
  const std::string id = sent.fields.at("msgId");
  net::ConsumeMessageDirectlyRequest request;
  request.consumer_group = "consumers";
  request.client_id = "c1";
  request.msg_id = id;
  request.topic = "Topic1";
  EXPECT_EQ((co_await Ask(client, request)).code, 1) << "nobody is online";
  Member member("");
  co_await member.Join("c1", "*");
  const Answer answer = co_await Ask(client, request);
  EXPECT_EQ(answer.code, 0) << answer.remark;
  EXPECT_EQ(answer.remark, "done");
  EXPECT_EQ(answer.body, R"({"consumeResult":"CR_SUCCESS"})");
  const std::vector<store::RecordView> records = RecordsOf(member.consumed);
  EXPECT_EQ(records.size(), 1u);
  if (!records.empty()) EXPECT_EQ(BodyOf(records[0]), "consume me");
  EXPECT_EQ(member.told, broker.shards().local().config().broker_name + "/0/0");

  std::string beyond = id;
  beyond.back() = beyond.back() == '0' ? '1' : '0';  // inside the record
  for (const std::string& wrong : {beyond, std::string(32, 'F'), std::string("nonsense"), std::string()}) {
    member.consumed.clear();
    request.msg_id = wrong;
    const Answer refused = co_await Ask(client, request);
    EXPECT_EQ(refused.code, 1) << wrong;
    EXPECT_NE(refused.remark, "");
    EXPECT_EQ(member.consumed, "") << wrong;
  }
  request.msg_id = id;
  request.client_id = "c2";
  EXPECT_EQ((co_await Ask(client, request)).remark, "The Consumer <consumers> <c2> not online");
  request.client_id.reset();
  EXPECT_EQ((co_await Ask(client, request)).code, 1);
  co_await member.Leave();
}
TEST(ConsumeDirectlyTest, OneMemberConsumesOneMessage) { WithBroker(Administrator<Directly>); }

}  // namespace
}  // namespace broker::testing
