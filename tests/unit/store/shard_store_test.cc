// Goal: what a shard's store promises of appends and reads: dense offsets, statuses, filters, waiting, reopening.
// Method: each test runs on a simulated machine; small segments, so that rolls and sealed indexes come into play.
#include "store/shard_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/strings.h"
#include "core/file.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

#define CO_EXPECT_OK(expression)                          \
  do {                                                    \
    const absl::Status expected_ok_ = (expression);       \
    EXPECT_TRUE(expected_ok_.ok()) << expected_ok_;       \
  } while (false)

core::Task<absl::Status> AppendAndFetchMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  ShardStore& store = *opened.store;
  for (int i = 0; i < 10; ++i) {
    CO_ASSIGN_OR_RETURN(const AppendResult appended, co_await AppendOne(store, "T", 3, absl::StrCat("body ", i)));
    EXPECT_EQ(appended.first_queue_offset.value(), i);
    EXPECT_EQ(appended.positions.size(), 1U);
    EXPECT_GT(appended.store_timestamp, 0);
  }
  const FetchResult all = co_await FetchFrom(store, "T", 3, 0);
  EXPECT_EQ(all.status, FetchStatus::kFound);
  EXPECT_EQ(all.messages, 10);
  EXPECT_EQ(all.next.value(), 10);
  EXPECT_EQ(all.min.value(), 0);
  EXPECT_EQ(all.max.value(), 10);
  const std::vector<std::string> bodies = BodiesOf(all);
  EXPECT_EQ(bodies.size(), 10U);
  for (size_t i = 0; i < bodies.size(); ++i) EXPECT_EQ(bodies[i], absl::StrCat("body ", i));
  const FetchResult some = co_await FetchFrom(store, "T", 3, 4, 2);
  EXPECT_EQ(BodiesOf(some), (std::vector<std::string>{"body 4", "body 5"}));
  EXPECT_EQ(some.next.value(), 6);
  co_return co_await CloseBoth(opened);
}

TEST(ShardStoreTest, WhatIsAppendedIsFetchedInOrder) { CO_EXPECT_OK(sim::RunInWorld(1, 1, AppendAndFetchMain)); }

core::Task<absl::Status> StatusesMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  ShardStore& store = *opened.store;
  EXPECT_EQ((co_await FetchFrom(store, "T", 0, 0)).status, FetchStatus::kNoMatchedLogicQueue);
  for (int i = 0; i < 3; ++i) CO_RETURN_IF_ERROR((co_await AppendOne(store, "T", 0, "x", i)).status());
  const FetchResult at_end = co_await FetchFrom(store, "T", 0, 3);
  EXPECT_EQ(at_end.status, FetchStatus::kOffsetOverflowOne);
  EXPECT_EQ(at_end.next.value(), 3);
  const FetchResult beyond = co_await FetchFrom(store, "T", 0, 9);
  EXPECT_EQ(beyond.status, FetchStatus::kOffsetOverflowBadly);
  EXPECT_EQ(beyond.next.value(), 3);
  const FetchResult below = co_await FetchFrom(store, "T", 0, -1);
  EXPECT_EQ(below.status, FetchStatus::kOffsetTooSmall);
  EXPECT_EQ(below.next.value(), 0);

  FetchRequest filtered;
  filtered.queue = {"T", 0};
  filtered.filter.codes = {2};
  const FetchResult one = co_await store.Fetch(filtered);
  EXPECT_EQ(one.messages, 1);
  EXPECT_EQ(one.next.value(), 3);
  filtered.filter.codes = {77};
  const FetchResult none = co_await store.Fetch(filtered);
  EXPECT_EQ(none.status, FetchStatus::kNoMatchedMessage);
  EXPECT_EQ(none.next.value(), 3);

  FetchRequest tiny;
  tiny.queue = {"T", 0};
  tiny.bytes_max = 1;
  EXPECT_EQ((co_await store.Fetch(tiny)).messages, 1);  // the first one always

  std::string topic(300, 't');
  EXPECT_EQ((co_await AppendOne(store, topic, 0, "x")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((co_await AppendOne(store, "T", 0, std::string(kSegmentBytesMin, 'x'))).status().code(), absl::StatusCode::kInvalidArgument);
  co_return co_await CloseBoth(opened);
}

TEST(ShardStoreTest, StatusesAndLimitsAreRocketMqs) { CO_EXPECT_OK(sim::RunInWorld(2, 1, StatusesMain)); }

core::Task<void> AppendMany(ShardStore& store, std::string topic, int count, size_t body_bytes, int* failed) {
  for (int i = 0; i < count; ++i) {
    std::string body = absl::StrCat(topic, " ", i, " ");
    body.resize(std::max(body_bytes, body.size()), '.');
    if (!(co_await AppendOne(store, topic, 0, body)).ok()) ++*failed;
  }
}

core::Task<absl::Status> FillFive(ShardStore& store, int count, size_t body_bytes) {
  core::Scope writers;
  int failed = 0;
  for (int w = 0; w < 5; ++w) writers.Spawn(AppendMany(store, absl::StrCat("topic-", w), count, body_bytes, &failed));
  co_await writers.Join();
  co_return failed == 0 ? absl::OkStatus() : absl::InternalError(absl::StrCat(failed, " appends failed"));
}

core::Task<absl::Status> ExpectFive(ShardStore& store, int count) {
  for (int w = 0; w < 5; ++w) {
    const std::string topic = absl::StrCat("topic-", w);
    int64_t next = 0;
    while (next < count) {
      const FetchResult result = co_await FetchFrom(store, topic, 0, next);
      if (result.status != FetchStatus::kFound) co_return absl::InternalError(core::StrCat(topic, " at ", next, ": status ", static_cast<int>(result.status)));
      for (const std::string& body : BodiesOf(result)) {
        const std::string begin = absl::StrCat(topic, " ", next, " ");
        if (!body.starts_with(begin)) co_return absl::InternalError(core::StrCat("wanted '", begin, "', got '", body.substr(0, 30), "'"));
        ++next;
      }
      if (result.next.value() != next) co_return absl::InternalError("next is not where the messages end");
    }
    EXPECT_EQ(store.MaxOffset({topic, 0}).value(), count);
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> ManySegmentsMain() {
  constexpr int kCount = 600;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  CO_RETURN_IF_ERROR(co_await FillFive(*opened.store, kCount, 900));
  EXPECT_GT(opened.store->Stats().segments, 8U);
  CO_RETURN_IF_ERROR(co_await ExpectFive(*opened.store, kCount));
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  // Twice: the second opening finds what the first one wrote.
  for (int round = 0; round < 2; ++round) {
    CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", SmallOptions()));
    CO_RETURN_IF_ERROR(co_await ExpectFive(*again.store, kCount));
    CO_ASSIGN_OR_RETURN(const AppendResult next, co_await AppendOne(*again.store, "more", 0, "x"));
    EXPECT_EQ(next.first_queue_offset.value(), round);
    EXPECT_EQ(again.store->Stats().damaged_records, 0U);
    CO_RETURN_IF_ERROR(co_await CloseBoth(again));
  }
  co_return absl::OkStatus();
}

TEST(ShardStoreTest, ManySegmentsAreReadBackFromMemoryAndDisk) { CO_EXPECT_OK(sim::RunInWorld(3, 1, ManySegmentsMain)); }

core::Task<absl::Status> ColdMain() {
  StoreOptions options = SmallOptions();
  options.append_buffer_bytes = size_t{1} << 20;
  options.read_cache_bytes = size_t{1} << 20;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await FillFive(*opened.store, 1500, 1500));
  EXPECT_FALSE(opened.store->OffsetInMemory({"topic-0", 0}, core::LogicalOffset(0)));
  EXPECT_TRUE(opened.store->OffsetInMemory({"topic-4", 0}, core::LogicalOffset(1499)));
  core::Sleep pause(absl::Seconds(20));
  (void)co_await pause;  // everything but the last segment is sealed by now
  CO_RETURN_IF_ERROR(co_await ExpectFive(*opened.store, 1500));
  // By position, and by time.
  CO_ASSIGN_OR_RETURN(const AppendResult last, co_await AppendOne(*opened.store, "topic-0", 0, "the last"));
  CO_ASSIGN_OR_RETURN(const core::Slice record, co_await opened.store->ReadRecord(last.positions[0]));
  const absl::StatusOr<RecordView> view = ParseRecord(record.bytes());
  EXPECT_TRUE(view.ok() && view->queue_offset.value() == 1500);
  for (const int64_t wrong : {int64_t{-1}, int64_t{0}, int64_t{4096}, last.positions[0].value() + 1, int64_t{1} << 60}) {
    EXPECT_EQ((co_await opened.store->ReadRecord(core::PhysicalOffset(wrong))).status().code(), absl::StatusCode::kNotFound) << wrong;
  }
  const core::QueueKey queue{"topic-0", 0};
  const core::WallMillis middle = co_await opened.store->StoreTimeOf(queue, core::LogicalOffset(700));
  const core::LogicalOffset lower = co_await opened.store->OffsetByTime(queue, middle, false);
  const core::LogicalOffset upper = co_await opened.store->OffsetByTime(queue, middle, true);
  EXPECT_LE(lower.value(), 700);
  EXPECT_GE(upper.value(), 700);
  EXPECT_EQ(co_await opened.store->StoreTimeOf(queue, lower), middle);
  EXPECT_EQ(co_await opened.store->StoreTimeOf(queue, upper), middle);
  if (lower.value() > 0) EXPECT_LT(co_await opened.store->StoreTimeOf(queue, core::LogicalOffset(lower.value() - 1)), middle);
  EXPECT_GT(co_await opened.store->StoreTimeOf(queue, core::LogicalOffset(upper.value() + 1)), middle);
  EXPECT_EQ((co_await opened.store->OffsetByTime(queue, last.store_timestamp + 1, false)).value(), 1501);
  EXPECT_EQ((co_await opened.store->OffsetByTime(queue, last.store_timestamp + 1, true)).value(), 1500);
  EXPECT_EQ((co_await opened.store->OffsetByTime(queue, 0, true)).value(), 0);
  EXPECT_EQ((co_await opened.store->OffsetByTime(queue, 0, false)).value(), 0);
  co_return co_await CloseBoth(opened);
}

TEST(ShardStoreTest, ColdReadsFindTheSame) { CO_EXPECT_OK(sim::RunInWorld(4, 1, ColdMain)); }

// Catches a search that is off by one among messages of the same millisecond, across segments, or where nothing was stored.
core::Task<absl::Status> EveryTimeMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  const core::QueueKey queue{"T", 0};
  std::vector<core::WallMillis> times;
  for (int i = 0; i < 600; ++i) {
    CO_ASSIGN_OR_RETURN(const AppendResult one, co_await AppendOne(*opened.store, "T", 0, std::string(1500, '.')));
    times.push_back(one.store_timestamp);
    if (core::Reactor::Current().RandomBits() % 3 == 0) (void)co_await core::Sleep(absl::Milliseconds(static_cast<int64_t>(core::Reactor::Current().RandomBits() % 4)));
  }
  EXPECT_GE(opened.store->Stats().segments, 3U);
  for (int round = 0; round < 2; ++round) {
    for (core::WallMillis time = times.front() - 1; time <= times.back() + 1; ++time) {
      const auto at_or_after = std::lower_bound(times.begin(), times.end(), time) - times.begin();
      const auto behind = std::upper_bound(times.begin(), times.end(), time) - times.begin();
      const core::LogicalOffset lower = co_await opened.store->OffsetByTime(queue, time, false);
      const core::LogicalOffset upper = co_await opened.store->OffsetByTime(queue, time, true);
      EXPECT_EQ(lower.value(), at_or_after) << time;
      EXPECT_EQ(upper.value(), std::max<int64_t>(behind - 1, 0)) << time;
    }
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
    CO_ASSIGN_OR_RETURN(opened, co_await OpenIn("data", SmallOptions()));
  }
  co_return co_await CloseBoth(opened);
}
TEST(ShardStoreTest, EachTimeHasItsOffsets) { CO_EXPECT_OK(sim::RunInWorld(1, 1, EveryTimeMain)); }

core::Task<void> WaitFor(ShardStore& store, int64_t from, absl::Duration limit, core::StopToken stop, std::vector<core::WaitResult>* results) {
  const core::MonoTime deadline = core::Reactor::Current().now() + limit;
  results->push_back(co_await store.WaitForMessage({"T", 0}, core::LogicalOffset(from), deadline, stop));
}

core::Task<absl::Status> WaitMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  std::vector<core::WaitResult> results;
  core::Scope waiters;
  waiters.Spawn(WaitFor(*opened.store, 0, absl::Seconds(5), {}, &results));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "x")).status());
  co_await waiters.Join();
  EXPECT_EQ(results, std::vector<core::WaitResult>{core::WaitResult::kNotified});
  waiters.Spawn(WaitFor(*opened.store, 1, absl::Milliseconds(50), {}, &results));
  co_await waiters.Join();
  EXPECT_EQ(results.back(), core::WaitResult::kTimeout);
  waiters.Spawn(WaitFor(*opened.store, 5, absl::Hours(1), waiters.stop_token(), &results));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "y")).status());
  EXPECT_EQ(results.size(), 2U);  // offset 5 is not there yet
  waiters.RequestStop();
  co_await waiters.Join();
  EXPECT_EQ(results.back(), core::WaitResult::kStopped);
  co_return co_await CloseBoth(opened);
}

TEST(ShardStoreTest, WaitersWakeForTheirOffset) { CO_EXPECT_OK(sim::RunInWorld(5, 1, WaitMain)); }

core::Task<absl::Status> DropMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  for (int i = 0; i < 20; ++i) CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "gone", 1, "old")).status());
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "kept", 1, "old")).status());
  CO_RETURN_IF_ERROR(co_await opened.store->DropTopic("gone"));
  EXPECT_EQ(opened.store->Topics(), std::vector<std::string>{"kept"});
  EXPECT_EQ((co_await FetchFrom(*opened.store, "gone", 1, 0)).status, FetchStatus::kNoMatchedLogicQueue);
  CO_ASSIGN_OR_RETURN(const AppendResult first, co_await AppendOne(*opened.store, "gone", 1, "new"));
  EXPECT_EQ(first.first_queue_offset.value(), 0);
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", SmallOptions()));
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*again.store, "gone", 1, 0)), std::vector<std::string>{"new"});
  EXPECT_EQ(again.store->MaxOffset({"kept", 1}).value(), 1);
  co_return co_await CloseBoth(again);
}

TEST(ShardStoreTest, DroppedTopicStartsAnewAlsoAfterRestart) { CO_EXPECT_OK(sim::RunInWorld(6, 1, DropMain)); }

// Catches offsets given out a second time, whose messages the next start takes for repetitions of the old ones, because a deletion that failed counts as done.
core::Task<absl::Status> FailedDropMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  for (int i = 0; i < 20; ++i) CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "gone", 1, "old")).status());
  node->disk().Inject({.op = sim::DiskOp::kWrite, .path_contains = "meta.log"});
  EXPECT_FALSE((co_await opened.store->DropTopic("gone")).ok());
  EXPECT_TRUE(absl::IsUnavailable((co_await AppendOne(*opened.store, "gone", 1, "new")).status()));
  EXPECT_FALSE((co_await opened.store->DropTopic("gone")).ok()) << "it may be tried again, though the metadata take no more";
  (void)co_await CloseBoth(opened);
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", SmallOptions()));
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*again.store, "gone", 1, 0)), std::vector<std::string>(20, "old"));
  CO_ASSIGN_OR_RETURN(const AppendResult next, co_await AppendOne(*again.store, "gone", 1, "new"));
  EXPECT_EQ(next.first_queue_offset.value(), 20);
  CO_RETURN_IF_ERROR(co_await again.store->DropTopic("gone"));
  CO_RETURN_IF_ERROR((co_await AppendOne(*again.store, "gone", 1, "new")).status());
  co_return co_await CloseBoth(again);
}

TEST(ShardStoreTest, ATopicThatCouldNotBeDroppedTakesNoMessages) {
  sim::World world(6);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&node] { return FailedDropMain(&node); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

// A folder that did not come up with its file system must not pass for a new one.
core::Task<absl::Status> EmptyLogMain() {
  {
    CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 1, "old")).status());
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  }
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> files, co_await core::fs::List("data/log"));
  for (const core::DirectoryEntry& file : files) CO_RETURN_IF_ERROR(co_await core::fs::Remove(core::StrCat("data/log/", file.name)));
  const absl::Status opened = (co_await OpenIn("data", SmallOptions())).status();
  EXPECT_TRUE(absl::IsDataLoss(opened)) << opened;
  EXPECT_NE(opened.message().find("segment files are gone"), absl::string_view::npos) << opened;
  co_return absl::OkStatus();
}

TEST(ShardStoreTest, ALogFolderThatIsGoneIsNoNewOne) { CO_EXPECT_OK(sim::RunInWorld(6, 1, EmptyLogMain)); }

core::Task<void> AppendAndExpect(ShardStore& store, std::string topic, std::string body) {
  const absl::StatusOr<AppendResult> appended = co_await AppendOne(store, topic, 1, body);
  EXPECT_TRUE(appended.ok()) << appended.status();
}

// Catches a message of the new topic in the batch in which the drop's position lies: the batch stays open while a slow write is under way.
core::Task<absl::Status> DropInOpenBatchMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  core::Scope old;
  node->disk().set_slowdown(10'000);
  old.Spawn(AppendAndExpect(*opened.store, "other", "slow"));
  (void)co_await core::Sleep(absl::Microseconds(1));
  node->disk().set_slowdown(1);
  old.Spawn(AppendAndExpect(*opened.store, "gone", "old"));
  (void)co_await core::Sleep(absl::Microseconds(1));
  CO_RETURN_IF_ERROR(co_await opened.store->DropTopic("gone"));
  CO_ASSIGN_OR_RETURN(const AppendResult first, co_await AppendOne(*opened.store, "gone", 1, "new"));
  EXPECT_EQ(first.first_queue_offset.value(), 0);
  co_await old.Join();
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", SmallOptions()));
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*again.store, "gone", 1, 0)), std::vector<std::string>{"new"});
  co_return co_await CloseBoth(again);
}
TEST(ShardStoreTest, ADropTakesNothingThatComesAfterIt) {
  sim::World world(8);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&node] { return DropInOpenBatchMain(&node); });
  CO_EXPECT_OK(world.RunToEnd(node));
}

// Catches messages that come to a topic while it is being dropped and would be half of the old and half of the new one.
core::Task<absl::Status> AppendDuringDropMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "gone", 1, "old")).status());
  node->disk().set_slowdown(100);
  absl::Status dropped = absl::UnknownError("under way");
  core::Scope drop;
  drop.Spawn([](ShardStore& store, absl::Status& result) -> core::Task<void> { result = co_await store.DropTopic("gone"); }(*opened.store, dropped));
  (void)co_await core::Sleep(absl::Microseconds(1));
  EXPECT_EQ((co_await AppendOne(*opened.store, "gone", 1, "between")).status().code(), absl::StatusCode::kUnavailable);
  co_await drop.Join();
  EXPECT_TRUE(dropped.ok()) << dropped;
  CO_ASSIGN_OR_RETURN(const AppendResult first, co_await AppendOne(*opened.store, "gone", 1, "new"));
  EXPECT_EQ(first.first_queue_offset.value(), 0);
  co_return co_await CloseBoth(opened);
}
TEST(ShardStoreTest, ATopicTakesNothingWhileItIsDropped) {
  sim::World world(9);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&node] { return AppendDuringDropMain(&node); });
  CO_EXPECT_OK(world.RunToEnd(node));
}

core::Task<absl::Status> DropUnflushedMain(bool* dropped) {
  StoreOptions options = SmallOptions();
  options.flush_interval = absl::Minutes(1);
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  for (int i = 0; i < 20; ++i) CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "gone", 1, "old")).status());
  CO_RETURN_IF_ERROR(co_await opened.store->DropTopic("gone"));
  *dropped = true;
  (void)co_await core::Sleep(absl::Hours(1));  // until the power goes
  co_return co_await CloseBoth(opened);
}
core::Task<absl::Status> AppendNewMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  EXPECT_EQ(opened.store->MaxOffset({"gone", 1}).value(), 0);
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "gone", 1, "new")).status());
  co_return co_await CloseBoth(opened);
}
core::Task<absl::Status> ReadNewMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  EXPECT_EQ(BodiesOf(co_await FetchFrom(*opened.store, "gone", 1, 0)), std::vector<std::string>{"new"});
  co_return co_await CloseBoth(opened);
}

// Catches a drop that reaches beyond where the log ends after a power cut, so that it takes what is written there next.
TEST(ShardStoreTest, ADropDoesNotReachBeyondWhatIsDurable) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 1);
    bool dropped = false;
    node.Start([&dropped] { return DropUnflushedMain(&dropped); });
    ASSERT_TRUE(world.RunUntil([&dropped] { return dropped; }, absl::Minutes(1)));
    node.CutPower();
    node.Start(AppendNewMain);
    CO_EXPECT_OK(world.RunToEnd(node));
    node.Start(ReadNewMain);
    CO_EXPECT_OK(world.RunToEnd(node));
  }
}

core::Task<absl::Status> RetentionMain() {
  StoreOptions options = SmallOptions();
  options.reserved_time = absl::Hours(1);
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "early", 0, "only once")).status());
  CO_RETURN_IF_ERROR(co_await FillFive(*opened.store, 600, 900));
  CO_RETURN_IF_ERROR(co_await opened.store->DeleteExpired());
  EXPECT_EQ(opened.store->MinOffset({"topic-0", 0}).value(), 0);  // not expired yet
  core::Sleep pause(absl::Hours(2));
  (void)co_await pause;
  CO_RETURN_IF_ERROR(co_await opened.store->DeleteExpired());
  const int64_t min = opened.store->MinOffset({"topic-0", 0}).value();
  EXPECT_GT(min, 0);
  EXPECT_EQ(opened.store->Stats().segments, 1U);  // the one being written stays
  const FetchResult old = co_await FetchFrom(*opened.store, "topic-0", 0, 0);
  EXPECT_EQ(old.status, FetchStatus::kOffsetTooSmall);
  EXPECT_EQ(old.next.value(), min);
  EXPECT_EQ((co_await FetchFrom(*opened.store, "topic-0", 0, min)).status, min < 600 ? FetchStatus::kFound : FetchStatus::kOffsetOverflowOne);
  EXPECT_EQ(opened.store->MinOffset({"early", 0}).value(), 1);
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", options));
  EXPECT_EQ(again.store->MinOffset({"topic-0", 0}).value(), min);
  EXPECT_EQ(again.store->MaxOffset({"topic-0", 0}).value(), 600);
  EXPECT_EQ(again.store->Stats().damaged_bytes, 0U);  // what has expired is not missing
  // A queue whose messages are all gone goes on where it was.
  CO_ASSIGN_OR_RETURN(const AppendResult next, co_await AppendOne(*again.store, "early", 0, "again"));
  EXPECT_EQ(next.first_queue_offset.value(), 1);
  co_return co_await CloseBoth(again);
}

TEST(ShardStoreTest, ExpiredSegmentsGoAndOffsetsGoOn) { CO_EXPECT_OK(sim::RunInWorld(7, 1, RetentionMain, absl::Hours(5))); }

}  // namespace
}  // namespace store
