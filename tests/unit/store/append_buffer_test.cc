// Goal: a message in the append buffer is acknowledged at once, written later in few writes, and not lost by the death of the process; where
// there is no append buffer, nothing changes but the wait.
#include "store/append_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

StoreOptions Options(size_t append_bytes = size_t{2} << 20) {
  StoreOptions options;
  options.segment_bytes = size_t{1} << 20;
  options.append_buffer_bytes = append_bytes;
  return options;
}

core::Task<void> Pause(absl::Duration duration) {
  core::Sleep pause(duration);
  (void)co_await pause;
}

core::Task<absl::Status> Forever() {
  co_await Pause(absl::Hours(1));
  co_return absl::OkStatus();
}

// Catches an acknowledgement that waits for the disk, a message that readers do not see at once, and a write for each message.
core::Task<absl::Status> AtOnceMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options()));
  co_await Pause(absl::Milliseconds(20));  // chunks are ready
  const uint64_t writes_before = opened.store->Stats().writes;
  const core::MonoTime begin = core::Reactor::Current().io().Now();
  for (int i = 0; i < 200; ++i) {
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, absl::StrCat("body ", i))).status());
    EXPECT_EQ(opened.store->MaxOffset({"T", 0}).value(), i + 1);
  }
  EXPECT_EQ(core::Reactor::Current().io().Now().nanos, begin.nanos);
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*opened.store, "T", 0, 199)), std::vector<std::string>{"body 199"});
  EXPECT_EQ(opened.store->Stats().writes, writes_before);
  co_await Pause(absl::Milliseconds(100));
  const StoreStats stats = opened.store->Stats();
  EXPECT_LE(stats.writes, writes_before + 2);
  EXPECT_EQ(stats.durable_end, stats.log_end);
  co_return co_await CloseBoth(opened);
}
TEST(AppendBufferTest, AcknowledgesAtOnceAndWritesLater) {
  const absl::Status status = sim::RunInWorld(1, 1, AtOnceMain);
  EXPECT_TRUE(status.ok()) << status;
}

struct Sent {
  int count = 0;
  bool done = false;
};

core::Task<absl::Status> SendAndHang(Sent* sent, int batches) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options()));
  co_await Pause(absl::Milliseconds(20));
  for (int i = 0; i < batches; ++i) {
    std::vector<std::string> bodies;
    std::vector<MessageDraft> drafts;
    for (int n = 0; n < 7; ++n) bodies.push_back(absl::StrCat(i, ".", n, std::string(3000, '.')));
    for (const std::string& body : bodies) drafts.push_back(DraftOf("T", 0, body));
    CO_RETURN_IF_ERROR((co_await opened.store->Append(drafts)).status());
    sent->count += 7;
  }
  sent->done = true;
  co_return co_await Forever();
}

core::Task<absl::Status> CountMain(int64_t* max, uint64_t* damaged) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options()));
  *max = opened.store->MaxOffset({"T", 0}).value();
  *damaged = opened.store->Stats().damaged_records;
  for (int64_t next = 0; next < *max;) {
    const FetchResult found = co_await FetchFrom(*opened.store, "T", 0, next);
    for (const std::string& body : BodiesOf(found)) {
      EXPECT_TRUE(body.starts_with(absl::StrCat(next / 7, ".", next % 7, "."))) << next;
      ++next;
    }
    if (found.status != FetchStatus::kFound) co_return absl::InternalError(absl::StrCat("nothing at ", next));
  }
  co_return co_await CloseBoth(opened);
}

// Killed in the very tick of the acknowledgements, before anything can have been written: open batch, closed batches, several segments.
TEST(AppendBufferTest, AcknowledgedIsThereAfterTheProcessDied) {
  for (const int batches : {1, 10, 40, 100}) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(absl::StrCat(batches, " batches, seed ", seed));
      sim::World world(seed);
      sim::Node& node = world.AddNode("node", 1);
      Sent sent;
      node.Start([&] { return SendAndHang(&sent, batches); });
      ASSERT_TRUE(world.RunUntil([&] { return sent.done; }, absl::Seconds(10)));
      node.Kill();
      int64_t max = -1;
      uint64_t damaged = 1;
      node.Start([&] { return CountMain(&max, &damaged); });
      const absl::Status status = world.RunToEnd(node);
      ASSERT_TRUE(status.ok()) << status << world.Describe();
      EXPECT_EQ(max, sent.count);
      EXPECT_EQ(damaged, 0U);
    }
  }
}

// A folder in which the file can't be made or mapped still takes messages; each waits for its write.
TEST(AppendBufferTest, DoesWithoutWhereItCanNotBeMade) {
  for (const sim::DiskOp op : {sim::DiskOp::kMap, sim::DiskOp::kPopulate, sim::DiskOp::kAllocate, sim::DiskOp::kRename}) {
    SCOPED_TRACE(sim::NameOf(op));
    sim::World world(3);
    sim::Node& node = world.AddNode("node", 1);
    node.disk().Inject({.op = op, .path_contains = "append", .times = 100});
    Sent sent;
    node.Start([&] { return SendAndHang(&sent, 5); });
    ASSERT_TRUE(world.RunUntil([&] { return sent.done; }, absl::Seconds(10)));
    node.Kill();
    node.disk().ClearFaults();
    int64_t max = -1;
    uint64_t damaged = 1;
    node.Start([&] { return CountMain(&max, &damaged); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_EQ(max, sent.count);
  }
}

// A write fails while acknowledged messages wait in the batch behind it: nobody's next message may be taken for what they were.
core::Task<absl::Status> FenceMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options()));
  co_await Pause(absl::Milliseconds(20));
  node->disk().set_slowdown(200);  // a write takes 3 to 20 ms
  node->disk().Inject({.op = sim::DiskOp::kWrite, .path_contains = "/log/0"});
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "in the write that fails")).status());
  co_await Pause(absl::Milliseconds(6));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "behind it")).status());
  co_await Pause(absl::Milliseconds(100));
  EXPECT_FALSE(opened.store->Stats().failure.empty());
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*opened.store, "T", 0, 0)), (std::vector<std::string>{"in the write that fails", "behind it"}));
  EXPECT_EQ(opened.store->Stats().damaged_records, 0U);
  EXPECT_TRUE(absl::IsUnavailable((co_await AppendOne(*opened.store, "T", 0, "too late")).status()));
  co_return co_await Forever();
}

core::Task<absl::Status> ReadBothMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options()));
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*opened.store, "T", 0, 0)), (std::vector<std::string>{"in the write that fails", "behind it"}));
  co_return co_await CloseBoth(opened);
}

TEST(AppendBufferTest, AFencedLogServesWhatItAcknowledged) {
  sim::World world(7);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&] { return FenceMain(&node); });
  world.RunFor(absl::Seconds(2));
  node.Kill();
  node.disk().set_slowdown(1);
  node.disk().ClearFaults();
  node.Start(ReadBothMain);
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

// A device that flushes slowly: a power cut at any moment takes back no more than 50 ms of acknowledgements.
core::Task<absl::Status> SlowFlushMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", Options()));
  co_await Pause(absl::Milliseconds(20));
  node->disk().set_slowdown(500);  // a flush takes 25 to 300 ms
  core::Io& io = core::Reactor::Current().io();
  struct Acknowledged {
    uint64_t log_end;
    core::MonoTime at;
  };
  std::deque<Acknowledged> at_risk;
  absl::Duration worst;
  for (int i = 0; i < 3000; ++i) {
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, std::string(500, 'x'))).status());
    const StoreStats stats = opened.store->Stats();
    at_risk.push_back({stats.log_end, io.Now()});
    while (!at_risk.empty() && at_risk.front().log_end <= stats.durable_end) at_risk.pop_front();
    if (!at_risk.empty()) worst = std::max(worst, at_risk.back().at - at_risk.front().at);
    co_await Pause(absl::Microseconds(300));
  }
  EXPECT_GT(worst, absl::Milliseconds(20));  // it did acknowledge ahead of the flush
  EXPECT_LT(worst, absl::Milliseconds(50));
  co_return co_await CloseBoth(opened);
}

TEST(AppendBufferTest, ASlowDeviceDoesNotWidenWhatAPowerCutCosts) {
  sim::World world(6);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&] { return SlowFlushMain(&node); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

core::Task<void> AppendOneOf(ShardStore& store, Durability durability, std::vector<absl::Status>* results) {
  const std::string body(20'000, 'x');
  const MessageDraft draft = DraftOf("T", 0, body);
  results->push_back((co_await store.Append({&draft, 1}, durability)).status());
}

// A disk that stands still: everyone who waits is told in time, whether its batch was begun or not, and the log goes on afterwards.
core::Task<absl::Status> StallMain(sim::Node* node, Durability durability) {
  StoreOptions options = Options(size_t{1} << 20);
  options.durability = durability;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "before")).status());
  node->disk().set_slowdown(1e5);  // 100 us become 10 s
  std::vector<absl::Status> results;
  core::Scope scope;
  for (int i = 0; i < 300; ++i) scope.Spawn(AppendOneOf(*opened.store, durability, &results));
  co_await Pause(absl::Seconds(7));
  EXPECT_EQ(results.size(), 300U);
  size_t refused = 0;
  for (const absl::Status& status : results) {
    EXPECT_TRUE(status.ok() || absl::IsAborted(status) || absl::IsDeadlineExceeded(status)) << status;
    if (absl::IsAborted(status)) ++refused;
  }
  EXPECT_GT(refused, 0U);
  node->disk().set_slowdown(1);
  co_await Pause(absl::Minutes(3));
  co_await scope.Join();
  const int64_t max = opened.store->MaxOffset({"T", 0}).value();
  EXPECT_EQ(max, static_cast<int64_t>(301 - refused));  // what was refused is not stored
  CO_ASSIGN_OR_RETURN(const AppendResult after, co_await AppendOne(*opened.store, "T", 0, "after"));
  EXPECT_EQ(after.first_queue_offset.value(), max);
  co_return co_await CloseBoth(opened);
}

TEST(AppendBufferTest, AStalledDiskKeepsNobodyWaiting) {
  for (const Durability durability : {Durability::kAsync, Durability::kSynced}) {
    SCOPED_TRACE(static_cast<int>(durability));
    sim::World world(5);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([&] { return StallMain(&node, durability); });
    const absl::Status status = world.RunToEnd(node);
    EXPECT_TRUE(status.ok()) << status << world.Describe();
  }
}

}  // namespace
}  // namespace store
