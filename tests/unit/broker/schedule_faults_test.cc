// Goal: what befalls a schedule's disk costs no message that waits: a read that fails for a while, a damaged index, a segment that expires just before a power cut,
// a full disk. Each comes once, none before its time.
// Method: one log and its schedule on a simulated machine, with an index so small that it has files.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/message_properties.h"
#include "broker/schedule.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/due_record.h"
#include "tests/unit/store/store_fixture.h"

namespace broker {
namespace {

constexpr std::string_view kTopic = "T";

struct Machine {
  store::OpenStore files;
  std::unique_ptr<Schedule> schedule;
};

store::StoreOptions LogOptions() {
  store::StoreOptions options = store::SmallOptions();
  options.durability = store::Durability::kSynced;
  options.append_buffer_bytes = size_t{1} << 20;
  options.keepers = 1;
  options.reserved_time = absl::Milliseconds(20);
  options.delete_when_hours = {};  // only when asked
  return options;
}

core::Task<absl::StatusOr<Machine>> OpenMachine(decltype(ScheduleOptions::dispatch) dispatch = nullptr) {
  Machine machine;
  CO_ASSIGN_OR_RETURN(machine.files, co_await store::OpenIn("data", LogOptions()));
  ScheduleOptions options;
  options.index.directory = "data/log";
  options.index.memory_entries = 40;
  options.index.replay_bytes = 128 << 10;
  options.topic_exists = [](std::string_view topic) { return topic == kTopic; };
  options.on_delivered = [](const store::MessageDraft&) {};
  options.dispatch = std::move(dispatch);
  CO_ASSIGN_OR_RETURN(machine.schedule,
                      co_await Schedule::Open(std::move(options), *machine.files.meta, *machine.files.store));
  machine.schedule->Start();
  co_return machine;
}

core::Task<absl::Status> CloseMachine(Machine& machine) {
  absl::Status status = co_await machine.schedule->Stop();
  status.Update(co_await store::CloseBoth(machine.files));
  co_return status;
}

core::WallMillis Now() { return core::Reactor::Current().wall_now(); }

/// Stores a message that is due in `after`; its body says when.
core::Task<absl::Status> StoreForLater(Machine& machine, std::string name, absl::Duration after, size_t bytes = 200, std::string light_queues = "") {
  const core::WallMillis due = Now() + absl::ToInt64Milliseconds(after);
  std::string body = absl::StrCat(due, " ", name, " ");
  body.resize(std::max(body.size(), bytes), '.');
  std::string properties;
  AppendProperty(properties, kPropertyRealTopic, kTopic);
  AppendProperty(properties, kPropertyRealQueue, "0");
  AppendProperty(properties, kPropertyUniqKey, name);
  if (!light_queues.empty()) AppendProperty(properties, kPropertyMultiDispatch, light_queues);
  AppendProperty(properties, store::kPropertyDueTime, absl::StrCat(due));
  store::MessageDraft draft = store::DraftOf(kTopic, 0, body);
  draft.properties = properties;
  absl::StatusOr<store::AppendResult> stored = co_await machine.schedule->Append(draft, due, std::nullopt);
  // More wait than memory takes, until the next file of the index is begun.
  for (int i = 0; i < 50 && absl::IsResourceExhausted(stored.status()); ++i) {
    (void)co_await core::Sleep(absl::Milliseconds(20));
    stored = co_await machine.schedule->Append(draft, due, std::nullopt);
  }
  co_return stored.status();
}

/// The names of what came, each with how often; one that came before its time is a failure.
core::Task<std::map<std::string, int>> Came(Machine& machine) {
  std::map<std::string, int> came;
  store::ShardStore& log = *machine.files.store;
  const int64_t end = log.MaxOffset({std::string(kTopic), 0}).value();
  for (int64_t next = log.MinOffset({std::string(kTopic), 0}).value(); next < end;) {
    const store::FetchResult result = co_await store::FetchFrom(log, std::string(kTopic), 0, next);
    next = result.next.value();
    for (const core::Slice& part : result.parts) {
      for (std::span<const std::byte> rest = part.bytes(); !rest.empty();) {
        const absl::StatusOr<store::RecordView> record = store::ParseRecord(rest);
        EXPECT_TRUE(record.ok());
        if (!record.ok()) co_return came;
        const std::string body(reinterpret_cast<const char*>(record->body.data()), record->body.size());
        EXPECT_GE(record->store_timestamp, std::stoll(body)) << body;
        const size_t name = body.find(' ') + 1;
        ++came[body.substr(name, body.find(' ', name) - name)];
        rest = rest.subspan(record->bytes);
      }
    }
  }
  co_return came;
}

void ExpectEachOnce(const std::map<std::string, int>& came, int first, int end) {
  for (int i = first; i < end; ++i) {
    const auto found = came.find(absl::StrCat("m", i));
    EXPECT_EQ(found == came.end() ? 0 : found->second, 1) << "m" << i;
  }
  EXPECT_EQ(came.size(), static_cast<size_t>(end - first));
}

void InWorld(core::Task<absl::Status> (*main)(sim::Node*)) {
  sim::World world(11);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([main, &node] { return main(&node); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

/// Messages m0 and m1 that wait for a minute, and no part of their log in memory.
core::Task<absl::StatusOr<Machine>> TwoOnDisk() {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine());
  for (int i = 0; i < 2; ++i)
    CO_RETURN_IF_ERROR(co_await StoreForLater(machine, absl::StrCat("m", i), absl::Minutes(1)));
  CO_RETURN_IF_ERROR(co_await CloseMachine(machine));
  co_return co_await OpenMachine();
}

// Catches a message that is given up because the disk could not read it once.
core::Task<absl::Status> ReadErrorMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await TwoOnDisk());
  node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = ".log", .times = UINT64_MAX});
  (void)co_await core::Sleep(absl::Seconds(61));
  EXPECT_EQ(machine.schedule->stats().delivered, 0U);
  EXPECT_EQ(machine.schedule->stats().damaged, 0U);
  node->disk().ClearFaults();
  (void)co_await core::Sleep(absl::Seconds(1));
  EXPECT_EQ(machine.schedule->stats().damaged, 0U);
  ExpectEachOnce(co_await Came(machine), 0, 2);
  co_return co_await CloseMachine(machine);
}
TEST(ScheduleFaultsTest, AReadThatFailsForAWhileCostsNothing) { InWorld(ReadErrorMain); }

// Catches one that holds up all others for ever, or each for as long as the one before.
core::Task<absl::Status> ReadDamageMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await TwoOnDisk());
  node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = ".log", .times = UINT64_MAX});
  (void)co_await core::Sleep(absl::Seconds(64));
  EXPECT_EQ(machine.schedule->stats().damaged, 2U);
  CO_RETURN_IF_ERROR(co_await StoreForLater(machine, "m2", absl::Milliseconds(50)));
  (void)co_await core::Sleep(absl::Milliseconds(200));
  EXPECT_EQ(machine.schedule->stats().delivered, 1U);
  EXPECT_EQ(machine.schedule->stats().waiting, 0U);
  node->disk().ClearFaults();
  co_return co_await CloseMachine(machine);
}
TEST(ScheduleFaultsTest, WhatCanNeverBeReadIsGivenUpAfterSeconds) { InWorld(ReadDamageMain); }

// Catches messages that are lost or doubled while a damaged index is made anew, in the midst of storing and delivering.
core::Task<absl::Status> RebuildMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine());
  int flipped = 0;
  for (int i = 0; i < 600; ++i) {
    const auto after = static_cast<int64_t>(core::Reactor::Current().RandomBits() % 20'000);
    CO_RETURN_IF_ERROR(co_await StoreForLater(machine, absl::StrCat("m", i), absl::Milliseconds(after)));
    if (i % 5 == 0) (void)co_await core::Sleep(absl::Milliseconds(20));
    if (i != 250) continue;
    for (const std::string& path : node->disk().Files()) {
      if (!path.ends_with(store::kDueRunSuffix)) continue;
      node->disk().FlipBit(path, store::kBlock + 30, 3);
      ++flipped;
    }
    // Whoever looks for one finds out.
    const absl::StatusOr<bool> taken = co_await machine.schedule->TakeBack(std::string(kTopic), "m0", Now() + 9000);
    EXPECT_TRUE(absl::IsDataLoss(taken.status())) << taken.status();
  }
  EXPECT_GT(flipped, 0);
  (void)co_await core::Sleep(absl::Seconds(30));
  EXPECT_GT(machine.schedule->stats().made_anew, 0U);
  EXPECT_EQ(machine.schedule->stats().waiting, 0U);
  ExpectEachOnce(co_await Came(machine), 0, 600);
  co_return co_await CloseMachine(machine);
}
TEST(ScheduleFaultsTest, ADamagedIndexIsMadeAnewWhileMessagesWait) { InWorld(RebuildMain); }

// Catches a segment that goes before what has come in the place of its messages is on stable storage.
core::Task<absl::Status> ExpireMain(bool* gone) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine());
  for (int i = 0; i < 50; ++i)
    CO_RETURN_IF_ERROR(co_await StoreForLater(machine, absl::StrCat("m", i), absl::Minutes(10)));
  for (int i = 0; i < 100; ++i)
    CO_RETURN_IF_ERROR((co_await store::AppendOne(*machine.files.store, "U", 0, std::string(4000, '.'))).status());
  CO_RETURN_IF_ERROR(co_await machine.files.store->DeleteExpired());  // looks at the log, and how old it is counts from here
  (void)co_await core::Sleep(absl::Seconds(1));
  CO_RETURN_IF_ERROR(co_await machine.files.store->DeleteExpired());
  *gone = machine.files.store->Span().begin > store::kSegmentBytesMin;
  EXPECT_TRUE(*gone);
  EXPECT_GE(machine.schedule->stats().copied_on, 50U);  // copies may expire as well
  (void)co_await core::Sleep(absl::Hours(1));
  co_return absl::OkStatus();
}
core::Task<absl::Status> AfterExpiryMain() {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine());
  EXPECT_EQ(machine.schedule->stats().waiting, 50U);
  (void)co_await core::Sleep(absl::Minutes(11));
  ExpectEachOnce(co_await Came(machine), 0, 50);
  co_return co_await CloseMachine(machine);
}
TEST(ScheduleFaultsTest, APowerCutAfterASegmentWentCostsNothing) {
  for (uint64_t seed = 1; seed <= 20 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 1);
    bool gone = false;
    node.Start([&gone] { return ExpireMain(&gone); });
    ASSERT_TRUE(world.RunUntil([&] { return gone; }, absl::Minutes(1))) << world.Describe();
    node.CutPower();
    node.Start(AfterExpiryMain);
    const absl::Status status = world.RunToEnd(node);
    EXPECT_TRUE(status.ok()) << status << world.Describe();
  }
}

// Catches a message that is lost, or comes twice, because there was no room for it at its time.
core::Task<absl::Status> FullMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine());
  for (int i = 0; i < 100; ++i)
    CO_RETURN_IF_ERROR(co_await StoreForLater(machine, absl::StrCat("m", i), absl::Minutes(1), 8000));
  node->disk().set_capacity(node->disk().used_bytes());
  absl::Status full;
  for (int i = 0; i < 500 && full.ok(); ++i)
    full = (co_await store::AppendOne(*machine.files.store, "U", 0, std::string(4000, '.'))).status();
  EXPECT_FALSE(full.ok());
  (void)co_await core::Sleep(absl::Minutes(2));
  EXPECT_LT(machine.schedule->stats().delivered, 100U);
  EXPECT_GT(machine.schedule->stats().waiting, 0U);
  node->disk().set_capacity(uint64_t{1} << 30);
  (void)co_await core::Sleep(absl::Minutes(1));
  EXPECT_EQ(machine.schedule->stats().waiting, 0U);
  ExpectEachOnce(co_await Came(machine), 0, 100);
  co_return co_await CloseMachine(machine);
}
TEST(ScheduleFaultsTest, AFullDiskHoldsUpAndLosesNothing) { InWorld(FullMain); }

/// Light queues of another shard, which takes nothing for the first second, but for those of "%LMQ%a".
struct OtherShard {
  core::WallMillis heals = 0;
  int copies_of_a = 0;
  int copies_of_b = 0;
  size_t under_way = 0;
  size_t under_way_max = 0;

  core::Task<absl::Status> Dispatch(std::string_view names, DispatchState* state, std::string* more) {
    under_way_max = std::max(under_way_max, ++under_way);
    (void)co_await core::Sleep(absl::Milliseconds(1));
    --under_way;
    EXPECT_EQ(names, "%LMQ%a,%LMQ%b");
    if (state->emplace("%LMQ%a", 7).second) ++copies_of_a;
    if (Now() < heals) co_return absl::UnavailableError("the log of the other shard takes no more");
    if (state->emplace("%LMQ%b", 8).second) ++copies_of_b;
    *more = "told";
    co_return absl::OkStatus();
  }
};

core::Task<absl::Status> DispatchFails() {
  OtherShard other;
  const auto dispatch = [&other](std::string_view names, store::MessageDraft*, DispatchState* state, std::string* more) {
    return other.Dispatch(names, state, more);
  };
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine(dispatch));
  for (int i = 0; i < 20; ++i) {
    const bool light = i % 2 == 0;
    CO_RETURN_IF_ERROR(co_await StoreForLater(machine, absl::StrCat("m", i), absl::Milliseconds(500 + i), 200, light ? "%LMQ%a,%LMQ%b" : ""));
  }
  CO_RETURN_IF_ERROR(co_await CloseMachine(machine));  // they are in a file of the index now
  CO_ASSIGN_OR_RETURN(machine, co_await OpenMachine(dispatch));
  (void)co_await core::Sleep(absl::Milliseconds(400));
  other.heals = Now() + 1000;
  (void)co_await core::Sleep(absl::Milliseconds(500));
  std::map<std::string, int> came = co_await Came(machine);
  EXPECT_EQ(came.size(), 0U) << "the index gives its entries away in their order";
  (void)co_await core::Sleep(absl::Milliseconds(1000));
  came = co_await Came(machine);
  ExpectEachOnce(came, 0, 20);
  EXPECT_EQ(other.copies_of_a, 10) << "a copy that is there is not made again";
  EXPECT_EQ(other.copies_of_b, 10);
  EXPECT_GT(other.under_way_max, 5U) << "they wait for the other shard together";
  co_return co_await CloseMachine(machine);
}

TEST(ScheduleFaultsTest, LightQueuesThatCanNotBeWrittenAreWaitedForAndGetEachMessageOnce) {
  const absl::Status status = sim::RunInWorld(7, 1, DispatchFails);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker
