// Goal: old segments go when the rules say so and not before: in the hours of deleteWhen, at any hour on a full disk, and before their time only
// where that was asked for. Nothing else keeps them.
// Method: simulated machines in virtual time, in a time zone that is not UTC.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/file.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/retention_clock.h"
#include "store/spare_segments.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr int kMessages = 2000;

absl::TimeZone Zone() { return absl::FixedTimeZone(5 * 3600); }

StoreOptions ExpiringOptions() {
  StoreOptions options = SmallOptions();
  options.append_buffer_bytes = size_t{1} << 20;
  options.reserved_time = absl::Hours(1);
  options.time_zone = Zone();
  return options;
}

absl::Time WallNow() { return absl::FromUnixMillis(core::Reactor::Current().wall_now()); }
int HourIn(absl::Duration from_now) { return Zone().At(WallNow() + from_now).cs.hour(); }

core::Task<absl::Status> Fill(ShardStore& store) {
  for (int i = 0; i < kMessages; ++i) {
    CO_RETURN_IF_ERROR((co_await AppendOne(store, "T", i % 3, absl::StrCat(i, std::string(1500, '.')))).status());
  }
  EXPECT_GE(store.Stats().segments, 4U);
  co_return absl::OkStatus();
}

core::Task<absl::Status> WaitFor(absl::Duration time) {
  (void)co_await core::Sleep(time);
  co_return absl::OkStatus();
}

/// Runs `main` on a node of its own and tells it the node.
void OnNode(core::Task<absl::Status> (*main)(sim::Node* node)) {
  sim::World world(21);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([main, &node] { return main(&node); });
  const absl::Status status = world.RunToEnd(node, absl::Hours(48));
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

// Catches hours of another time zone, deletion at any hour, and none at all.
core::Task<absl::Status> HourMain(sim::Node*) {
  StoreOptions options = ExpiringOptions();
  options.delete_when_hours = {HourIn(absl::Hours(3))};
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store));
  const uint64_t segments = opened.store->Stats().segments;
  const absl::Time begin =
      absl::FromUnixSeconds((absl::ToUnixSeconds(WallNow()) / 3600 + 3) * 3600);  // whole hours, as the zone's
  CO_RETURN_IF_ERROR(co_await WaitFor(begin - WallNow() - absl::Minutes(1)));
  EXPECT_EQ(opened.store->Stats().segments, segments);
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(2)));
  EXPECT_EQ(opened.store->Stats().segments, 1U);
  EXPECT_EQ(opened.store->MaxOffset({"T", 1}).value(), (kMessages + 1) / 3);
  co_return co_await CloseBoth(opened);
}
TEST(RetentionTest, ExpiredSegmentsGoInTheHourOfTheTimeZone) { OnNode(HourMain); }

/// Leaves the disk `ratio` full of what the store takes now.
void FillDisk(sim::Node& node, double ratio) {
  node.disk().set_capacity(static_cast<uint64_t>(static_cast<double>(node.disk().used_bytes()) / ratio));
}

core::Task<absl::Status> FullMain(sim::Node* node) {
  StoreOptions options = ExpiringOptions();
  options.delete_when_hours = {HourIn(absl::Hours(12))};
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store));
  const uint64_t segments = opened.store->Stats().segments;
  FillDisk(*node, 0.88);
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(30)));
  EXPECT_EQ(opened.store->Stats().segments, segments) << "unread messages were deleted although nobody asked for it";
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Hours(1)));
  EXPECT_LT(opened.store->Stats().segments, segments);
  EXPECT_GT(opened.store->Stats().segments, 1U);  // as many as it takes, at this hour
  EXPECT_LE(opened.store->Stats().disk_used_ratio, options.disk_used_ratio_max);
  co_return co_await CloseBoth(opened);
}
TEST(RetentionTest, OnAFullDiskExpiredSegmentsGoAtAnyHourAndOthersStay) { OnNode(FullMain); }

core::Task<absl::Status> ForciblyMain(sim::Node* node) {
  StoreOptions options = ExpiringOptions();
  options.delete_when_hours = {HourIn(absl::Hours(12))};
  options.delete_forcibly = true;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store));
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Seconds(1)));  // indexes are written meanwhile, and the next segment is made
  const uint64_t segments = opened.store->Stats().segments;
  FillDisk(*node, 0.80);
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(1)));
  EXPECT_EQ(opened.store->Stats().segments, segments);
  FillDisk(*node, 0.88);
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(1)));
  EXPECT_LT(opened.store->Stats().segments, segments);
  EXPECT_GT(opened.store->Stats().segments, 1U);
  EXPECT_LE(opened.store->Stats().disk_used_ratio, options.disk_used_ratio_forcible);
  EXPECT_GT(opened.store->MinOffset({"T", 0}).value(), 0);
  // However full it is, what is being written stays.
  for (uint64_t i = 0; i < segments; ++i) {
    FillDisk(*node, 0.99);
    CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(1)));
  }
  EXPECT_EQ(opened.store->Stats().segments, 1U);
  EXPECT_EQ((co_await AppendOne(*opened.store, "T", 0, "x")).status().code(), absl::StatusCode::kResourceExhausted);
  node->disk().set_capacity(uint64_t{1} << 30);
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Seconds(5)));
  CO_ASSIGN_OR_RETURN(const AppendResult next, co_await AppendOne(*opened.store, "T", 0, "x"));
  EXPECT_EQ(next.first_queue_offset.value(), (kMessages + 2) / 3);
  co_return co_await CloseBoth(opened);
}
TEST(RetentionTest, ForcedDeletionMakesRoomBeforeTheTime) { OnNode(ForciblyMain); }

// Catches expiry that believes the wall clock, or the store times that it has made.
core::Task<absl::Status> ClockMain(sim::Node* node) {
  StoreOptions options = ExpiringOptions();
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store));
  const uint64_t segments = opened.store->Stats().segments;
  for (const absl::Duration jump : {absl::Hours(10 * 365 * 24), -absl::Hours(20 * 365 * 24), absl::Hours(10 * 365 * 24)}) {
    node->JumpWallClock(jump);
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "stored at another time")).status());
    CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(10)));
    CO_RETURN_IF_ERROR(co_await opened.store->DeleteExpired());
    EXPECT_EQ(opened.store->Stats().segments, segments) << "deleted long before its time";
  }
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  node->JumpWallClock(absl::Hours(10 * 365 * 24));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(25)));
  CO_RETURN_IF_ERROR(co_await again.store->DeleteExpired());
  EXPECT_EQ(again.store->Stats().segments, segments) << "the time before the restart counts, the clock's step does not";
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(8)));
  CO_RETURN_IF_ERROR(co_await again.store->DeleteExpired());
  EXPECT_LT(again.store->Stats().segments, segments) << "its hour is over";
  co_return co_await CloseBoth(again);
}
TEST(RetentionTest, AStepOfTheWallClockExpiresNothing) { OnNode(ClockMain); }

TEST(RetentionClockTest, CountsOnlyTimeInWhichItRan) {
  const core::MonoTime boot{0};
  RetentionClock clock(absl::Hours(72));
  clock.Observe(boot, 1000);
  EXPECT_FALSE(clock.Expired(1000));
  clock.Observe(boot + absl::Hours(71), 5000);
  EXPECT_FALSE(clock.Expired(1000));
  clock.Observe(boot + absl::Hours(72), 5000);
  EXPECT_TRUE(clock.Expired(1000));
  EXPECT_FALSE(clock.Expired(1001));
  // Another run, on a machine that counts from elsewhere.
  RetentionClock next(absl::Hours(72));
  ASSERT_TRUE(next.Load(clock.Row()).ok());
  next.Observe(core::MonoTime{777'000'000}, 5000);
  EXPECT_TRUE(next.Expired(1000));
  EXPECT_FALSE(next.Expired(5000));
  next.Observe(core::MonoTime{777'000'000} + absl::Hours(70), 9000);
  EXPECT_FALSE(next.Expired(5000));
  next.Observe(core::MonoTime{777'000'000} + absl::Hours(71), 9000);
  EXPECT_TRUE(next.Expired(5000));
  EXPECT_FALSE(next.Expired(5001));
}

TEST(RetentionClockTest, AnEndThatAPowerCutTookSaysNothing) {
  RetentionClock clock(absl::Hours(1));
  clock.Observe(core::MonoTime{0}, 1000);
  clock.Observe(core::MonoTime{0} + absl::Minutes(50), 9000);
  RetentionClock next(absl::Hours(1));
  ASSERT_TRUE(next.Load(clock.Row()).ok());
  next.Observe(core::MonoTime{0}, 4000);  // what is written from here on lies where the lost messages lay
  next.Observe(core::MonoTime{0} + absl::Minutes(15), 9000);
  EXPECT_TRUE(next.Expired(1000));
  EXPECT_FALSE(next.Expired(4000));
  next.Observe(core::MonoTime{0} + absl::Minutes(61), 9000);
  EXPECT_TRUE(next.Expired(4000));
  EXPECT_FALSE(next.Expired(9000));
}

TEST(RetentionClockTest, ItsRowStaysSmall) {
  RetentionClock clock(absl::Hours(72));
  uint64_t end = 0;
  for (int minute = 0; minute < 60 * 24 * 30; ++minute) clock.Observe(core::MonoTime{0} + absl::Minutes(minute), end += uint64_t{1} << 30);
  EXPECT_LT(clock.Row().size(), size_t{32} << 10);
  for (int i = 0; i < 100; ++i) {
    RetentionClock next(absl::Hours(72));
    ASSERT_TRUE(next.Load(clock.Row()).ok());
    next.Observe(core::MonoTime{0}, end);
    EXPECT_LE(next.Row().size(), clock.Row().size());
  }
}

TEST(RetentionClockTest, WhatCantBeReadMakesNothingOld) {
  for (const char* row : {"", "2", "1 ", "1 5", "1 5:", "1 x:5", "1 5:x", "1 5:9 4:10", "1 5:9 6:8", "1 99999999999999999999:1", "1 5:9,"}) {
    RetentionClock clock(absl::Hours(1));
    EXPECT_TRUE(absl::IsDataLoss(clock.Load(row))) << row;
    clock.Observe(core::MonoTime{0}, 100);
    EXPECT_FALSE(clock.Expired(1)) << row;
  }
  RetentionClock clock(absl::Hours(1));
  EXPECT_TRUE(clock.Load("1").ok());
}

// Catches retention that stops for ever at a segment whose index can't be read.
core::Task<absl::Status> UnreadableMain(sim::Node* node) {
  StoreOptions options = ExpiringOptions();
  options.delete_when_hours = {HourIn(absl::Hours(12))};
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "early", 0, "only once")).status());
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store));
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Hours(2)));
  node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = "00000000000000000000.idx", .times = UINT64_MAX});
  CO_RETURN_IF_ERROR(co_await opened.store->DeleteExpired());
  node->disk().ClearFaults();
  EXPECT_EQ(opened.store->Stats().segments, 1U);
  EXPECT_EQ(opened.store->MinOffset({"early", 0}).value(), 1);
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", options));
  CO_ASSIGN_OR_RETURN(const AppendResult next, co_await AppendOne(*again.store, "early", 0, "again"));
  EXPECT_EQ(next.first_queue_offset.value(), 1);
  co_return co_await CloseBoth(again);
}
TEST(RetentionTest, AnUnreadableIndexDoesNotKeepWhatIsNewer) { OnNode(UnreadableMain); }

core::Task<absl::StatusOr<std::vector<std::string>>> SparesIn(std::string folder) {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries, co_await core::fs::List(folder));
  std::vector<std::string> names;
  for (const core::DirectoryEntry& entry : entries) {
    if (entry.name.ends_with(kSpareSuffix)) names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  co_return names;
}

// Catches files that are given back at once, that are never used again, and what was in them.
core::Task<absl::Status> SpareMain(sim::Node* node) {
  StoreOptions options = ExpiringOptions();
  options.delete_when_hours = {HourIn(absl::Hours(12))};
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await Fill(*opened.store));
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Hours(2)));
  CO_RETURN_IF_ERROR(co_await opened.store->DeleteExpired());
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> kept, co_await SparesIn("data/log"));
  EXPECT_EQ(kept.size(), SpareSegments::kMax);
  // Whatever else is in such a file, and however large it is: it never stands in the way.
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(core::StrCat("data/log/", kept.front()), "not a segment"));
  CO_ASSIGN_OR_RETURN(OpenStore again, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await Fill(*again.store));
  EXPECT_EQ(again.store->Stats().segments_reused, SpareSegments::kMax - 1);
  const int64_t min = again.store->MinOffset({"T", 0}).value();
  const FetchResult first = co_await FetchFrom(*again.store, "T", 0, min, 1);
  EXPECT_EQ(BodiesOf(first).front(), absl::StrCat(3 * min, std::string(1500, '.')));
  // What the disk needs more goes back to it.
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> none, co_await SparesIn("data/log"));
  EXPECT_TRUE(none.empty());
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Hours(2)));
  CO_RETURN_IF_ERROR(co_await again.store->DeleteExpired());
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> more, co_await SparesIn("data/log"));
  EXPECT_FALSE(more.empty());
  FillDisk(*node, 0.88);
  CO_RETURN_IF_ERROR(co_await WaitFor(absl::Minutes(1)));
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> gone, co_await SparesIn("data/log"));
  EXPECT_TRUE(gone.empty());
  co_return co_await CloseBoth(again);
}
TEST(RetentionTest, FilesOfExpiredSegmentsBecomeNewOnes) { OnNode(SpareMain); }

}  // namespace
}  // namespace store
