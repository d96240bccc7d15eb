// Goal: a delayed message whose send was acknowledged is in its queue once its time has come, once, and never before; whatever is taken back is not. Kills and
// power cuts in between, while the index of what waits is written, merged and made anew, and while segments expire under it.
// Method: one simulated machine a seed with one log and its schedule. Writers store messages for times near and far and take some back, the machine dies at a random
// moment, again and again; at the end all times have come and every queue is read.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/delay.h"
#include "broker/message_properties.h"
#include "broker/schedule.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/due_record.h"
#include "tests/sim/seeds.h"
#include "tests/unit/store/store_fixture.h"

namespace broker {
namespace {

using store::Durability;

constexpr int kQueues = 3;
constexpr absl::Duration kAsyncWindow = absl::Milliseconds(50);

struct Sent {
  core::WallMillis due = 0;
  absl::Duration acknowledged;  // virtual time
  bool may_be_lost = false;     // the power went soon after
  bool recalled = false;        // acknowledged, too
  bool recall_unsure = false;
  absl::Duration recalled_at;
};

/// What the outside knows; lives outside the world that dies.
struct History {
  Durability durability = Durability::kSynced;
  bool expires = false;
  uint64_t seed = 0;
  int run = 0;
  std::map<std::string, Sent> sent;  // acknowledged, by body
  std::set<std::string> attempted;
  uint64_t runs_seen = 0;
  uint64_t copied_on = 0;
  int64_t late_ms_max = 0;
};

struct Machine {
  store::OpenStore files;
  std::unique_ptr<Schedule> schedule;
};

store::StoreOptions LogOptions(const History& history) {
  store::StoreOptions options = store::SmallOptions();
  options.durability = history.durability;
  options.append_buffer_bytes = size_t{1} << 20;
  options.keepers = 1;
  if (history.expires) options.reserved_time = absl::Milliseconds(20);
  return options;
}

core::Task<absl::StatusOr<Machine>> OpenMachine(const History& history) {
  Machine machine;
  CO_ASSIGN_OR_RETURN(machine.files, co_await store::OpenIn("data", LogOptions(history)));
  ScheduleOptions options;
  options.index.directory = "data/log";
  options.index.memory_entries = 60;
  options.index.replay_bytes = 32 << 10;
  options.topic_exists = [](std::string_view topic) { return topic.starts_with("queue-"); };
  options.on_delivered = [](const store::MessageDraft&) {};
  CO_ASSIGN_OR_RETURN(machine.schedule,
                      co_await Schedule::Open(std::move(options), *machine.files.meta, *machine.files.store));
  machine.schedule->Start();
  co_return machine;
}

core::Task<absl::Status> CloseMachine(Machine& machine) {
  const absl::Status stopped = co_await machine.schedule->Stop();
  const absl::Status closed = co_await store::CloseBoth(machine.files);
  co_return stopped.ok() ? closed : stopped;
}

core::Task<void> Write(Machine& machine, History& history, int writer, core::StopToken stop) {
  core::Reactor& reactor = core::Reactor::Current();
  std::vector<std::string> mine;
  for (int i = 0; !stop.stop_requested(); ++i) {
    const std::string body = absl::StrCat(history.seed, ".", history.run, ".", writer, ".", i) +
                             std::string(reactor.RandomBits() % 1500, '.');
    const std::string topic = absl::StrCat("queue-", reactor.RandomBits() % kQueues);
    Delay delay;
    // Mostly soon; some in a while, some so far that only the end of the test sees them, and expiry has to copy them on.
    const uint64_t kind = reactor.RandomBits() % 10;
    delay.due = reactor.wall_now() + static_cast<int64_t>(kind < 7   ? 1 + reactor.RandomBits() % 60
                                                          : kind < 9 ? reactor.RandomBits() % 3000
                                                                     : 90'000 + reactor.RandomBits() % 50);
    std::string properties;
    AppendProperty(properties, kPropertyRealTopic, topic);
    AppendProperty(properties, kPropertyRealQueue, "0");
    AppendProperty(properties, kPropertyUniqKey, body);
    AppendProperty(properties, store::kPropertyDueTime, absl::StrCat(delay.due));
    store::MessageDraft draft = store::DraftOf(topic, 0, body);
    draft.properties = properties;
    history.attempted.insert(body);
    const absl::StatusOr<store::AppendResult> stored =
        co_await machine.schedule->Append(draft, delay.due, history.durability);
    if (!stored.ok()) co_return;
    Sent& noted = history.sent[body];
    noted.due = delay.due;
    noted.acknowledged = sim::World::Current()->now();
    mine.push_back(body);
    if (reactor.RandomBits() % 8 == 0) {
      const std::string& victim = mine[reactor.RandomBits() % mine.size()];
      Sent& sent = history.sent[victim];
      if (!sent.recalled && sent.due > reactor.wall_now() + 5) {
        // The topic is not kept here: ask for each.
        sent.recall_unsure = true;
        bool taken = false;
        for (int q = 0; q < kQueues && !taken; ++q) {
          const absl::StatusOr<bool> answer =
              co_await machine.schedule->TakeBack(absl::StrCat("queue-", q), victim, sent.due);
          if (!answer.ok()) co_return;
          taken = *answer;
        }
        if (taken) {
          sent.recalled = true;
          sent.recalled_at = sim::World::Current()->now();
        }
        sent.recall_unsure = false;
      }
    }
    if (reactor.RandomBits() % 10 == 0)
      (void)co_await core::Sleep(absl::Microseconds(reactor.RandomBits() % 20'000), stop);
  }
}

core::Task<void> Delete(Machine& machine, core::StopToken stop) {
  while (!stop.stop_requested()) {
    (void)co_await core::Sleep(absl::Microseconds(core::Reactor::Current().RandomBits() % 40'000), stop);
    const absl::Status deleted = co_await machine.files.store->DeleteExpired();
    if (!deleted.ok()) ADD_FAILURE() << deleted;
  }
}

core::Task<absl::Status> WriteMain(History* history) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine(*history));
  core::Scope work;
  for (int w = 0; w < 4; ++w) work.Spawn(Write(machine, *history, w, work.stop_token()));
  if (history->expires) work.Spawn(Delete(machine, work.stop_token()));
  for (;;) {
    (void)co_await core::Sleep(absl::Milliseconds(1));
    const ScheduleStats stats = machine.schedule->stats();
    history->runs_seen = std::max(history->runs_seen, stats.runs);
    history->copied_on = std::max(history->copied_on, stats.copied_on);
    history->late_ms_max = std::max(history->late_ms_max, stats.late_ms_max);
  }
}

/// Waits until nothing waits any more and compares.
core::Task<absl::Status> Compare(Machine& machine, const History* history) {
  for (int i = 0; machine.schedule->stats().waiting > 0; ++i) {
    if (i > 400)
      co_return absl::InternalError(absl::StrCat(machine.schedule->stats().waiting, " messages wait for ever"));
    (void)co_await core::Sleep(absl::Seconds(1));
  }
  std::map<std::string, int> found;
  for (int q = 0; q < kQueues; ++q) {
    const std::string topic = absl::StrCat("queue-", q);
    const int64_t max = machine.files.store->MaxOffset({topic, 0}).value();
    for (int64_t next = machine.files.store->MinOffset({topic, 0}).value(); next < max;) {
      const store::FetchResult result = co_await store::FetchFrom(*machine.files.store, topic, 0, next);
      if (result.status != store::FetchStatus::kFound)
        co_return absl::InternalError(absl::StrCat("a hole at ", topic, " ", next));
      for (const core::Slice& part : result.parts) {
        for (std::span<const std::byte> rest = part.bytes(); !rest.empty(); ++next) {
          const absl::StatusOr<store::RecordView> record = store::ParseRecord(rest);
          CO_RETURN_IF_ERROR(record.status());
          const std::string body(reinterpret_cast<const char*>(record->body.data()), record->body.size());
          const std::string name = body.substr(0, body.find("..") == std::string::npos ? 20 : body.find(".."));
          if (!history->attempted.contains(body)) co_return absl::InternalError(absl::StrCat("nobody sent ", name));
          if (++found[body] > 1) co_return absl::InternalError(absl::StrCat(name, " came twice"));
          const auto sent = history->sent.find(body);
          if (sent != history->sent.end() && record->store_timestamp < sent->second.due) {
            co_return absl::InternalError(
                absl::StrCat(name, " came ", sent->second.due - record->store_timestamp, " ms before its time"));
          }
          rest = rest.subspan(record->bytes);
        }
      }
    }
  }
  for (const auto& [body, sent] : history->sent) {
    const std::string name = body.substr(0, 20);
    const bool came = found.contains(body);
    if (sent.recalled && came && !sent.may_be_lost)
      co_return absl::InternalError(absl::StrCat(name, " was taken back and came"));
    // What has come early enough may have expired since.
    if (!came && !sent.recalled && !sent.recall_unsure && !sent.may_be_lost && !history->expires) {
      co_return absl::InternalError(absl::StrCat(name, " is lost, due at ", sent.due));
    }
    if (!came && !sent.recalled && !sent.recall_unsure && !sent.may_be_lost &&
        sent.due > core::Reactor::Current().wall_now() - 10'000) {
      co_return absl::InternalError(absl::StrCat(name, " is lost, due at ", sent.due));
    }
  }
  if (machine.schedule->stats().damaged != 0) co_return absl::InternalError("a crash was taken for damage");
  co_return absl::OkStatus();
}

core::Task<absl::Status> EndMain(History* history) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine(*history));
  const absl::Status compared = co_await Compare(machine, history);
  const absl::Status closed = co_await CloseMachine(machine);
  co_return compared.ok() ? closed : compared;
}

enum class Death { kKill, kPowerCut };

void RunSeed(uint64_t seed, Death death, Durability durability, History& history) {
  SCOPED_TRACE(sim::Again(seed));
  sim::World world(seed);
  sim::Node& node = world.AddNode("broker", 1);
  history.seed = seed;
  history.durability = durability;
  history.expires = seed % 3 == 0;
  for (history.run = 0; history.run < 4; ++history.run) {
    node.Start([&history] { return WriteMain(&history); });
    world.RunFor(absl::Microseconds(world.random().Between(500, 400'000)));
    ASSERT_FALSE(node.result().has_value()) << *node.result() << "\n" << world.Describe();
    const absl::Duration died = world.now();
    death == Death::kKill ? node.Kill() : node.CutPower();
    if (death == Death::kPowerCut && durability == Durability::kAsync) {
      for (auto& [body, sent] : history.sent) {
        if (sent.acknowledged >= died - kAsyncWindow || (sent.recalled && sent.recalled_at >= died - kAsyncWindow))
          sent.may_be_lost = true;
      }
    }
    if (world.random().OneIn(3)) world.RunFor(absl::Milliseconds(world.random().Between(1, 2000)));
  }
  node.Start([&history] { return EndMain(&history); });
  const absl::Status ended = world.RunToEnd(node, absl::Hours(3));
  ASSERT_TRUE(ended.ok()) << ended << "\n" << world.Describe();
}

void RunSeeds(Death death, Durability durability) {
  const uint64_t first = sim::FirstSeed(), seeds = sim::SeedCount(60);
  uint64_t runs_seen = 0;
  uint64_t copied_on = 0;
  int64_t late = 0;
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) {
    History history;
    RunSeed(seed, death, durability, history);
    runs_seen = std::max(runs_seen, history.runs_seen);
    copied_on += history.copied_on;
    late = std::max(late, history.late_ms_max);
  }
  if (seeds < 20 || testing::Test::HasFailure()) return;
  EXPECT_GT(runs_seen, 1U) << "no index was ever written";
  EXPECT_GT(copied_on, 0U) << "no segment expired under a message that waits";
  testing::Test::RecordProperty("late_ms_max", static_cast<int>(late));
}

TEST(ScheduleCrashTest, KilledAsync) { RunSeeds(Death::kKill, Durability::kAsync); }
TEST(ScheduleCrashTest, KilledSynced) { RunSeeds(Death::kKill, Durability::kSynced); }
TEST(ScheduleCrashTest, PowerCutSynced) { RunSeeds(Death::kPowerCut, Durability::kSynced); }
TEST(ScheduleCrashTest, PowerCutAsync) { RunSeeds(Death::kPowerCut, Durability::kAsync); }

}  // namespace
}  // namespace broker
