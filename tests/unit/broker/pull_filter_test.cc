// SQL92 filters on their way: subscription, pull, held pull, and what a scan may cost.
#include <string>

#include "broker/pull.h"
#include "core/scope.h"
#include "core/strings.h"
#include "core/sync.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {
namespace {

core::Task<void> Send(net::Client& client, std::string_view topic, int32_t queue, std::string body,
                      std::string_view name = {}, std::string_view value = {}) {
  std::string properties;
  if (!name.empty()) AppendProperty(properties, name, value);
  const Answer sent = co_await Ask(client, SendTo(topic, queue, properties), std::move(body));
  EXPECT_EQ(sent.code, 0) << sent.remark;
}

net::PullMessageRequest SqlFrom(std::string_view topic, int32_t queue, int64_t offset, std::string_view expression) {
  net::PullMessageRequest request = PullFrom(topic, queue, offset, expression);
  request.expression_type = "SQL92";
  return request;
}

std::string BodiesOf(const Answer& answer) {
  std::string bodies;
  for (const store::RecordView& record : RecordsOf(answer.body)) bodies += BodyOf(record);
  return bodies;
}

std::string HeartbeatOf(std::string_view client_id, std::string_view expression, std::string_view group = "consumers") {
  return core::StrCat(
      R"({"clientID":")", client_id, R"(","consumerDataSet":[{"groupName":")", group,
      R"(","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET",)"
      R"("subscriptionDataSet":[{"topic":"Topic1","subString":")",
      expression, R"(","tagsSet":[],"codeSet":[],"subVersion":100,"expressionType":"SQL92"}]}],"producerDataSet":[]})");
}

net::PullMessageRequest Registered(int64_t offset = 0) {
  net::PullMessageRequest request = PullFrom("Topic1", 0, offset);
  request.sys_flag = 0;
  request.sub_version = 100;
  return request;
}

core::Task<void> OwnExpression(Broker&, net::Client& client) {
  for (int i = 0; i < 6; ++i) co_await Send(client, "Topic1", 0, std::to_string(i), "a", std::to_string(i));
  co_await Send(client, "Topic1", 0, "T", "TAGS", "TagA");
  EXPECT_EQ(BodiesOf(co_await Ask(client, SqlFrom("Topic1", 0, 0, "a BETWEEN 2 AND 4"))), "234");
  EXPECT_EQ(BodiesOf(co_await Ask(client, SqlFrom("Topic1", 0, 0, "TAGS is not null and TAGS in ('TagA')"))), "T");
  const Answer none = co_await Ask(client, SqlFrom("Topic1", 0, 0, "a > 10"));
  EXPECT_EQ(none.code, 20) << none.remark;
  EXPECT_EQ(none.Number("nextBeginOffset"), 7);
  net::PullMessageRequest two = SqlFrom("Topic1", 0, 0, "a <> 1");
  two.max_msg_nums = 2;
  const Answer some = co_await Ask(client, two);
  EXPECT_EQ(BodiesOf(some), "02");
  EXPECT_EQ(some.Number("nextBeginOffset"), 3);
  net::LitePullMessageRequest lite;
  static_cast<net::PullMessageRequest&>(lite) = SqlFrom("Topic1", 0, 0, "a = 5");
  EXPECT_EQ(BodiesOf(co_await Ask(client, lite)), "5");

  const Answer bad = co_await Ask(client, SqlFrom("Topic1", 0, 0, "a = 1 AMD a = 2"));
  EXPECT_EQ(bad.code, 23);
  EXPECT_EQ(bad.remark, "SQL92 expression, character 7: AND, OR or the end is expected, and not \"AMD\"");
  EXPECT_EQ((co_await Ask(client, SqlFrom("Topic1", 0, 0, ""))).code, 23);
  const std::string large(100'000, ' ');
  EXPECT_EQ((co_await Ask(client, SqlFrom("Topic1", 0, 0, large))).code, 23);
}
TEST(PullFilterTest, APullHasItsOwnExpression) { WithBroker(OwnExpression); }

core::Task<void> RegisteredExpressions(Broker&, net::Client& client) {
  for (int i = 0; i < 4; ++i) co_await Send(client, "Topic1", 0, std::to_string(i), "a", std::to_string(i));
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, HeartbeatOf("c1", "a < 2"))).code, 0);
  EXPECT_EQ(BodiesOf(co_await Ask(client, Registered())), "01");

  // Another member wants something else, and each gets what it asked for.
  std::unique_ptr<net::Client> other = co_await Connect();
  EXPECT_EQ((co_await Ask(*other, net::HeartBeatRequest{}, HeartbeatOf("c2", "a >= 2"))).code, 0);
  EXPECT_EQ(BodiesOf(co_await Ask(*other, Registered())), "23");
  EXPECT_EQ(BodiesOf(co_await Ask(client, Registered())), "01");
  co_await other->Close();
  co_await core::Sleep(absl::Seconds(1));

  // Through a connection that has announced nothing it is the group's.
  std::unique_ptr<net::Client> third = co_await Connect();
  EXPECT_EQ(BodiesOf(co_await Ask(*third, Registered())), "01");
  co_await third->Close();

  // It may change, also for the worse.
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, HeartbeatOf("c1", "a = 3"))).code, 0);
  EXPECT_EQ(BodiesOf(co_await Ask(client, Registered())), "3");
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, HeartbeatOf("c1", "a = "))).code, 0);
  const Answer bad = co_await Ask(client, Registered());
  EXPECT_EQ(bad.code, 27);
  EXPECT_NE(bad.remark.find("character 5"), std::string::npos) << bad.remark;
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, HeartbeatOf("c1", "a = 0"))).code, 0);
  EXPECT_EQ(BodiesOf(co_await Ask(client, Registered())), "0");
}
TEST(PullFilterTest, EachMemberIsFilteredByItsOwnExpression) { WithBroker(RegisteredExpressions); }

core::Task<Answer> Check(net::Client& client, std::string_view expression, std::string_view type = "SQL92") {
  return Ask(client, net::CheckClientConfigRequest{},
             core::StrCat(R"({"clientId":"c","group":"g","subscriptionData":{"topic":"T","subString":")", expression,
                          R"(","expressionType":")", type, R"("}})"));
}

core::Task<void> Checked(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Check(client, "a = 1")).code, 0);
  EXPECT_EQ((co_await Check(client, "anything", "TAG")).code, 0);
  EXPECT_EQ((co_await Check(client, "anything", "")).code, 0);
  EXPECT_EQ((co_await Check(client, "a = 1", "XPATH")).code, 1);
  const Answer bad = co_await Check(client, "a = 1 AND");
  EXPECT_EQ(bad.code, 23);
  EXPECT_EQ(bad.remark, "SQL92 expression, character 10: it ends where a property or a value is expected");
  const Answer large = co_await Check(client, std::string(size_t{1} << 20, 'a'));
  EXPECT_EQ(large.code, 23);
  EXPECT_EQ(large.remark, "the SQL92 expression has 1048576 bytes; at most 65536 are taken");
  EXPECT_EQ((co_await Check(client, "a = 1")).code, 0) << "as before";
}
TEST(PullFilterTest, AnExpressionIsCheckedWhenTheConsumerStarts) { WithBroker(Checked); }

core::Task<void> SwitchedOff(Broker&, net::Client& client) {
  co_await Send(client, "Topic1", 0, "x", "a", "1");
  const std::string remark = "The broker does not support consumer to filter message by SQL92";
  const Answer checked = co_await Check(client, "a = 1");
  EXPECT_EQ(checked.code, 1);
  EXPECT_EQ(checked.remark, remark);
  EXPECT_EQ((co_await Ask(client, SqlFrom("Topic1", 0, 0, "a = 1"))).remark, remark);
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, HeartbeatOf("c1", "a = 1"))).code, 0);
  EXPECT_EQ((co_await Ask(client, Registered())).remark, remark);
}
TEST(PullFilterTest, WithoutEnablePropertyFilterItIsRefused) {
  BrokerConfig config = TestConfig();
  config.enable_property_filter = false;
  WithBroker(SwitchedOff, config);
}

struct HeldPull {
  Answer answer;
  bool done = false;
};

core::Task<void> PullInto(net::Client& client, net::PullMessageRequest request, HeldPull& held) {
  held.answer = co_await Ask(client, request);
  held.done = true;
}

core::Task<void> Held(Broker&, net::Client& client) {
  co_await Send(client, "Topic1", 0, "old");
  std::unique_ptr<net::Client> sender = co_await Connect();
  for (int32_t queue = 0; queue < 4; ++queue) {  // queues of both shards
    net::PullMessageRequest request = SqlFrom("Topic1", queue, queue == 0 ? 1 : 0, "a > 5");
    request.sys_flag |= 2;
    request.suspend_timeout_millis = 15'000;
    HeldPull held;
    core::Scope scope;
    scope.Spawn(PullInto(client, request, held));
    co_await core::Sleep(absl::Seconds(1));
    for (const char* value : {"5", "x", "-1"}) {
      co_await Send(*sender, "Topic1", queue, "other", "a", value);
      co_await core::Sleep(absl::Seconds(1));
      EXPECT_FALSE(held.done) << "woken by " << value;
    }
    co_await Send(*sender, "Topic1", queue, "mine", "a", "6");
    co_await scope.Join();
    EXPECT_EQ(BodiesOf(held.answer), "mine");
  }
  co_await sender->Close();
}
TEST(PullFilterTest, AHeldPullIsWokenByWhatPassesOnly) { WithBroker(Held); }

/// Pulls from message `at` to `end`, none of which passes; returns how many pulls that took.
core::Task<int> PullsFrom(net::Client& client, std::string expression, int64_t at, int64_t end) {
  int pulls = 0;
  for (; at < end; ++pulls) {
    const Answer answer = co_await Ask(client, SqlFrom("Topic1", 0, at, expression));
    EXPECT_EQ(answer.code, 20) << answer.remark;
    const int64_t next = answer.Number("nextBeginOffset");
    EXPECT_GT(next, at);
    if (next <= at) break;
    at = next;
  }
  co_return pulls;
}

core::Task<void> Work(Broker&, net::Client& client) {
  for (int i = 0; i < 1700; ++i) co_await Send(client, "Topic1", 0, "x", "a", "1");
  EXPECT_EQ(co_await PullsFrom(client, "a > 1", 0, 1700), 3) << "800 messages at a time, as RocketMQ";
  std::string costly = "a CONTAINS '0'";
  for (int i = 1; i < 1300; ++i) costly += core::StrCat(" OR a CONTAINS '", i, "'");
  for (int i = 0; i < 4; ++i) co_await Send(client, "Topic1", 0, "x", "a", std::string(30'000, 'a'));
  EXPECT_EQ(co_await PullsFrom(client, costly, 1700, 1704), 4)
      << "30 kB under 1,300 comparisons are enough for one pull";
}
TEST(PullFilterTest, AScanEndsWhenItHasDoneItsShare) { WithBroker(Work); }

core::Task<void> FromDisk(Broker&, net::Client& client) {
  constexpr int kMessages = 300;  // 19 MiB: most of them are no longer in memory
  for (int i = 0; i < kMessages; ++i) {
    co_await Send(client, "Topic1", 0, std::string(65'000, 'b'), "a", i % 100 == 50 ? "1" : "0");
  }
  std::vector<int64_t> found;
  int pulls = 0;
  for (int64_t at = 0; at < kMessages; ++pulls) {
    const Answer answer = co_await Ask(client, SqlFrom("Topic1", 0, at, "a = 1"));
    EXPECT_TRUE(answer.code == 0 || answer.code == 20) << answer.remark;
    for (const store::RecordView& record : RecordsOf(answer.body)) found.push_back(record.queue_offset.value());
    if (answer.Number("nextBeginOffset") <= at) break;
    at = answer.Number("nextBeginOffset");
  }
  EXPECT_EQ(found, (std::vector<int64_t>{50, 150, 250}));
  EXPECT_GE(pulls, 4) << "4 MiB are read for one";
}
TEST(PullFilterTest, OldMessagesAreFilteredAsWell) { WithBroker(FromDisk); }

}  // namespace
}  // namespace broker::testing
