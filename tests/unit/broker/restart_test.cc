// Goal: what a broker finds when it starts again agrees with itself, whatever the machine has lost.
#include <string>

#include "core/sim/world.h"
#include "core/status.h"
#include "net/requests/offsets.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {
namespace {

net::QueryConsumerOffsetRequest QueryOf(int32_t queue) {
  net::QueryConsumerOffsetRequest request;
  request.consumer_group = "consumers";
  request.topic = "T";
  request.queue_id = queue;
  return request;
}

core::Task<void> Store(net::Client& client, int32_t queue, int messages) {
  for (int i = 0; i < messages; ++i) {
    const Answer sent = co_await Ask(client, SendTo("T", queue), "body");
    EXPECT_EQ(sent.code, 0) << sent.remark;
  }
}

// What a power cut leaves that takes messages and not the offsets behind them: metadata and log are flushed by themselves.
core::Task<void> CommitBeyondTheEnd(Broker&, net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) {  // one on each shard
    co_await Store(client, queue, 3);
    co_await Ask(client, PullFrom("T", queue, 0));  // makes the group
    net::UpdateConsumerOffsetRequest commit;
    commit.consumer_group = "consumers";
    commit.topic = "T";
    commit.queue_id = queue;
    commit.commit_offset = queue == 0 ? 5 : 2;
    const Answer committed = co_await Ask(client, commit);
    EXPECT_EQ(committed.code, 0) << committed.remark;
  }
}

// Twice: the second time the queue has grown beyond what was once committed.
core::Task<void> ExpectTheEnd(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, QueryOf(0))).Number("offset"), 3);
  EXPECT_EQ((co_await Ask(client, QueryOf(1))).Number("offset"), 2);
  co_await Store(client, 0, 4);
}

core::Task<absl::Status> OffsetsMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), CommitBeyondTheEnd));
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), ExpectTheEnd));
  co_return co_await RunScenario(TestConfig(), ExpectTheEnd);
}

TEST(RestartTest, NoConsumerSkipsWhatIsStoredAfterAPowerCut) {
  const absl::Status status = sim::RunInWorld(3, 2, OffsetsMain);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
