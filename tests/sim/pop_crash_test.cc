// Goal: nothing that was popped is lost, nothing comes back after an acknowledgement that was answered, nothing comes back before its time is up or twice at it. Kills and power cuts in
// between, also while messages whose time is up are being copied to their retry topic, and steps of the wall clock.
// Method: one simulated machine a seed with one log. Senders send, consumers pop, acknowledge, change times and forget, at random, and compare every delivery with what they know; the
// machine dies at a random moment, again and again; at the end all that is left is popped and must be what the history leaves open.
// Mistakes that it was tried with, and that it finds: the copies begun without a row before them; the search for copies left out after a crash; the batch taken away before
// its copies are durable; an acknowledgement that is answered before its row is durable; the group's offset not in the row's commit.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "broker/offset_table.h"
#include "broker/pop/pops.h"
#include "broker/pop/receipt.h"
#include "broker/pop/records.h"
#include "broker/pull_reads.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "tests/sim/seeds.h"
#include "tests/unit/store/store_fixture.h"

namespace broker {
namespace {

using store::Durability;

constexpr int kQueues = 3;
constexpr std::string_view kTopic = "T";
constexpr std::string_view kGroup = "g";
constexpr std::string_view kOrderedTopic = "O";
constexpr int64_t kInvisibleMax = 300;  // ms; at least 1, so that later pops of a message have later times
constexpr absl::Duration kAsyncWindow = absl::Milliseconds(50);

/// A message whose send was acknowledged, or that was delivered.
struct Known {
  absl::Duration sent;                // virtual time
  bool sure = false;                  // acknowledged, and no power cut came soon after
  bool done = false;                  // an acknowledgement was answered
  bool perhaps_done = false;          // one was sent
  core::WallMillis hidden_until = 0;  // by what was answered
  core::WallMillis popped = 0;        // last
};

/// What the outside knows; lives outside the world that dies.
struct History {
  Durability durability = Durability::kSynced;
  uint64_t seed = 0;
  int run = 0;
  std::map<std::string, Known> messages;
  std::map<std::pair<int32_t, int64_t>, std::string> in_order;  // by queue and offset: what was delivered of kOrderedTopic
  absl::Duration last_acknowledged;
  uint64_t steps = 0;
  uint64_t redelivered = 0;
  uint64_t found_copies = 0;  // runs that began with copies half made
};

struct Machine {
  store::OpenStore files;
  std::unique_ptr<OffsetTable> offsets;
  std::unique_ptr<PullReads> reads;
  std::unique_ptr<Pops> pops;
};

core::Task<absl::StatusOr<Machine>> OpenMachine(History& history) {
  Machine machine;
  store::StoreOptions log = store::SmallOptions();
  log.durability = history.durability;
  log.append_buffer_bytes = size_t{1} << 20;
  CO_ASSIGN_OR_RETURN(machine.files, co_await store::OpenIn("data", log));
  for (const auto& [key, value] : machine.files.meta->All(store::MetaTable::kPopBatches)) {
    if (value.find(" - ") == std::string::npos) ++history.found_copies;
  }
  machine.offsets = std::make_unique<OffsetTable>(*machine.files.meta);
  store::ShardStore* const opened = machine.files.store.get();
  machine.offsets->CutAtEnds([opened](const core::QueueKey& queue) { return opened->MaxOffset(queue); });
  CO_RETURN_IF_ERROR(co_await machine.offsets->Flush());
  machine.reads = std::make_unique<PullReads>(size_t{1} << 20, size_t{1} << 16);
  PopsOptions options;
  options.copies.topic_exists = [](std::string_view) { return true; };
  options.copies.retry_topic_is_ready = [](std::string_view) { return true; };
  options.copies.make_retry_topic = [](std::string) -> core::Task<absl::Status> { co_return absl::OkStatus(); };
  options.copies.retry_queue = [](std::string_view) { return 0; };
  options.copies.on_stored = [](const store::MessageDraft&) {};
  machine.pops = std::make_unique<Pops>(std::move(options), *machine.files.meta, *machine.files.store, *machine.offsets,
                                        *machine.reads);
  CO_RETURN_IF_ERROR(co_await machine.pops->CutAtEnds());
  machine.pops->Start();
  co_return machine;
}

core::Task<absl::Status> CloseMachine(Machine& machine) {
  co_await machine.pops->Stop();
  absl::Status status = co_await machine.offsets->Flush();
  machine.pops.reset();
  const absl::Status closed = co_await store::CloseBoth(machine.files);
  status.Update(closed);
  co_return status;
}

core::Task<void> Send(Machine& machine, History& history, core::StopToken stop) {
  core::Reactor& reactor = core::Reactor::Current();
  for (int i = 0; !stop.stop_requested(); ++i) {
    ++history.steps;
    const std::string body =
        absl::StrCat(history.seed, ".", history.run, ".", i, "|") + std::string(reactor.RandomBits() % 300, '.');
    Known& known = history.messages[body];
    known.sent = sim::World::Current()->now();
    const std::string topic(reactor.RandomBits() % 4 == 0 ? kOrderedTopic : kTopic);
    const absl::StatusOr<store::AppendResult> stored = co_await store::AppendOne(
        *machine.files.store, topic, static_cast<int32_t>(reactor.RandomBits() % kQueues), body);
    if (!stored.ok()) co_return;
    known.sure = true;
    known.sent = history.last_acknowledged = sim::World::Current()->now();
    (void)co_await core::Sleep(absl::Microseconds(reactor.RandomBits() % 4'000), stop);
  }
}

/// A message in a consumer's hands.
struct Held {
  std::string body;
  std::string topic;
  int32_t queue_id = 0;
  int64_t start = 0;
  core::WallMillis pop_time = 0;
  int64_t invisible = 0;
  int64_t offset = 0;
  bool order = false;
};

enum class From { kTopic, kRetryTopic, kOrderedTopic };

std::string TopicOf(From from) {
  if (from == From::kOrderedTopic) return std::string(kOrderedTopic);
  return from == From::kRetryTopic ? PopRetryTopicOf(kTopic, kGroup) : std::string(kTopic);
}

std::string NameOf(const std::string& body) { return body.substr(0, body.find('|')); }

/// Nothing in front of what comes in order is open, but what comes with it.
void CheckInFront(const History& history, const PoppedQueue& queue) {
  for (auto it = history.in_order.lower_bound({queue.queue_id, 0});
       it != history.in_order.end() && it->first < std::pair(queue.queue_id, queue.start); ++it) {
    const Known& known = history.messages.at(it->second);
    if (known.sure && !known.done && !known.perhaps_done) ADD_FAILURE() << "message " << queue.start << " came before " << NameOf(it->second);
  }
}

core::Task<absl::StatusOr<std::vector<Held>>> Pop(Machine& machine, History& history, From from, int32_t messages,
                                                  int64_t invisible) {
  ++history.steps;
  const std::string topic = TopicOf(from);
  PopJob job;
  job.group = kGroup;
  job.topic = topic;
  for (int32_t queue = 0; queue < (from == From::kRetryTopic ? 1 : kQueues); ++queue) job.queues.push_back(queue);
  job.order = from == From::kOrderedTopic;
  job.pop_time = core::Reactor::Current().wall_now();
  job.invisible = invisible;
  job.limits = {.messages = messages, .bytes = size_t{64} << 10};
  const PopJob* const borrowed = &job;
  const PopOutcome outcome = co_await machine.pops->Take(borrowed);
  if (!outcome.status.ok()) co_return outcome.status;
  std::vector<Held> held;
  const core::WallMillis now = core::Reactor::Current().wall_now();
  for (const PoppedQueue& queue : outcome.queues) {
    if (job.order) CheckInFront(history, queue);
    ForEachRecord(*queue.records, [&](const store::RecordView& record) {
      Held one;
      one.body = std::string(reinterpret_cast<const char*>(record.body.data()), record.body.size());
      one.topic = topic;
      one.queue_id = queue.queue_id;
      one.start = queue.start;
      one.pop_time = job.pop_time;
      one.invisible = invisible;
      one.offset = record.queue_offset.value();
      one.order = job.order;
      const auto it = history.messages.find(one.body);
      if (it == history.messages.end()) {
        ADD_FAILURE() << "nobody sent " << NameOf(one.body);
        return;
      }
      Known& known = it->second;
      // Who is told late, when somebody else has the message by now, knows nothing new.
      if (job.pop_time < known.popped) return;
      known.popped = job.pop_time;
      if (known.done) ADD_FAILURE() << NameOf(one.body) << " came back after its acknowledgement";
      if (now < known.hidden_until)
        ADD_FAILURE() << NameOf(one.body) << " came " << known.hidden_until - now << " ms before its time was up";
      if (from == From::kRetryTopic) ++history.redelivered;
      known.hidden_until = job.pop_time + invisible;
      known.perhaps_done = false;  // it was not
      if (job.order) history.in_order[{one.queue_id, one.offset}] = one.body;
      held.push_back(std::move(one));
    });
  }
  co_return held;
}

PopReply ReplyTo(const Held& held) {
  PopReply reply;
  reply.group = kGroup;
  reply.topic = held.topic;
  reply.queue_id = held.queue_id;
  reply.start = held.start;
  reply.pop_time = held.pop_time;
  reply.invisible = held.invisible;
  reply.order = held.order;
  reply.offsets = {held.offset};
  return reply;
}

core::Task<absl::Status> Acknowledge(Machine& machine, History& history, const Held& held) {
  ++history.steps;
  Known& known = history.messages[held.body];
  known.perhaps_done = true;
  const PopReply reply = ReplyTo(held);
  const PopReply* const borrowed = &reply;
  const PopReplied replied = co_await (held.order ? machine.pops->AcknowledgeOrdered(borrowed) : machine.pops->Acknowledge(borrowed));
  if (!replied.status.ok()) co_return replied.status;
  if (replied.state == ReceiptState::kDone) {
    known.done = true;
    history.last_acknowledged = sim::World::Current()->now();
  } else if (core::Reactor::Current().wall_now() < held.pop_time + held.invisible) {
    ADD_FAILURE() << "an acknowledgement in time was refused: " << NameOf(held.body) << ", message " << held.offset << " of " << held.topic << "/"
                  << held.queue_id << ", popped at " << held.pop_time << " for " << held.invisible << " ms, as "
                  << static_cast<int>(replied.state);
  } else if (!known.done) {
    known.perhaps_done = false;
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> Change(Machine& machine, History& history, Held& held) {
  ++history.steps;
  const PopReply reply = ReplyTo(held);
  const PopReply* const borrowed = &reply;
  const int64_t invisible = 1 + static_cast<int64_t>(core::Reactor::Current().RandomBits() % kInvisibleMax);
  Known& known = history.messages[held.body];
  // Until it is answered nobody knows which of the two times counts.
  const core::WallMillis before = known.hidden_until;
  known.hidden_until = 0;
  const PopReplied replied = co_await (held.order ? machine.pops->ChangeOrdered(borrowed, invisible) : machine.pops->Change(borrowed, invisible));
  if (!replied.status.ok()) co_return replied.status;
  if (replied.state != ReceiptState::kPending) {
    known.hidden_until = std::max(known.hidden_until, before);
    co_return absl::OkStatus();
  }
  held.start = held.offset;
  held.pop_time = replied.pop_time;
  held.invisible = replied.invisible;
  known.hidden_until = std::max(known.hidden_until, replied.pop_time + replied.invisible);
  co_return absl::OkStatus();
}

core::Task<void> Consume(Machine& machine, History& history, bool ordered, core::StopToken stop) {
  core::Reactor& reactor = core::Reactor::Current();
  std::vector<Held> held;
  while (!stop.stop_requested()) {
    if (held.empty() || reactor.RandomBits() % 4 == 0) {
      const From from = ordered ? From::kOrderedTopic : reactor.RandomBits() % 3 == 0 ? From::kRetryTopic : From::kTopic;
      absl::StatusOr<std::vector<Held>> some = co_await Pop(machine, history, from,
                                                            static_cast<int32_t>(1 + reactor.RandomBits() % 32),
                                                            1 + static_cast<int64_t>(reactor.RandomBits() % kInvisibleMax));
      if (!some.ok()) co_return;
      for (Held& one : *some) held.push_back(std::move(one));
    }
    for (uint64_t i = reactor.RandomBits() % 12; i > 0 && !held.empty(); --i) {
      const size_t which = reactor.RandomBits() % held.size();
      const uint64_t choice = reactor.RandomBits() % 16;
      if (choice < 10) {
        if (!(co_await Acknowledge(machine, history, held[which])).ok()) co_return;
        if (reactor.RandomBits() % 8 == 0) continue;  // and once more, later
      } else if (choice < 13) {
        if (!(co_await Change(machine, history, held[which])).ok()) co_return;
        continue;
      }
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));  // forgotten, or done
    }
    (void)co_await core::Sleep(absl::Microseconds(reactor.RandomBits() % 6'000), stop);
  }
}

core::Task<absl::Status> RunMain(History* history) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine(*history));
  core::Scope work;
  work.Spawn(Send(machine, *history, work.stop_token()));
  for (int i = 0; i < 5; ++i) work.Spawn(Consume(machine, *history, i < 2, work.stop_token()));
  for (;;) {
    (void)co_await core::Sleep(absl::Milliseconds(40));
    (void)co_await machine.offsets->Flush();
  }
}

/// Pops and acknowledges until there is nothing more for longer than any time.
core::Task<absl::Status> Drain(Machine& machine, History* history) {
  int quiet = 0;
  while (quiet < 20) {
    bool some = false;
    for (const From from : {From::kTopic, From::kRetryTopic, From::kOrderedTopic}) {
      CO_ASSIGN_OR_RETURN(const std::vector<Held> held, co_await Pop(machine, *history, from, 32, 60'000));
      for (const Held& one : held) {
        some = true;
        CO_RETURN_IF_ERROR(co_await Acknowledge(machine, *history, one));
        if (!history->messages[one.body].done)
          co_return absl::InternalError(absl::StrCat(NameOf(one.body), " can't be acknowledged"));
      }
    }
    quiet = some ? 0 : quiet + 1;
    if (!some) (void)co_await core::Sleep(absl::Milliseconds(50));
  }
  for (const auto& [body, known] : history->messages) {
    if (known.sure && !known.done && !known.perhaps_done)
      co_return absl::InternalError(absl::StrCat(NameOf(body), " is lost"));
  }
  const PopStats stats = machine.pops->stats();
  if (stats.in_flight != 0)
    co_return absl::InternalError(absl::StrCat(stats.in_flight, " messages are in flight for ever"));
  for (const store::MetaTable table : {store::MetaTable::kPopBatches, store::MetaTable::kPopOrders}) {
    for (const auto& [key, row] : machine.files.meta->All(table)) {
      co_return absl::InternalError(absl::StrCat("a row is left of what is done, in table ", static_cast<int>(table), ": ", absl::CHexEscape(key), " ",
                                                 absl::CHexEscape(row)));
    }
  }
  if (stats.copies.gone != 0) co_return absl::InternalError("a crash was taken for damage");
  co_return absl::OkStatus();
}

core::Task<absl::Status> EndMain(History* history) {
  CO_ASSIGN_OR_RETURN(Machine machine, co_await OpenMachine(*history));
  const absl::Status drained = co_await Drain(machine, history);
  const absl::Status closed = co_await CloseMachine(machine);
  co_return drained.ok() ? closed : drained;
}

enum class Death { kKill, kPowerCut };

void RunSeed(uint64_t seed, Death death, Durability durability, History& history) {
  SCOPED_TRACE(sim::Again(seed));
  sim::World world(seed);
  sim::Node& node = world.AddNode("broker", 1);
  history.seed = seed;
  history.durability = durability;
  for (history.run = 0; history.run < 5; ++history.run) {
    node.Start([&history] { return RunMain(&history); });
    world.RunFor(absl::Microseconds(world.random().Between(500, 600'000)));
    if (world.random().OneIn(4)) node.JumpWallClock(absl::Milliseconds(world.random().Between(1, 1000)));
    world.RunFor(absl::Microseconds(world.random().Between(500, 400'000)));
    ASSERT_FALSE(node.result().has_value()) << *node.result() << "\n" << world.Describe();
    death == Death::kKill ? node.Kill() : node.CutPower();
    if (death == Death::kPowerCut && durability == Durability::kAsync) {
      for (auto& [body, known] : history.messages) {
        if (known.sent >= history.last_acknowledged - kAsyncWindow) known.sure = false;
      }
    }
    if (world.random().OneIn(3)) world.RunFor(absl::Milliseconds(world.random().Between(1, 2000)));
  }
  node.Start([&history] { return EndMain(&history); });
  const absl::Status ended = world.RunToEnd(node, absl::Hours(3));
  ASSERT_TRUE(ended.ok()) << ended << "\n" << world.Describe();
}

void RunSeeds(Death death, Durability durability) {
  const uint64_t first = sim::FirstSeed(), seeds = sim::SeedCount(40);
  uint64_t steps = 0;
  uint64_t redelivered = 0;
  uint64_t found_copies = 0;
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) {
    History history;
    RunSeed(seed, death, durability, history);
    steps += history.steps;
    redelivered += history.redelivered;
    found_copies += history.found_copies;
  }
  testing::Test::RecordProperty("steps", std::to_string(steps));
  std::printf("%llu steps, %llu messages came again, %llu batches were found half copied\n",
              static_cast<unsigned long long>(steps), static_cast<unsigned long long>(redelivered),
              static_cast<unsigned long long>(found_copies));
  if (seeds < 20 || testing::Test::HasFailure()) return;
  EXPECT_GT(redelivered, seeds) << "hardly anything ever came again";
  EXPECT_GT(found_copies, 0U) << "no crash ever came in between";
}

TEST(PopCrashTest, KilledAsync) { RunSeeds(Death::kKill, Durability::kAsync); }
TEST(PopCrashTest, KilledSynced) { RunSeeds(Death::kKill, Durability::kSynced); }
TEST(PopCrashTest, PowerCutSynced) { RunSeeds(Death::kPowerCut, Durability::kSynced); }
TEST(PopCrashTest, PowerCutAsync) { RunSeeds(Death::kPowerCut, Durability::kAsync); }

}  // namespace
}  // namespace broker
