#include "broker/group_forbidden.h"

#include <string>

#include "core/scope.h"
#include "core/sync.h"
#include "net/requests/group_admin.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"

// A group that may not pull a topic: what its pulls are told, and what keeps it so.

namespace broker::testing {
namespace {

net::UpdateAndGetGroupForbiddenRequest Ask353(std::optional<bool> readable, std::string_view topic = "Topic1") {
  net::UpdateAndGetGroupForbiddenRequest request;
  request.group = "consumers";
  request.topic = topic;
  request.readable = readable;
  return request;
}

core::Task<void> Prepare(net::Client& client) {
  for (const char* topic : {"Topic1", "Topic2"}) {
    for (int32_t queue = 0; queue < 4; ++queue) EXPECT_EQ((co_await Ask(client, SendTo(topic, queue), "body")).code, 0);
  }
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 0, 0))).code, 0);  // which makes the group
}

core::Task<void> Forbid(Broker&, net::Client& client) {
  co_await Prepare(client);
  EXPECT_EQ((co_await Ask(client, Ask353(std::nullopt))).body,
            R"({"group":"consumers","readable":true,"topic":"Topic1"})");
  EXPECT_EQ((co_await Ask(client, Ask353(false))).body, R"({"group":"consumers","readable":false,"topic":"Topic1"})");
  EXPECT_EQ((co_await Ask(client, Ask353(std::nullopt))).body,
            R"({"group":"consumers","readable":false,"topic":"Topic1"})");
  const Answer refused = co_await Ask(client, PullFrom("Topic1", 1, 0));
  EXPECT_EQ(refused.code, 16);
  EXPECT_EQ(refused.Number("forbiddenType"), 5);
  EXPECT_EQ(refused.remark, "the consumer group[consumers] is forbidden for topic[Topic1]");
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic2", 1, 0))).code, 0) << "another topic";
  net::PullMessageRequest other = PullFrom("Topic1", 1, 0);
  other.consumer_group = "others";
  EXPECT_EQ((co_await Ask(client, other)).code, 0) << "another group";

  // An update of the group, as tools make it, allows nothing.
  EXPECT_EQ((co_await Ask(client, net::UpdateAndCreateSubscriptionGroupRequest{},
                          R"({"groupName":"consumers","retryMaxTimes":3})"))
                .code,
            0);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 1, 0))).code, 16);
  EXPECT_EQ((co_await Ask(client, Ask353(false, "Topic2"))).code, 0);
  const std::string all = (co_await Ask(client, net::GetAllSubscriptionGroupConfigRequest{})).body;
  EXPECT_NE(all.find(R"("forbiddenTable":{"consumers":{"Topic1":4,"Topic2":4}})"), std::string::npos) << all;

  EXPECT_EQ((co_await Ask(client, Ask353(true, "Topic2"))).body,
            R"({"group":"consumers","readable":true,"topic":"Topic2"})");
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic2", 1, 0))).code, 0);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 1, 0))).code, 16) << "allowed along with another topic";
  EXPECT_EQ((co_await Ask(client, Ask353(true))).code, 0);
  EXPECT_EQ((co_await Ask(client, PullFrom("Topic1", 1, 0))).code, 0);

  EXPECT_EQ((co_await Ask(client, Ask353(false, "Nowhere"))).code, 17);
  net::UpdateAndGetGroupForbiddenRequest nobody = Ask353(false);
  nobody.group = "nobody";
  EXPECT_EQ((co_await Ask(client, nobody)).code, 26);
  nobody.readable.reset();
  EXPECT_EQ((co_await Ask(client, nobody)).code, 26);
}
TEST(GroupForbiddenTest, AForbiddenTopicIsRefusedUntilItIsAllowedAgain) { WithBroker(Administrator<Forbid>); }

struct HeldPull {
  Answer answer;
  bool done = false;
};

core::Task<void> PullInto(net::Client& client, net::PullMessageRequest request, HeldPull& held) {
  held.answer = co_await Ask(client, request);
  held.done = true;
}

core::Task<void> Held(Broker&, net::Client& client) {
  co_await Prepare(client);
  std::unique_ptr<net::Client> consumer = co_await Connect();
  HeldPull held[4];
  core::Scope scope;
  for (int32_t queue = 0; queue < 4; ++queue) {
    net::PullMessageRequest request = PullFrom("Topic1", queue, 1);
    request.sys_flag |= 2;
    request.suspend_timeout_millis = 20'000;
    scope.Spawn(PullInto(*consumer, request, held[queue]));
  }
  co_await core::Sleep(absl::Seconds(1));
  EXPECT_EQ((co_await Ask(client, Ask353(false))).code, 0);
  co_await core::Sleep(absl::Milliseconds(100));
  for (const HeldPull& one : held) {
    EXPECT_TRUE(one.done) << "it still waits for what it may not have";
    EXPECT_EQ(one.answer.code, 19) << one.answer.remark;
  }
  co_await scope.Join();
  co_await consumer->Close();
}
TEST(GroupForbiddenTest, APullThatIsHeldEnds) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Administrator<Held>, TestConfig(), seed);
}

core::Task<absl::Status> AcrossARestart() {
  for (const bool first : {true, false}) {
    absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(TestConfig());
    if (!broker.ok()) co_return broker.status();
    std::unique_ptr<net::Client> client = co_await ConnectHere();
    if (first) {
      co_await Prepare(*client);
      EXPECT_EQ((co_await Ask(*client, Ask353(false))).code, 0);
    } else {
      EXPECT_EQ((co_await Ask(*client, PullFrom("Topic1", 0, 0))).code, 16);
      EXPECT_EQ((co_await Ask(*client, PullFrom("Topic2", 0, 0))).code, 0);
    }
    co_await client->Close();
    const absl::Status stopped = co_await (*broker)->Stop();
    if (!stopped.ok()) co_return stopped;
  }
  co_return absl::OkStatus();
}
TEST(GroupForbiddenTest, ItIsKeptOverARestart) {
  const absl::Status status = sim::RunInWorld(1, 2, [] { return AcrossARestart(); });
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
