// Goal: what the log of one shard acknowledged survives a kill, and when it was SYNC_FLUSH also a power cut; offsets stay dense, nothing
// damaged is served, and what a power cut takes of ASYNC_FLUSH is a suffix of at most 50 ms. What expired does not come back, though its file is used again.
// Method: one simulated machine a seed. Writers append to several queues, the machine dies at a random moment, sometimes again while it
// recovers, then everything is read back and compared with what was acknowledged.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "tests/sim/seeds.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr int kQueues = 5;

struct Acknowledged {
  std::string body;
  absl::Duration at;  // virtual time of the acknowledgement
  bool synced = false;
};

/// What the outside knows; lives outside the world that dies.
struct History {
  StoreOptions options;
  uint64_t seed = 0;
  int run = 0;
  bool opened = false;
  bool flush_fails = false;  // at some time, and with it the log
  bool deletes = false;  // segments expire all the time, and their files become new ones
  uint64_t reused = 0;   // these, at most in one run
  std::map<std::pair<std::string, int64_t>, Acknowledged> acknowledged;
};

core::Task<void> Write(ShardStore& store, History& history, int writer, core::StopToken stop) {
  core::Reactor& reactor = core::Reactor::Current();
  for (int i = 0; !stop.stop_requested(); ++i) {
    const std::string topic = absl::StrCat("topic-", reactor.RandomBits() % kQueues);
    const size_t count = reactor.RandomBits() % 8 == 0 ? 1 + reactor.RandomBits() % 10 : 1;
    std::vector<std::string> bodies;
    std::vector<MessageDraft> drafts;
    for (size_t n = 0; n < count; ++n) {
      bodies.push_back(absl::StrCat(history.seed, ".", history.run, ".", writer, ".", i, ".", n, " "));
      bodies.back().resize(bodies.back().size() + reactor.RandomBits() % (reactor.RandomBits() % 20 == 0 ? 20000 : 2000), '.');
    }
    for (const std::string& body : bodies) drafts.push_back(DraftOf(topic, 0, body));
    const bool synced = history.options.durability == Durability::kSynced || reactor.RandomBits() % 50 == 0;
    const absl::StatusOr<AppendResult> appended = co_await store.Append(drafts, synced ? Durability::kSynced : Durability::kAsync);
    if (!appended.ok() && history.flush_fails) {
      core::Sleep until_it_dies(absl::Hours(1), stop);
      (void)co_await until_it_dies;
    }
    if (!appended.ok()) co_return;
    for (size_t n = 0; n < count; ++n) {
      const int64_t offset = appended->first_queue_offset.value() + static_cast<int64_t>(n);
      history.acknowledged[{topic, offset}] = {bodies[n], sim::World::Current()->now(), synced};
    }
    if (reactor.RandomBits() % 30 == 0) {
      core::Sleep pause(absl::Microseconds(reactor.RandomBits() % 20000));
      (void)co_await pause;
    }
  }
}

/// Old messages go while new ones come.
core::Task<void> Delete(ShardStore& store, History& history, core::StopToken stop) {
  while (!stop.stop_requested()) {
    core::Sleep pause(absl::Microseconds(core::Reactor::Current().RandomBits() % 20000), stop);
    (void)co_await pause;
    const absl::Status deleted = co_await store.DeleteExpired();
    if (!deleted.ok()) ADD_FAILURE() << deleted;
    history.reused = std::max(history.reused, store.Stats().segments_reused);
  }
}

core::Task<absl::Status> WriteMain(History* history) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", history->options));
  history->opened = true;
  core::Scope writers;
  for (int w = 0; w < 8; ++w) writers.Spawn(Write(*opened.store, *history, w, writers.stop_token()));
  if (history->deletes) writers.Spawn(Delete(*opened.store, *history, writers.stop_token()));
  co_await writers.Join();
  co_return absl::InternalError("the writers stopped by themselves");
}

/// Reads everything back. `lost_after`: acknowledgements from then on may be missing, as a suffix of the log; none before.
core::Task<absl::Status> Compare(ShardStore& store, History* history, absl::Duration lost_after) {
  std::map<std::pair<std::string, int64_t>, std::string> found;
  for (int q = 0; q < kQueues; ++q) {
    const std::string topic = absl::StrCat("topic-", q);
    const int64_t max = store.MaxOffset({topic, 0}).value();
    for (int64_t next = store.MinOffset({topic, 0}).value(); next < max;) {
      const FetchResult result = co_await FetchFrom(store, topic, 0, next);
      if (result.status != FetchStatus::kFound) {
        co_return absl::InternalError(absl::StrCat("a hole at ", topic, " ", next, " of ", max, ", status ", static_cast<int>(result.status)));
      }
      for (std::string& body : BodiesOf(result)) found[{topic, next++}] = std::move(body);
    }
  }
  if (store.Stats().damaged_records != 0) co_return absl::InternalError("a crash was taken for damage");
  for (auto entry = history->acknowledged.begin(); entry != history->acknowledged.end();) {
    const auto& [topic, offset] = entry->first;
    if (history->deletes && offset < store.MinOffset({topic, 0}).value()) {
      entry = history->acknowledged.erase(entry);
      continue;
    }
    const auto seen = found.find(entry->first);
    const std::string name = absl::StrCat(entry->first.first, " ", entry->first.second, " acknowledged at ", absl::FormatDuration(entry->second.at));
    if (seen == found.end() || seen->second != entry->second.body) {
      if (entry->second.synced || entry->second.at < lost_after) {
        co_return absl::InternalError(absl::StrCat(name, seen == found.end() ? " is lost" : core::StrCat(" is another message now: ", seen->second.substr(0, 30), " instead of ", entry->second.body.substr(0, 30))));
      }
      entry = history->acknowledged.erase(entry);  // gone for good: its offset may be given out again
      continue;
    }
    ++entry;
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> CheckMain(History* history, absl::Duration lost_after) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", history->options));
  const absl::Status compared = co_await Compare(*opened.store, history, lost_after);
  const absl::Status closed = co_await CloseBoth(opened);
  co_return compared.ok() ? closed : compared;
}

enum class Death { kKill, kPowerCut };

/// Returns how many segments were made of the files of expired ones.
uint64_t RunSeed(uint64_t seed, Death death, Durability durability) {
  SCOPED_TRACE(sim::Again(seed));
  sim::World world(seed);
  sim::Node& node = world.AddNode("broker", 1);
  History history;
  history.seed = seed;
  history.options.durability = durability;
  history.options.segment_bytes = kSegmentBytesMin << (seed % 3);
  history.options.append_buffer_bytes = size_t{2} << 20;
  history.deletes = seed % 2 == 0;
  if (history.deletes) history.options.reserved_time = absl::Milliseconds(10);
  for (history.run = 0; history.run < 3; ++history.run) {
    node.Start([&history] { return WriteMain(&history); });
    world.RunFor(absl::Microseconds(world.random().Between(500, 150'000)));
    const auto die = [&] { death == Death::kKill ? node.Kill() : node.CutPower(); };
    const absl::Duration died = world.now();
    if (node.result().has_value()) {
      ADD_FAILURE() << *node.result() << "\n" << world.Describe();
      return 0;
    }
    die();
    const absl::Duration lost_after =
        death == Death::kKill || durability == Durability::kSynced ? absl::InfiniteDuration() : died - absl::Milliseconds(50);
    if (world.random().OneIn(3)) {
      // Again, while it recovers.
      node.Start([&history, lost_after] { return CheckMain(&history, lost_after); });
      world.RunFor(absl::Microseconds(world.random().Between(1, 3'000)));
      die();
    }
    node.Start([&history, lost_after] { return CheckMain(&history, lost_after); });
    const absl::Status checked = world.RunToEnd(node);
    if (!checked.ok()) {
      ADD_FAILURE() << "run " << history.run << ": " << checked << "\n" << world.Describe();
      return 0;
    }
  }
  EXPECT_TRUE(history.opened);
  return history.reused;
}

void RunSeeds(Death death, Durability durability) {
  const uint64_t first = sim::FirstSeed(), seeds = sim::SeedCount(60);
  uint64_t reused = 0;
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) reused += RunSeed(seed, death, durability);
  if (seeds >= 20) EXPECT_GT(reused, seeds / 10) << "no seed shows what reused files hold";
}

/// A flush that fails leaves what it should have saved readable, and a later flush that succeeds does not save it either. What a start has read it must
/// not take for saved: it is seen by consumers, and the next power cut must not take it.
void RunSeedWithFailedFlush(uint64_t seed, Durability durability) {
  SCOPED_TRACE(sim::Again(seed));
  sim::World world(seed);
  sim::Node& node = world.AddNode("broker", 1);
  History history;
  history.seed = seed;
  history.flush_fails = true;
  history.options.durability = durability;
  history.options.segment_bytes = kSegmentBytesMin << (seed % 3);
  history.options.append_buffer_bytes = size_t{2} << 20;
  node.disk().Inject({.op = sim::DiskOp::kSync, .path_contains = "0.log", .skip = 2 + world.random().Below(6), .times = 1});
  node.Start([&history] { return WriteMain(&history); });
  world.RunFor(absl::Microseconds(world.random().Between(50'000, 300'000)));
  ASSERT_FALSE(node.result().has_value()) << *node.result() << "\n" << world.Describe();
  node.Kill();
  node.disk().ClearFaults();
  for (const char* after : {"the kill", "the power cut"}) {
    node.Start([&history] { return CheckMain(&history, absl::InfiniteDuration()); });
    const absl::Status checked = world.RunToEnd(node);
    ASSERT_TRUE(checked.ok()) << "after " << after << ": " << checked << "\n" << world.Describe();
    world.CutPower(node);
  }
}

void RunSeedsWithFailedFlush(Durability durability) {
  const uint64_t first = sim::FirstSeed(), seeds = sim::SeedCount(60);
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) RunSeedWithFailedFlush(seed, durability);
}

TEST(StoreCrashTest, WhatIsReadAfterAFailedFlushStaysAsync) { RunSeedsWithFailedFlush(Durability::kAsync); }
TEST(StoreCrashTest, WhatIsReadAfterAFailedFlushStaysSynced) { RunSeedsWithFailedFlush(Durability::kSynced); }

TEST(StoreCrashTest, KilledAsync) { RunSeeds(Death::kKill, Durability::kAsync); }
TEST(StoreCrashTest, KilledSynced) { RunSeeds(Death::kKill, Durability::kSynced); }
TEST(StoreCrashTest, PowerCutSynced) { RunSeeds(Death::kPowerCut, Durability::kSynced); }
TEST(StoreCrashTest, PowerCutAsyncLosesASuffixAtMost) { RunSeeds(Death::kPowerCut, Durability::kAsync); }

}  // namespace
}  // namespace store
