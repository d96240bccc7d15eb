// Goal: what is done for all queues of a segment at once - noted, indexed, let go, deleted - is done in slices, and is whole although queues go meanwhile.
// Method: more queues in a segment than three slices, on a simulated machine; while it is sealed, one topic after the other is dropped.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "store/queue.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr int kQueues = 4000;  // of the topic that stays
constexpr int kTopics = 100;   // that are dropped
constexpr int kRounds = 3;

std::string DroppedTopic(int queue) { return absl::StrCat("dropped", queue % kTopics); }

std::string BodyOf(int queue, int round) { return absl::StrCat(queue, "/", round, std::string(20, '.')); }

StoreOptions ManyOptions() {
  StoreOptions options = SmallOptions();
  options.segment_bytes = uint64_t{1} << 20;
  options.reserved_time = absl::Hours(1);
  options.delete_when_hours = {};
  return options;
}

/// One message to each queue from `first` up to `last`, with one of a topic to be dropped beside each: their queues lie in turn everywhere.
core::Task<absl::Status> FillQueues(ShardStore& store, int round, int first, int last, bool both) {
  for (int queue = first; queue < last; ++queue) {
    CO_RETURN_IF_ERROR((co_await AppendOne(store, "kept", queue, BodyOf(queue, round))).status());
    if (both) CO_RETURN_IF_ERROR((co_await AppendOne(store, DroppedTopic(queue), queue, "x")).status());
  }
  co_return absl::OkStatus();
}

core::Task<void> ExpectAllOfKept(ShardStore& store) {
  for (int queue = 0; queue < kQueues; ++queue) {
    const std::vector<std::string> bodies = BodiesOf(co_await FetchFrom(store, "kept", queue, 0));
    std::vector<std::string> expected;
    for (int round = 0; round < kRounds; ++round) expected.push_back(BodyOf(queue, round));
    EXPECT_EQ(bodies, expected) << "queue " << queue;
    if (bodies != expected) co_return;
  }
}

core::Task<void> DropAndExpectOk(ShardStore& store, std::string topic) {
  const absl::Status status = co_await store.DropTopic(topic);
  EXPECT_TRUE(status.ok()) << topic << ": " << status;
}

core::Task<absl::Status> Main(int turns_between_drops) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", ManyOptions()));
  ShardStore& store = *opened.store;
  int queue = 0;
  while (store.Stats().segments < 2) {  // up to the moment when the first segment is full
    CO_RETURN_IF_ERROR(co_await FillQueues(store, 0, queue, queue + 1, true));
    ++queue;
  }
  EXPECT_LT(queue, kQueues);
  EXPECT_GT(2 * queue, 3 * 1024) << "a segment has too few queues for several slices";
  core::Scope drops;
  for (int topic = 0; topic < kTopics; ++topic) {
    drops.Spawn(DropAndExpectOk(store, DroppedTopic(topic)));
    for (int i = 0; i < turns_between_drops; ++i) co_await core::Yield();
  }
  co_await drops.Join();
  CO_RETURN_IF_ERROR(co_await FillQueues(store, 0, queue, kQueues, false));
  for (int round = 1; round < kRounds; ++round) CO_RETURN_IF_ERROR(co_await FillQueues(store, round, 0, kQueues, false));
  co_await ExpectAllOfKept(store);
  // Each queue that there is was noted, and what it had in the first segment; of a dropped one nothing is left.
  EXPECT_EQ(opened.meta->All(MetaTable::kQueueFloors).size(), static_cast<size_t>(kQueues));
  for (int i = 0; i < queue; ++i) {
    const std::string* floor = opened.meta->Find(MetaTable::kQueueFloors, QueueFloorKey({"kept", i}));
    EXPECT_TRUE(floor != nullptr && *floor != "0") << "queue " << i;
  }
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));

  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", ManyOptions()));
  co_await ExpectAllOfKept(*again.store);
  EXPECT_EQ(again.store->MaxOffset({DroppedTopic(0), 0}).value(), 0);
  (void)co_await core::Sleep(absl::Hours(2));
  CO_RETURN_IF_ERROR(co_await again.store->DeleteExpired());
  EXPECT_EQ(again.store->Stats().segments, 1U);
  for (int i = 0; i < kQueues; ++i) {
    EXPECT_EQ(again.store->MaxOffset({"kept", i}).value(), kRounds);
    const int64_t min = again.store->MinOffset({"kept", i}).value();
    EXPECT_GT(min, 0);  // what lay in the segments that are gone
    EXPECT_EQ(BodiesOf(co_await FetchFrom(*again.store, "kept", i, min)).size(), static_cast<size_t>(kRounds - min));
  }
  co_return co_await CloseBoth(again);
}

// Catches slices of a list from which others take queues meanwhile: some would be left out of the index.
TEST(ManyQueuesTest, AreSealedWholeWhateverIsDroppedMeanwhile) {
  for (const int turns : {1, 4, 16, 64}) {
    sim::World world(7);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([turns] { return Main(turns); });
    const absl::Status status = world.RunToEnd(node, absl::Hours(48));
    EXPECT_TRUE(status.ok()) << turns << " turns between two drops: " << status << world.Describe();
  }
}

core::Task<absl::Status> CloseMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", ManyOptions()));
  for (int queue = 0; queue < kQueues; ++queue) CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "kept", queue, "x")).status());
  EXPECT_LT(opened.meta->All(MetaTable::kQueueFloors).size(), static_cast<size_t>(kQueues)) << "all were noted before the end";
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  // Without the store, whose start would note them itself.
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("data/meta"));
  EXPECT_EQ(meta->All(MetaTable::kQueueFloors).size(), static_cast<size_t>(kQueues));
  co_return co_await meta->Close();
}

TEST(ManyQueuesTest, AreAllNotedAtTheEnd) {
  const absl::Status status = sim::RunInWorld(7, 1, [] { return CloseMain(); });
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace store
