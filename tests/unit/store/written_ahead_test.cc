// Goal: a log that flushes each write gets segments whose blocks were written before, and never waits for that to be done.
// Method: simulated machines; where a message lies tells which segment it is in, how long an append took whether it waited.
#include <gtest/gtest.h>

#include <string>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/time.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr size_t kBodyBytes = size_t{20} << 10;

StoreOptions Options(Durability durability, uint64_t segment_bytes) {
  StoreOptions options = SmallOptions();
  options.durability = durability;
  options.segment_bytes = segment_bytes;
  return options;
}

void OnNode(core::Task<absl::Status> (*main)(sim::Node* node)) {
  sim::World world(31);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([main, &node] { return main(&node); });
  const absl::Status status = world.RunToEnd(node, absl::Minutes(10));
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

core::Task<absl::Status> Fill(ShardStore& store, int messages) {
  for (int i = 0; i < messages; ++i)
    CO_RETURN_IF_ERROR((co_await AppendOne(store, "T", 0, std::string(kBodyBytes, 'x'))).status());
  co_return absl::OkStatus();
}

/// The segment that the next message lies in.
core::Task<absl::StatusOr<uint64_t>> NextSegment(ShardStore& store, uint64_t segment_bytes) {
  CO_ASSIGN_OR_RETURN(const AppendResult appended, co_await AppendOne(store, "T", 0, "where"));
  co_return LogPositionOf(appended.positions.front()) / segment_bytes;
}

// Catches a first segment that is kept to its end, blocks that are never written, and messages lost in between.
core::Task<absl::Status> FirstSegmentMain(sim::Node* node) {
  constexpr uint64_t kSegmentBytes = uint64_t{4} << 20;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options(Durability::kSynced, kSegmentBytes)));
  CO_ASSIGN_OR_RETURN(const uint64_t first, co_await NextSegment(*opened.store, kSegmentBytes));
  EXPECT_EQ(first, 0U);
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store, 20));
  const uint64_t operations = node->disk().operations();
  core::Sleep pause(absl::Seconds(5));
  (void)co_await pause;
  EXPECT_GE(node->disk().operations() - operations, kSegmentBytes / (256 << 10) / 2);
  CO_ASSIGN_OR_RETURN(const uint64_t second, co_await NextSegment(*opened.store, kSegmentBytes));
  EXPECT_EQ(second, 1U);
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", Options(Durability::kSynced, kSegmentBytes)));
  EXPECT_EQ(again.store->MaxOffset({"T", 0}).value(), 22);
  const FetchResult all = co_await FetchFrom(*again.store, "T", 0, 0);
  EXPECT_EQ(BodiesOf(all).size(), 22U);
  co_return co_await CloseBoth(again);
}
TEST(WrittenAheadTest, ALogThatFlushesEachWriteLeavesItsFirstSegmentForWrittenBlocks) { OnNode(FirstSegmentMain); }

core::Task<absl::Status> AsyncMain(sim::Node*) {
  constexpr uint64_t kSegmentBytes = uint64_t{4} << 20;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options(Durability::kAsync, kSegmentBytes)));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store, 150));  // more than half: the next one is ready
  core::Sleep pause(absl::Seconds(5));
  (void)co_await pause;
  CO_ASSIGN_OR_RETURN(const uint64_t segment, co_await NextSegment(*opened.store, kSegmentBytes));
  EXPECT_EQ(segment, 0U);
  co_return co_await CloseBoth(opened);
}
TEST(WrittenAheadTest, OthersFillTheirSegments) { OnNode(AsyncMain); }

core::Task<void> AppendInto(ShardStore& store, absl::Status& result) {
  const absl::StatusOr<AppendResult> appended = co_await AppendOne(store, "T", 0, std::string(kBodyBytes, 'x'));
  if (!appended.ok()) result = appended.status();
}

// Catches appends that wait until all blocks of the next segment are written: longer than the 5 s that they may.
core::Task<absl::Status> HurryMain(sim::Node* node) {
  constexpr uint64_t kSegmentBytes = uint64_t{16} << 20;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options(Durability::kSynced, kSegmentBytes)));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store, 20));
  node->disk().set_slowdown(1500);
  absl::Status result;
  for (uint64_t sent = 0; sent < kSegmentBytes + (2 << 20) && result.ok(); sent += 32 * kBodyBytes) {
    core::Scope scope;
    for (int i = 0; i < 32; ++i) scope.Spawn(AppendInto(*opened.store, result));
    co_await scope.Join();
  }
  CO_RETURN_IF_ERROR(result);
  node->disk().set_slowdown(1);
  co_return co_await CloseBoth(opened);
}
TEST(WrittenAheadTest, NobodyWaitsForBlocksToBeWritten) { OnNode(HurryMain); }

}  // namespace
}  // namespace store
