// Goal: a write that the disk reports as done and has lost, or has put to another block, is found out: what lies in the wrong place is not
// served, messages of the batches that were hit and are gone are said to be missing, all others are there, and no offset is given out again. What waits for
// its time comes then, once.
// Method: a small store is written to on a disk that lets one write go astray, ends in order or is killed after a quiet second, and is
// opened, read, written to and opened again. RINGMQ_SIM_STATES says how many. One again: RINGMQ_SIM_FIRST=STATE RINGMQ_SIM_STATES=1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/reactor.h"
#include "core/scope.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "tests/sim/small_schedule.h"
#include "tests/sim/small_store.h"

namespace store {
namespace {

struct Course {
  Durability durability;
  bool closed;
  Told told = {};
  bool ready = false;
};

core::Task<void> SendSome(ShardStore& store, Course& course, int writer) {
  core::Reactor& reactor = core::Reactor::Current();
  for (int i = 0; i < 8; ++i) {
    std::string body = BodyOf(core::StrCat("m", writer, ".", i),
                              100 + reactor.RandomBits() % (reactor.RandomBits() % 4 == 0 ? 20'000 : 2000));
    if (!(co_await Send(store, course.told, core::StrCat("topic-", writer % 2), std::move(body), course.durability))
             .ok())
      co_return;
    core::Sleep pause(absl::Microseconds(reactor.RandomBits() % 3000));
    (void)co_await pause;
  }
}

/// From one run to the next.
constexpr absl::Duration kStep = absl::Minutes(1);

core::Task<void> StoreForLater(SmallSchedule& schedule) {
  for (int i = 0; i < 12; ++i) {
    const absl::Duration delay = i % 4 == 0 ? absl::Milliseconds(2) : i % 4 == 1 ? kStep / 2 : kStep * 3 / 2;
    if (!(co_await schedule.Store(BodyOf(core::StrCat("w", i), 100), delay)).ok()) co_return;
    if (i == 9 && !(co_await schedule.TakeBack(BodyOf("w5", 100))).ok()) co_return;
    if (!(co_await schedule.DeliverDue()).ok()) co_return;
  }
}

core::Task<absl::Status> WriteMain(Course* course) {
  CO_ASSIGN_OR_RETURN(SmallStore opened, co_await OpenSmall(SmallStoreOptions(course->durability)));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<SmallSchedule> schedule,
                      co_await SmallSchedule::Open(opened, course->told, course->durability, 2));
  core::Scope writers;
  writers.Spawn(StoreForLater(*schedule));
  for (int writer = 0; writer < 3; ++writer) writers.Spawn(SendSome(opened.log(), *course, writer));
  for (int i = 0; i < 3; ++i) {
    std::vector<MetaChange> changes;
    changes.push_back({MetaTable::kTopics, core::StrCat("topic-", i), "{}"});
    (void)co_await opened.meta().Commit(std::move(changes));
  }
  co_await writers.Join();
  core::Sleep quiet(absl::Seconds(1));
  (void)co_await quiet;
  course->ready = true;
  core::Sleep rest(course->closed ? absl::ZeroDuration() : absl::Hours(1));
  (void)co_await rest;
  absl::Status status = co_await schedule->Close();
  status.Update(co_await CloseSmall(opened));
  co_return status;
}

core::Task<absl::Status> CheckMain(Reopening* reading) {
  CO_ASSIGN_OR_RETURN(SmallStore opened, co_await OpenSmall(SmallStoreOptions(reading->durability)));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<SmallSchedule> schedule,
                      co_await SmallSchedule::Open(opened, *reading->told, reading->durability));
  absl::Status status = co_await schedule->DeliverDue();
  if (status.ok()) status = co_await ReadEverything(opened.log(), *reading->told, reading->seen);
  reading->made_anew = schedule->made_anew();
  if (status.ok() && reading->write) {
    for (const std::string topic : {"topic-0", "topic-1"}) {
      Told later;
      status =
          co_await Send(opened.log(), later, topic, BodyOf(core::StrCat("later ", topic), 1000), reading->durability);
      if (!status.ok()) break;
      const Place& place = later.acknowledged.begin()->first;
      if (reading->told->acknowledged.contains(place))
        status = absl::InternalError(core::StrCat("offset ", place.second, " was given out again"));
    }
  }
  status.Update(co_await schedule->Close());
  status.Update(co_await CloseSmall(opened));
  co_return status;
}

struct Totals {
  uint64_t writes = 0;
  uint64_t refused = 0;
  uint64_t missing = 0;
  uint64_t made_anew = 0;  // the index of what waits
};

/// How many messages lie in batches that the write should have written or has overwritten.
size_t MessagesHit(const Told& told, const sim::Astray& astray) {
  if (astray.path.find("/log-0/0") == std::string::npos || !astray.path.ends_with(".log")) return 0;
  const uint64_t segment = std::strtoull(astray.path.c_str() + astray.path.rfind('/') + 1, nullptr, 10);
  std::map<uint64_t, uint64_t> records;  // where each begins and ends
  for (const auto& [place, message] : told.acknowledged) records[message.position] = message.position + message.bytes;
  const auto overlaps = [&](uint64_t begin, uint64_t end, uint64_t offset) {
    return begin < segment + offset + astray.bytes && end > segment + offset;
  };
  size_t hit = 0;
  for (auto first = records.begin(); first != records.end();) {
    size_t count = 0;
    const uint64_t begin = first->first;
    uint64_t end = begin;
    for (; first != records.end() && first->first == end; ++first, ++count) end = first->second;
    // The batch's rows and the copy of its header follow its records.
    const uint64_t whole_end = begin - kBatchHeaderBytes + BatchBytes(end - begin, count);
    const bool in = overlaps(begin, whole_end, astray.offset) ||
                    (astray.instead.has_value() && overlaps(begin, whole_end, *astray.instead));
    if (in) hit += count;
  }
  return hit;
}

/// What is wrong, or nothing.
std::string Judge(sim::World& world, sim::Node& node, const Course& course, const sim::Astray& astray, Totals& totals) {
  Told known = course.told;
  for (const char* topic : {"topic-0", "topic-1"}) known.sent.insert(BodyOf(core::StrCat("later ", topic), 1000));
  const size_t hit = MessagesHit(known, astray);
  std::vector<Place> missing_first;
  for (int run = 0; run < 2; ++run) {
    node.JumpWallClock(kStep);
    Reopening reading{.told = &known, .durability = course.durability, .write = run == 0};
    node.Start([&reading] { return CheckMain(&reading); });
    const absl::Status status = world.RunToEnd(node);
    if (absl::IsDataLoss(status) && run == 0 && astray.path.find("/log-") == std::string::npos) {
      ++totals.refused;
      return "";
    }
    if (!status.ok()) return core::StrCat("run ", run, ": ", status.ToString(), "\n");
    size_t reused = 0;
    const std::vector<Place> missing = MissingFrom(known, reading.seen, &reused);
    std::string wrong = Lines(Contradictions(known, reading.seen));
    if (run == 1) wrong += Lines(LaterContradictions(known, reading.seen));
    totals.made_anew += reading.made_anew;
    if (missing.size() > hit)
      wrong += core::StrCat(missing.size(), " messages are missing and only ", hit, " were hit\n");
    if (reused > 0) wrong += "an offset would be given out again\n";
    if (run == 0 && !missing.empty() && reading.seen.damaged_records + reading.seen.damaged_bytes == 0)
      wrong += "nobody said that messages are missing\n";
    if (run == 1 && missing.size() > missing_first.size()) wrong += "the second start found more messages missing\n";
    if (!wrong.empty()) return core::StrCat("run ", run, ":\n", wrong);
    missing_first = missing;
    if (run == 0) totals.missing += missing.size();
  }
  return "";
}

TEST(StrayWriteTest, IsFoundOut) {
  std::map<std::string, Totals> totals;
  const uint64_t first = FirstState(), count = StateCount();
  for (uint64_t state = first; state < first + count; ++state) {
    sim::World world(state);
    sim::Random& random = world.random();
    sim::Node& node = world.AddNode("node", 1);
    Course course{random.OneIn(2) ? Durability::kSynced : Durability::kAsync, random.OneIn(2)};
    const bool lost = random.OneIn(2);
    // Mostly one of the log's own; those of the index of what waits, and of the metadata, marks, indexes and headers otherwise.
    const std::string where = random.OneIn(4) ? "data/" : random.OneIn(4) ? ".due" : ".log";
    const uint64_t writes = where == ".due" ? 14 : course.durability == Durability::kSynced ? 30 : 14;
    node.disk().Inject({.op = sim::DiskOp::kWrite,
                        .path_contains = where,
                        .skip = random.Below(writes),
                        .kind = lost ? sim::FaultKind::kLost : sim::FaultKind::kMisdirected});
    node.Start([&course] { return WriteMain(&course); });
    ASSERT_TRUE(world.RunUntil([&] { return course.ready || !node.running(); }, absl::Minutes(1))) << AgainState(state) << world.Describe();
    // What went astray may be noticed at once, and the store fails then.
    if (course.closed && node.running()) (void)world.RunToEnd(node);
    node.Kill();
    node.disk().ClearFaults();
    if (node.disk().astray().empty()) continue;  // there were not so many writes
    const sim::Astray astray = node.disk().astray().front();
    const std::string name = astray.path.substr(astray.path.rfind('/') + 1);
    Totals& total = totals[core::StrCat(astray.instead.has_value() ? "misdirected " : "lost ",
                                        name.find_first_of("0123456789") == 0 ? name.substr(name.rfind('.')) : name)];
    ++total.writes;
    const std::string wrong = Judge(world, node, course, astray, total);
    ASSERT_EQ(wrong, "") << AgainState(state) << (course.durability == Durability::kSynced ? "SYNC" : "ASYNC")
                         << "_FLUSH, " << (course.closed ? "closed" : "killed") << ", a write of " << astray.bytes
                         << " bytes to " << astray.path << " at " << astray.offset
                         << (astray.instead.has_value() ? core::StrCat(" went to ", *astray.instead) : " was lost")
                         << "\n"
                         << world.Describe();
  }
  for (const auto& [kind, total] : totals) {
    std::printf("%-24s %6llu writes, %llu starts refused, %llu messages missing, index of what waits made anew %llu times\n",
                kind.c_str(), static_cast<unsigned long long>(total.writes),
                static_cast<unsigned long long>(total.refused), static_cast<unsigned long long>(total.missing),
                static_cast<unsigned long long>(total.made_anew));
  }
}

}  // namespace
}  // namespace store
