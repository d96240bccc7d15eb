// Goal: a transaction whose commit was acknowledged is in its queue, once; one that was rolled back, or that nobody has ended, is not; what nobody has ended is
// still pending and its producer is asked. Kills and power cuts in between, while the index of what is pending is written, merged and made anew,
// while segments expire under it, while transactions are put aside and while the wall clock steps forward.
// Method: one simulated machine a seed with one log. Writers begin transactions and end most of them, some twice and some at once from two sides, the machine dies at
// a random moment, again and again; at the end every queue is read, and what is pending must be what the history leaves open.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/config.h"
#include "broker/half_message.h"
#include "broker/message_properties.h"
#include "broker/schedule.h"
#include "broker/system_topics.h"
#include "broker/transactions.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/half_record.h"
#include "tests/sim/seeds.h"
#include "tests/unit/store/store_fixture.h"

namespace broker {
namespace {

using store::Durability;

constexpr int kQueues = 3;
constexpr absl::Duration kAsyncWindow = absl::Milliseconds(50);
constexpr std::string_view kGroup = "producers";

enum class Ended { kNo, kCommitted, kRolledBack };

/// A transaction whose begin was acknowledged.
struct Sent {
  uint64_t position = 0;
  int64_t queue_offset = 0;
  absl::Duration acknowledged;  // virtual time
  Ended ended = Ended::kNo;     // acknowledged
  absl::Duration ended_at;
  bool commit_asked = false;    // somebody has asked for it, whatever came of it
  bool rollback_asked = false;
  bool begin_may_be_lost = false;  // the power went soon after
  bool end_may_be_lost = false;
};

/// What the outside knows; lives outside the world that dies.
struct History {
  Durability durability = Durability::kSynced;
  bool expires = false;
  int32_t check_max = 0;
  uint64_t seed = 0;
  int run = 0;
  std::map<std::string, Sent> sent;
  absl::Duration last_acknowledged;
  std::set<std::string> attempted;
  std::set<std::string> asked;  // in the last run, by key
  std::map<std::string, int> times_asked;
  uint64_t put_aside = 0;
  uint64_t spilled = 0;
};

struct Machine {
  store::OpenStore files;
  std::unique_ptr<BrokerConfig> config;
  std::unique_ptr<Schedule> schedule;
  std::unique_ptr<Transactions> transactions;
};

core::Task<absl::StatusOr<Machine>> OpenMachine(History& history) {
  Machine machine;
  store::StoreOptions log = store::SmallOptions();
  log.durability = history.durability;
  log.append_buffer_bytes = size_t{1} << 20;
  log.keepers = 2;
  if (history.expires) log.reserved_time = absl::Milliseconds(20);
  CO_ASSIGN_OR_RETURN(machine.files, co_await store::OpenIn("data", log));
  machine.config = std::make_unique<BrokerConfig>();
  machine.config->transaction_time_out = absl::Milliseconds(20);
  machine.config->transaction_check_interval = absl::Milliseconds(100);
  machine.config->transaction_check_max = history.check_max;
  ScheduleOptions schedule;
  schedule.index.directory = "data/log";
  schedule.topic_exists = [](std::string_view) { return true; };
  schedule.on_delivered = [](const store::MessageDraft&) {};
  CO_ASSIGN_OR_RETURN(machine.schedule, co_await Schedule::Open(std::move(schedule), *machine.files.meta, *machine.files.store));
  TransactionsOptions options;
  Transactions::MakeHalfIndex(options.index);
  options.index.directory = "data/half";
  options.index.memory_entries = 60;
  options.index.replay_bytes = 32 << 10;
  options.topic_exists = [](std::string_view topic) { return topic.starts_with("queue-"); };
  options.on_stored = [](const store::MessageDraft&) {};
  options.ask = [&history](const TransactionCheck* check) -> core::Task<AskResult> {
    history.asked.insert(check->uniq_key);
    ++history.times_asked[check->uniq_key];
    co_return AskResult::kAsked;
  };
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(options.index.directory));
  CO_ASSIGN_OR_RETURN(machine.transactions, co_await Transactions::Open(std::move(options), *machine.config, *machine.files.meta,
                                                                        *machine.files.store, *machine.schedule));
  machine.schedule->Start();
  machine.transactions->Start();
  co_return machine;
}

core::Task<absl::Status> CloseMachine(Machine& machine) {
  absl::Status status = co_await machine.transactions->Stop();
  const absl::Status stopped = co_await machine.schedule->Stop();
  status.Update(stopped);
  const absl::Status closed = co_await store::CloseBoth(machine.files);
  status.Update(closed);
  co_return status;
}

/// True: it was done.
core::Task<bool> End(Machine& machine, History& history, Sent& sent, bool commit) {
  (commit ? sent.commit_asked : sent.rollback_asked) = true;
  EndOfTransaction end;
  end.position = sent.position;
  end.queue_offset = sent.queue_offset;
  end.group = std::string(kGroup);
  end.commit = commit;
  const std::optional<SendRefusal> refusal = co_await machine.transactions->End(std::move(end));
  if (refusal.has_value()) co_return false;
  if (sent.ended != Ended::kNo) ADD_FAILURE() << "a transaction was ended twice";
  sent.ended = commit ? Ended::kCommitted : Ended::kRolledBack;
  sent.ended_at = history.last_acknowledged = sim::World::Current()->now();
  co_return true;
}

core::Task<void> Write(Machine& machine, History& history, int writer, core::StopToken stop) {
  core::Reactor& reactor = core::Reactor::Current();
  std::vector<std::string> open;
  for (int i = 0; !stop.stop_requested(); ++i) {
    const std::string body = absl::StrCat(history.seed, ".", history.run, ".", writer, ".", i, "|") +
                             std::string(reactor.RandomBits() % 1500, '.');
    std::string properties;
    AppendProperty(properties, kPropertyRealTopic, absl::StrCat("queue-", reactor.RandomBits() % kQueues));
    AppendProperty(properties, kPropertyRealQueue, "0");
    AppendProperty(properties, kPropertyUniqKey, body);
    AppendProperty(properties, kPropertyProducerGroup, kGroup);
    store::MessageDraft draft = store::DraftOf("", 0, body);
    draft.properties = properties;
    history.attempted.insert(body);
    const absl::StatusOr<store::AppendResult> stored = co_await machine.transactions->Prepare(draft, history.durability);
    if (!stored.ok()) co_return;
    Sent& noted = history.sent[body];
    noted.position = store::LogPositionOf(stored->positions.front());
    noted.queue_offset = stored->first_queue_offset.value();
    noted.acknowledged = history.last_acknowledged = sim::World::Current()->now();
    open.push_back(body);
    // Most are ended soon, some much later, some never; some are ended again.
    while (!open.empty() && reactor.RandomBits() % 8 != 0) {
      const size_t which = reactor.RandomBits() % 4 == 0 ? reactor.RandomBits() % open.size() : open.size() - 1;
      Sent& sent = history.sent[open[which]];
      const bool commit = reactor.RandomBits() % 3 != 0;
      if (reactor.RandomBits() % 6 == 0) {
        core::Scope both;  // two answers at once: one of them counts
        const auto answer = [](Machine* there, History* told, Sent* one, bool how) -> core::Task<void> { (void)co_await End(*there, *told, *one, how); };
        both.Spawn(answer(&machine, &history, &sent, commit));
        both.Spawn(answer(&machine, &history, &sent, !commit));
        co_await both.Join();
      } else {
        (void)co_await End(machine, history, sent, commit);
      }
      if (reactor.RandomBits() % 10 != 0) open.erase(open.begin() + static_cast<int64_t>(which));
      if (stop.stop_requested()) co_return;
      if (reactor.RandomBits() % 4 == 0) break;
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
    history->put_aside = std::max(history->put_aside, machine.transactions->stats().put_aside);
    const absl::StatusOr<std::vector<core::DirectoryEntry>> files = co_await core::fs::List("data/half");
    if (files.ok()) history->spilled = std::max<uint64_t>(history->spilled, files->size());
  }
}

using Found = std::map<std::string, int>;

core::Task<absl::StatusOr<Found>> ReadAll(Machine& machine, std::string topic) {
  Found found;
  const int64_t max = machine.files.store->MaxOffset({topic, 0}).value();
  for (int64_t next = machine.files.store->MinOffset({topic, 0}).value(); next < max;) {
    const store::FetchResult result = co_await store::FetchFrom(*machine.files.store, topic, 0, next);
    if (result.status != store::FetchStatus::kFound) co_return absl::InternalError(absl::StrCat("a hole at ", topic, " ", next));
    for (const core::Slice& part : result.parts) {
      for (std::span<const std::byte> rest = part.bytes(); !rest.empty(); ++next) {
        CO_ASSIGN_OR_RETURN(const store::RecordView record, store::ParseRecord(rest));
        ++found[std::string(reinterpret_cast<const char*>(record.body.data()), record.body.size())];
        rest = rest.subspan(record.bytes);
      }
    }
  }
  co_return found;
}

core::Task<absl::Status> Compare(Machine& machine, History* history) {
  // By then all that is pending is old enough to be asked for.
  (void)co_await core::Sleep(absl::Milliseconds(30));
  history->asked.clear();
  const bool asks = history->check_max > 100;
  CO_RETURN_IF_ERROR(co_await machine.transactions->CheckRound());
  Found found;
  for (int q = 0; q < kQueues; ++q) {
    CO_ASSIGN_OR_RETURN(const Found some, co_await ReadAll(machine, absl::StrCat("queue-", q)));
    for (const auto& [body, times] : some) found[body] += times;
  }
  CO_ASSIGN_OR_RETURN(const Found aside, co_await ReadAll(machine, std::string(kPutAsideTopic)));
  for (const auto& [body, times] : found) {
    const std::string name = body.substr(0, body.find('|'));
    if (!history->attempted.contains(body)) co_return absl::InternalError(absl::StrCat("nobody sent ", name));
    if (times > 1) co_return absl::InternalError(absl::StrCat(name, " came ", times, " times"));
    const auto sent = history->sent.find(body);
    if (sent == history->sent.end() || !sent->second.commit_asked) co_return absl::InternalError(absl::StrCat(name, " came, and nobody has committed it"));
    if (sent->second.ended == Ended::kRolledBack && !sent->second.end_may_be_lost) co_return absl::InternalError(absl::StrCat(name, " was rolled back and came"));
    if (aside.contains(body)) co_return absl::InternalError(absl::StrCat(name, " came and was put aside"));
    if (history->asked.contains(body)) co_return absl::InternalError(absl::StrCat(name, " came and is still pending"));
  }
  for (const auto& [body, times] : aside) {
    if (times > 1) co_return absl::InternalError(absl::StrCat(body.substr(0, body.find('|')), " was put aside ", times, " times"));
  }
  for (const auto& [body, times] : aside) {
    if (!history->expires && history->times_asked[body] < history->check_max) {
      co_return absl::InternalError(absl::StrCat(body.substr(0, body.find('|')), " was put aside when it had been asked for ", history->times_asked[body], " times"));
    }
  }
  if (asks && !aside.empty() && !history->expires) co_return absl::InternalError("something was put aside for no reason");
  for (const auto& [body, sent] : history->sent) {
    const std::string name = body.substr(0, body.find('|'));
    const bool came = found.contains(body);
    const bool set_aside = aside.contains(body);
    const bool asked = history->asked.contains(body);
    const bool sure = !sent.begin_may_be_lost && !sent.end_may_be_lost;
    if (sent.ended == Ended::kCommitted && sure && !came && !history->expires) co_return absl::InternalError(absl::StrCat(name, " was committed at ", absl::FormatDuration(sent.ended_at), " and is lost"));
    if (sent.ended != Ended::kNo && sure && (asked || set_aside)) {
      co_return absl::InternalError(absl::StrCat(name, " has ended and ", asked ? "is pending" : "was put aside"));
    }
    if (sent.ended == Ended::kNo && !sent.commit_asked && !sent.rollback_asked && sure && asks && !history->expires && !asked) {
      co_return absl::InternalError(absl::StrCat(name, " is neither pending nor ended"));
    }
  }
  if (machine.transactions->stats().damaged != 0) co_return absl::InternalError("a crash was taken for damage");
  // What is pending can still be ended, and then nothing is.
  for (const std::string& key : std::set<std::string>(history->asked)) {
    const auto sent = history->sent.find(key);
    if (sent == history->sent.end()) continue;  // stored, and its writer died before it knew where
    sent->second.ended = Ended::kNo;
    if (!co_await End(machine, *history, sent->second, true) && asks) co_return absl::InternalError(absl::StrCat("what is pending can't be committed: ", key.substr(0, key.find('|'))));
  }
  history->asked.clear();
  CO_RETURN_IF_ERROR(co_await machine.transactions->CheckRound());
  for (const std::string& key : history->asked) {
    if (history->sent.contains(key)) co_return absl::InternalError(absl::StrCat(key.substr(0, key.find('|')), " was committed and is pending"));
  }
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
  history.check_max = seed % 4 == 1 ? 2 : 1'000'000;
  for (history.run = 0; history.run < 4; ++history.run) {
    node.Start([&history] { return WriteMain(&history); });
    world.RunFor(absl::Microseconds(world.random().Between(500, 300'000)));
    // How long one is pending is no reason to put it aside unasked.
    if (world.random().OneIn(3)) node.JumpWallClock(absl::Seconds(world.random().Between(1, 3600)));
    world.RunFor(absl::Microseconds(world.random().Between(500, 300'000)));
    ASSERT_FALSE(node.result().has_value()) << *node.result() << "\n" << world.Describe();
    death == Death::kKill ? node.Kill() : node.CutPower();
    if (death == Death::kPowerCut && durability == Durability::kAsync) {
      // Counted from the last acknowledgement: while the disk does not flush there are none.
      for (auto& [body, sent] : history.sent) {
        if (sent.acknowledged >= history.last_acknowledged - kAsyncWindow) sent.begin_may_be_lost = true;
        if (sent.ended != Ended::kNo && sent.ended_at >= history.last_acknowledged - kAsyncWindow) sent.end_may_be_lost = true;
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
  uint64_t spilled = 0;
  uint64_t put_aside = 0;
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) {
    History history;
    RunSeed(seed, death, durability, history);
    spilled = std::max(spilled, history.spilled);
    put_aside += history.put_aside;
  }
  if (seeds < 20 || testing::Test::HasFailure()) return;
  EXPECT_GT(spilled, 1U) << "no index was ever written";
  EXPECT_GT(put_aside, 0U) << "nothing was ever put aside";
}

TEST(TransactionsCrashTest, KilledAsync) { RunSeeds(Death::kKill, Durability::kAsync); }
TEST(TransactionsCrashTest, KilledSynced) { RunSeeds(Death::kKill, Durability::kSynced); }
TEST(TransactionsCrashTest, PowerCutSynced) { RunSeeds(Death::kPowerCut, Durability::kSynced); }
TEST(TransactionsCrashTest, PowerCutAsync) { RunSeeds(Death::kPowerCut, Durability::kAsync); }

}  // namespace
}  // namespace broker
