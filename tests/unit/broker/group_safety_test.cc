#include <map>
#include <string>

#include "core/metric_registry.h"
#include "net/requests/group_admin.h"
#include "net/requests/to_client.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/group_member.h"

// Members of one group that subscribe to different things: seen with the heartbeat that brings it about, counted, and said by what tools ask.

namespace broker::testing {
namespace {

core::Task<double> Metric(Broker& broker, std::string name) {
  const std::vector<core::MetricSource> sources = co_await broker.ReadMetrics();
  double sum = 0;
  for (const core::MetricSource& source : sources) {
    for (const core::MetricSample& sample : source.samples) {
      if (sample.name == name) sum += sample.value;
    }
  }
  co_return sum;
}

core::Task<std::string> Connections(net::Client& client) {
  net::GetConsumerConnectionListRequest request;
  request.consumer_group = "consumers";
  const Answer answer = co_await Ask(client, request);
  EXPECT_EQ(answer.code, 0) << answer.remark;
  co_return answer.body;
}

core::Task<std::string> Info(net::Client& client, std::string_view member) {
  net::GetConsumerRunningInfoRequest request;
  request.consumer_group = "consumers";
  request.client_id = member;
  const Answer answer = co_await Ask(client, request);
  EXPECT_EQ(answer.code, 0) << answer.remark;
  co_return answer.body;
}

constexpr const char* kNow = "ringmq_groups_with_unequal_subscriptions";
constexpr const char* kEver = "ringmq_unequal_subscriptions_total";

core::Task<void> Unequal(Broker& broker, net::Client& client) {
  for (const char* tag : {"A", "B"}) {
    std::string properties;
    AppendProperty(properties, "TAGS", tag);
    EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0, properties), tag)).code, 0);
  }
  Member first("");
  Member second("");
  co_await first.Join("c1", "A");
  EXPECT_EQ(co_await Metric(broker, kEver), 0);
  EXPECT_EQ((co_await Connections(client)).find("DIFFER"), std::string::npos);
  const std::string alone = co_await Info(client, "c1");
  EXPECT_EQ(alone.find("DIFFER"), std::string::npos) << alone;

  co_await second.Join("c2", "B");  // its heartbeat is answered: from now on it is known
  EXPECT_EQ(co_await Metric(broker, kNow), 1);
  EXPECT_EQ(co_await Metric(broker, kEver), 1);
  const std::string shown = co_await Connections(client);
  EXPECT_NE(shown.find("MEMBERS DIFFER, WHICH LOSES MESSAGES: 1 wants [A]: c1 ("), std::string::npos) << shown;
  EXPECT_NE(shown.find("; 1 wants [B]: c2 ("), std::string::npos) << shown;
  const std::string info = co_await Info(client, "c2");
  EXPECT_EQ(info.find(R"({"jstack":"\"properties\":{","properties":{"SUBSCRIPTIONS_DIFFER":"members of this group differ)"), 0u) << info;
  EXPECT_NE(info.find(R"(","PROP":"1"},"subscriptionSet":[]})"), std::string::npos) << info;

  // Each member's pull is filtered by its own expression.
  net::PullMessageRequest pull = PullFrom("Topic1", 0, 0);
  pull.sys_flag = 0;
  for (Member* member : {&first, &second}) {
    const Answer pulled = co_await Ask(member->client(), pull);  // what the records point into
    const std::vector<store::RecordView> records = RecordsOf(pulled.body);
    EXPECT_EQ(records.size(), 1u);
    if (!records.empty()) EXPECT_EQ(BodyOf(records[0]), member == &first ? "A" : "B");
  }

  for (int i = 0; i < 3; ++i) co_await second.Beat("c2", "B");
  EXPECT_EQ(co_await Metric(broker, kEver), 1) << "the same again is no change";
  co_await second.Beat("c2", "C");
  EXPECT_EQ(co_await Metric(broker, kEver), 2);
  co_await second.Beat("c2", "A");
  EXPECT_EQ(co_await Metric(broker, kNow), 0);
  EXPECT_EQ((co_await Connections(client)).find("DIFFER"), std::string::npos);
  co_await second.Beat("c2", "B");
  EXPECT_EQ(co_await Metric(broker, kNow), 1);
  co_await second.Leave();
  co_await core::Sleep(absl::Seconds(1));
  EXPECT_EQ(co_await Metric(broker, kNow), 0) << "who is gone differs no more";
  EXPECT_EQ(co_await Metric(broker, kEver), 3);
  co_await first.Leave();
}
TEST(GroupSafetyTest, UnequalSubscriptionsAreSeenCountedAndShown) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Administrator<Unequal>, TestConfig(), seed);
}

}  // namespace
}  // namespace broker::testing
