// Goal: whichever operation of the disk fails, nothing crashes or hangs, and nobody was told what is not so: what was acknowledged is there once the
// disk works again, as its mode promises, and what was refused is not.
// Method: one small course of everything that a store does with its disk: made, topics stored, messages in both modes, a segment left behind and
// sealed, offsets stored, a topic dropped, a segment expired, closed; opened, read, written, killed; opened, written, closed. It is run again and again; in run N the
// N-th operation fails, alone or with all that follow, until N is beyond the last one. After each run the disk is healed, the power may go, and the store
// is opened and compared with what was told. A second course is of messages for later: stored, taken back, delivered, with an index so small that each is a
// run of its own, and merged. RINGMQ_SIM_STATES below 1,000 leaves some N out. One run again: RINGMQ_SIM_FIRST=N RINGMQ_SIM_STATES=1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "tests/sim/small_schedule.h"
#include "tests/sim/small_store.h"

namespace store {
namespace {

struct Course {
  Durability durability;
  Told told = {};
  std::map<std::string, std::string> stored = {};               // metadata that were acknowledged
  std::map<std::string, std::vector<std::string>> unsure = {};  // and those that failed since
  bool drop_begun = false;
  bool dropped = false;
  bool expiry_begun = false;
  bool killable = false;
  std::string last;  // how far it came
};

StoreOptions OptionsOf(Durability durability) {
  StoreOptions options = SmallStoreOptions(durability);
  options.reserved_time = absl::Milliseconds(20);
  options.delete_when_hours = {};  // only when asked
  return options;
}

core::Task<void> Store(MetaStore& meta, Course& course, MetaTable table, std::string key, std::string value) {
  std::vector<MetaChange> changes;
  changes.push_back({table, key, value});
  const absl::Status status = co_await meta.Commit(std::move(changes));
  if (status.ok()) {
    course.stored[key] = value;
    course.unsure[key].clear();
  } else {
    course.unsure[key].push_back(value);
  }
}

core::Task<void> SendTo(SmallStore& opened, Course& course, std::string topic, int number, size_t bytes) {
  const Durability durability =
      course.durability == Durability::kSynced || number % 3 == 0 ? Durability::kSynced : Durability::kAsync;
  // The answer is in course.told.
  (void)co_await Send(opened.log(), course.told, std::move(topic), BodyOf(core::StrCat("m", number), bytes),
                      durability);
}

core::Task<void> Pause(absl::Duration lasting) {
  core::Sleep pause(lasting);
  (void)co_await pause;
}

core::Task<void> FirstLifeOf(SmallStore& opened, Course& course, bool expires) {
  co_await Store(opened.meta(), course, MetaTable::kTopics, "T", "{\"queues\":4}");
  for (int i = 0; i < 6; ++i) co_await SendTo(opened, course, i % 2 == 0 ? "T" : "U", i, 700);
  course.last = "rolling";
  for (int i = 6; i < 26; ++i) co_await SendTo(opened, course, "T", i, 15'000);
  course.last = "sealing";
  if (expires) (void)co_await opened.log().DeleteExpired();  // looks at the log: how old it is counts from here
  co_await Pause(absl::Milliseconds(200));
  co_await Store(opened.meta(), course, MetaTable::kConsumerOffsets, "G T 0", "7");
  course.last = "dropping";
  course.drop_begun = true;
  course.dropped = (co_await opened.log().DropTopic("U")).ok();
  course.last = "expiring";
  course.expiry_begun = expires;
  if (expires) (void)co_await opened.log().DeleteExpired();
  co_await SendTo(opened, course, "T", 26, 500);
  course.last = "closing";
}

core::Task<void> FirstLife(SmallStore& opened, Course& course) { return FirstLifeOf(opened, course, true); }
/// Its full segments are there in the lives after it.
core::Task<void> FirstLifeThatKeepsAll(SmallStore& opened, Course& course) {
  return FirstLifeOf(opened, course, false);
}

core::Task<void> SecondLife(SmallStore& opened, Course& course) {
  course.last = "reading";
  Seen seen;
  (void)co_await ReadEverything(opened.log(), course.told, seen);
  course.last = "writing again";
  for (int i = 27; i < 30; ++i) co_await SendTo(opened, course, i == 28 ? "V" : "T", i, 900);
  co_await Store(opened.meta(), course, MetaTable::kConsumerOffsets, "G T 0", "9");
  course.last = "being killed";
  course.killable = true;
  co_await Pause(absl::Hours(1));
}

core::Task<void> ThirdLife(SmallStore& opened, Course& course) {
  course.last = "writing after a kill";
  for (int i = 30; i < 32; ++i) co_await SendTo(opened, course, "T", i, 900);
  course.last = "closing";
}

// The course of messages for later. What is stored for a later life is due before it.

constexpr absl::Duration kBetweenLives = absl::Minutes(10);

core::Task<void> StoreForLater(SmallSchedule& schedule, int number, absl::Duration delay) {
  // The answer is in course.told.
  (void)co_await schedule.Store(BodyOf(core::StrCat("w", number), 200), delay);
}

/// Runs what a life does beside the index, which it closes.
core::Task<void> WithSchedule(SmallStore& opened, Course& course, core::Task<void> (*life)(SmallSchedule&, Course&)) {
  const absl::StatusOr<std::unique_ptr<SmallSchedule>> schedule =
      co_await SmallSchedule::Open(opened, course.told, course.durability, 1);
  if (!schedule.ok()) co_return;
  co_await life(**schedule, course);
  (void)co_await (*schedule)->Close();
}

core::Task<void> StoreSome(SmallSchedule& schedule, Course& course) {
  course.last = "storing for later";
  co_await StoreForLater(schedule, 0, absl::Milliseconds(1));
  co_await StoreForLater(schedule, 1, kBetweenLives / 2);
  co_await StoreForLater(schedule, 2, kBetweenLives * 3 / 2);
  co_await StoreForLater(schedule, 3, kBetweenLives / 2);
  course.last = "delivering";
  co_await Pause(absl::Milliseconds(5));
  (void)co_await schedule.DeliverDue();
  course.last = "taking back";
  (void)co_await schedule.TakeBack(BodyOf("w3", 200));
  co_await StoreForLater(schedule, 4, kBetweenLives * 3 / 2);
  course.last = "closing";
}

core::Task<void> DeliverSome(SmallSchedule& schedule, Course& course) {
  course.last = "delivering again";
  (void)co_await schedule.DeliverDue();
  co_await StoreForLater(schedule, 5, kBetweenLives / 2);
  // A start that could not read the log's end has nothing to chain on: what it takes in ASYNC_FLUSH is cut off by one that can, until a mark covers it
  // (docs/RELIABILITY.md, open).
  if (course.durability == Durability::kAsync) co_await Pause(absl::Milliseconds(100));
  course.last = "being killed";
  course.killable = true;
  co_await Pause(absl::Hours(1));
}

core::Task<void> DeliverMore(SmallSchedule& schedule, Course& course) {
  course.last = "delivering after a kill";
  (void)co_await schedule.DeliverDue();
  course.last = "closing";
}

core::Task<void> FirstLaterLife(SmallStore& opened, Course& course) { return WithSchedule(opened, course, StoreSome); }
core::Task<void> SecondLaterLife(SmallStore& opened, Course& course) {
  return WithSchedule(opened, course, DeliverSome);
}
core::Task<void> ThirdLaterLife(SmallStore& opened, Course& course) {
  return WithSchedule(opened, course, DeliverMore);
}

using Life = core::Task<void> (*)(SmallStore&, Course&);

core::Task<absl::Status> LiveMain(Course* course, Life life) {
  course->last = "opening";
  CO_ASSIGN_OR_RETURN(SmallStore opened, co_await OpenSmall(OptionsOf(course->durability)));
  co_await life(opened, *course);
  CO_RETURN_IF_ERROR(co_await CloseSmall(opened));
  course->last = "the end";
  co_return absl::OkStatus();
}

struct Reading {
  Course* course;
  Seen seen = {};
  std::vector<std::string> wrong = {};
};

core::Task<absl::Status> CheckMain(Reading* reading) {
  Course& course = *reading->course;
  CO_ASSIGN_OR_RETURN(SmallStore opened, co_await OpenSmall(OptionsOf(course.durability)));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<SmallSchedule> schedule,
                      co_await SmallSchedule::Open(opened, course.told, course.durability));
  const absl::Status delivered = co_await schedule->DeliverDue();
  for (const auto& [key, value] : course.stored) {
    const std::string* found = opened.meta().Find(key == "T" ? MetaTable::kTopics : MetaTable::kConsumerOffsets, key);
    const auto& others = course.unsure.at(key);
    if (found == nullptr || (*found != value && std::find(others.begin(), others.end(), *found) == others.end())) {
      reading->wrong.push_back(
          core::StrCat(key, " is ", found == nullptr ? "gone" : *found, " and was stored as ", value));
    }
  }
  absl::Status status = co_await ReadEverything(opened.log(), course.told, reading->seen);
  status.Update(delivered);
  status.Update(co_await schedule->Close());
  status.Update(co_await CloseSmall(opened));
  co_return status;
}

/// What contradicts the course, or nothing. `power`: it was cut, so what was acknowledged without a flush may be gone.
std::string Judge(const Course& course, const Reading& reading, bool power) {
  std::string wrong = Lines(reading.wrong) + Lines(Contradictions(course.told, reading.seen)) +
                      Lines(LaterContradictions(course.told, reading.seen));
  for (const Place& place : MissingFrom(course.told, reading.seen)) {
    if (place.first == "U" && course.drop_begun) continue;
    if (power && !course.told.acknowledged.at(place).synced) continue;
    const auto range = reading.seen.ranges.find(place.first);
    const bool expired =
        course.expiry_begun && range != reading.seen.ranges.end() && place.second < range->second.first;
    if (!expired) wrong += core::StrCat("lost: ", place.first, " ", place.second, "\n");
  }
  for (const auto& [place, body] : reading.seen.messages) {
    if (place.first == "U" && course.dropped) wrong += "a dropped topic is back\n";
  }
  // A flush that failed gives up what it should have saved, and the next one says that all is well (DiskOp::kSync): what the log shows then may
  // be gone after a power cut, and that is damage.
  const bool flushed = course.durability == Durability::kSynced || !power;
  if (flushed && reading.seen.damaged_records + reading.seen.damaged_bytes > 0)
    wrong += "a failure was taken for damage\n";
  return wrong;
}

struct Kind {
  const char* what;
  sim::FaultKind kind;
  int error;
  uint64_t times;
  std::optional<sim::DiskOp> op = {};
};

struct Script {
  Life lives[3];
  absl::Duration between = absl::ZeroDuration();  // the clock's way from one to the next
  bool all = true;  // also a power cut in ASYNC_FLUSH, and none in SYNC_FLUSH: they promise least
};
constexpr Script kEverything = {{FirstLife, SecondLife, ThirdLife}};
constexpr Script kNothingExpires = {{FirstLifeThatKeepsAll, SecondLife, ThirdLife}};
constexpr Script kForLater = {{FirstLaterLife, SecondLaterLife, ThirdLaterLife}, kBetweenLives, false};

/// Runs the course with its `number`-th operation failing. False: it has not so many.
bool RunOnce(const Kind& kind, const Script& script, Durability durability, bool power, uint64_t number) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  Course course{.durability = durability, .last = ""};
  sim::SimDisk& disk = node.disk();
  disk.Inject({.op = kind.op, .skip = number - 1, .times = kind.times, .kind = kind.kind, .error = kind.error});
  std::string how =
      core::StrCat(kind.what, ", operation ", number, ", ", durability == Durability::kSynced ? "SYNC" : "ASYNC",
                   "_FLUSH, ", power ? "then a power cut" : "then a restart", ", came to");
  for (const Life life : script.lives) {
    node.JumpWallClock(script.between);
    node.Start([&course, life] { return LiveMain(&course, life); });
    const bool ended =
        world.RunUntil([&] { return !node.running() || std::exchange(course.killable, false); }, absl::Minutes(50));
    how += core::StrCat(" ", course.last, ",");
    if (!ended) {
      ADD_FAILURE() << how << " and hangs\n" << AgainState(number) << world.Describe();
      return false;
    }
    if (!node.running()) continue;
    if (power && durability == Durability::kSynced)
      node.CutPower();
    else
      node.Kill();
  }
  const bool happened = disk.faults_happened() > 0;
  if (!happened && course.last != "the end") ADD_FAILURE() << "nothing failed and yet: " << *node.result() << how << "\n" << AgainState(number);
  disk.ClearFaults();
  if (power) node.CutPower();
  node.JumpWallClock(script.between);
  Reading reading{.course = &course};
  node.Start([&reading] { return CheckMain(&reading); });
  const absl::Status status = world.RunToEnd(node);
  const std::string wrong = Judge(course, reading, power);
  if (!status.ok() || !wrong.empty()) ADD_FAILURE() << how << "\n" << status << "\n" << wrong << AgainState(number) << world.Describe();
  return happened;
}

void Sweep(const Kind& kind, const Script& script = kEverything) {
  const uint64_t step = std::max<uint64_t>(1, 1000 / std::max<uint64_t>(StateCount(), 1));
  const uint64_t runs_max = StateCount() == 1 ? 1 : UINT64_MAX;
  uint64_t left_out = 0;  // by what comes next too, were it always the same
  for (const Durability durability : {Durability::kSynced, Durability::kAsync}) {
    for (const bool power : {false, true}) {
      if (!script.all && power != (durability == Durability::kSynced)) continue;
      uint64_t runs = 0, number = FirstState() + (runs_max > 1 ? left_out++ % step : 0);
      while (runs < runs_max && RunOnce(kind, script, durability, power, number) && !testing::Test::HasFailure()) {
        ++runs;
        number += step;
      }
      std::printf("%s, %s_FLUSH, %s: %llu of about %llu operations failed\n", kind.what,
                  durability == Durability::kSynced ? "SYNC" : "ASYNC", power ? "power cut" : "restart",
                  static_cast<unsigned long long>(runs), static_cast<unsigned long long>(number - 1));
      if (testing::Test::HasFailure()) return;
      if (runs_max > 1)
        EXPECT_GT(number, kind.op.has_value() || kind.kind == sim::FaultKind::kShort ? 10U : 100U)
            << "the course does next to nothing";
    }
  }
}

TEST(SweepTest, AnOperationFailsOnce) { Sweep({"EIO once", sim::FaultKind::kError, EIO, 1}); }
TEST(SweepTest, AllOperationsFailFromOneOn) { Sweep({"EIO for good", sim::FaultKind::kError, EIO, UINT64_MAX}); }
TEST(SweepTest, NoSpaceOnce) { Sweep({"ENOSPC once", sim::FaultKind::kError, ENOSPC, 1}); }
TEST(SweepTest, NoSpaceFromOneOn) { Sweep({"ENOSPC for good", sim::FaultKind::kError, ENOSPC, UINT64_MAX}); }
TEST(SweepTest, AllReadsFailFromOneOn) {
  Sweep({"EIO of reads for good", sim::FaultKind::kError, EIO, UINT64_MAX, sim::DiskOp::kRead});
}
TEST(SweepTest, OfAFullSegmentAllReadsFailFromOneOn) {
  Sweep({"EIO of reads for good", sim::FaultKind::kError, EIO, UINT64_MAX, sim::DiskOp::kRead}, kNothingExpires);
}
TEST(SweepTest, AReadEndsEarly) { Sweep({"a short read", sim::FaultKind::kShort, 0, 1}); }

TEST(SweepTest, OfMessagesForLaterAnOperationFailsOnce) {
  Sweep({"EIO once", sim::FaultKind::kError, EIO, 1}, kForLater);
}
TEST(SweepTest, OfMessagesForLaterAllOperationsFailFromOneOn) {
  Sweep({"EIO for good", sim::FaultKind::kError, EIO, UINT64_MAX}, kForLater);
}
TEST(SweepTest, OfMessagesForLaterNoSpaceFromOneOn) {
  Sweep({"ENOSPC for good", sim::FaultKind::kError, ENOSPC, UINT64_MAX}, kForLater);
}
TEST(SweepTest, OfMessagesForLaterAllReadsFailFromOneOn) {
  Sweep({"EIO of reads for good", sim::FaultKind::kError, EIO, UINT64_MAX, sim::DiskOp::kRead}, kForLater);
}

}  // namespace
}  // namespace store
