// Goal: what a broker finds when it starts again agrees with itself, whatever the machine has lost.
#include <string>
#include <vector>

#include "core/file.h"
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

core::Task<void> StoreSome(Broker&, net::Client& client) { co_await Store(client, 0, 3); }

// Catches a folder of metadata that did not come up and passes for a new one: topics, offsets that were given out and consumers' offsets would be forgotten.
core::Task<absl::Status> MetadataGoneMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), StoreSome));
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> files, co_await core::fs::List("/data/meta-0"));
  for (const core::DirectoryEntry& file : files) CO_RETURN_IF_ERROR(co_await core::fs::Remove("/data/meta-0/" + file.name));
  const absl::Status started = co_await RunScenario(TestConfig(), StoreSome);
  EXPECT_TRUE(absl::IsDataLoss(started)) << started;
  EXPECT_NE(started.message().find("/data/meta-0/meta.log is gone"), absl::string_view::npos) << started;
  co_return absl::OkStatus();
}

TEST(RestartTest, AStartWithoutMetadataIsRefused) {
  const absl::Status status = sim::RunInWorld(3, 2, MetadataGoneMain);
  EXPECT_TRUE(status.ok()) << status;
}

// What a version that gave names of topics free too early has left: the deletion of a topic that is there again.
core::Task<void> SendToT(Broker& broker, net::Client& client) {
  co_await Store(client, 0, 3);
  co_await Store(client, 1, 3);
  std::vector<store::MetaChange> changes;
  changes.push_back({store::MetaTable::kDeletedTopics, "T", std::string()});
  EXPECT_TRUE((co_await broker.shards().local().meta().Commit(std::move(changes))).ok());
}
core::Task<void> ExpectT(Broker& broker, net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) EXPECT_EQ(RecordsOf((co_await Ask(client, PullFrom("T", queue, 0))).body).size(), 3u);
  EXPECT_TRUE(broker.shards().local().meta().All(store::MetaTable::kDeletedTopics).empty());
}
core::Task<absl::Status> MadeAnewMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), SendToT));
  co_return co_await RunScenario(TestConfig(), ExpectT);
}

TEST(RestartTest, ATopicThatWasMadeAnewKeepsItsMessages) {
  const absl::Status status = sim::RunInWorld(3, 2, MadeAnewMain);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(RestartTest, NoConsumerSkipsWhatIsStoredAfterAPowerCut) {
  const absl::Status status = sim::RunInWorld(3, 2, OffsetsMain);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
