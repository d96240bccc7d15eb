#include "core/sim/process.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace sim {
namespace {

constexpr int64_t kNever = INT64_MAX;
/// Ticks that a finished process may take to bring home what is under way between its shards.
constexpr int kLastTicks = 1000;

}  // namespace

Process::Process(Clockwork& clock, Machine& machine, SimNetwork& network, uint64_t number, size_t shards, Main main)
    : clock_(clock),
      machine_(machine),
      network_(network),
      number_(number),
      main_(std::move(main)),
      random_(machine.random.Fork()),
      mailboxes_(shards) {
  clock_.processes.insert(number_);
  const bool in_order = random_.OneIn(4);  // as on the real machine
  for (size_t i = 0; i < shards; ++i) {
    auto shard = std::make_unique<Shard>();
    const core::ShardId id(static_cast<uint32_t>(i));
    shard->io = std::make_unique<SimIo>(clock_, machine_, network_, number_, id, random_.Fork(), [this](core::ShardId target) {
      PlanRun(target.value(), clock_.now + random_.Between(200, 3 * kMicrosecond));
    });
    shard->reactor = std::make_unique<core::Reactor>(id, *shard->io, mailboxes_, core::ReactorOptions());
    shard->policy = std::make_unique<Policy>(random_.Fork());
    if (!in_order) shard->reactor->set_schedule_policy(shard->policy.get());
    shards_.push_back(std::move(shard));
  }
  core::Reactor::Enter enter(*shards_[0]->reactor);
  root_.emplace();
  root_->Spawn(RunMain(*this));
  PlanRun(0, clock_.now);
}

Process::~Process() {
  if (result_.has_value()) EndWell();
  else Die();
}

core::Task<void> Process::RunMain(Process& process) {
  co_await core::Yield();  // begins in the first tick, not where the process is made
  process.result_ = co_await process.main_();
}

void Process::PlanRun(size_t index, int64_t at) {
  Shard& shard = *shards_[index];
  at = std::max({at, shard.busy_until, clock_.now});
  if (shard.run_at <= at) return;
  shard.run_at = at;
  clock_.After(at - clock_.now, number_, [this, index, at] {
    if (shards_[index]->run_at == at) RunTick(index);
  });
}

int64_t Process::TickCost() {
  if (random_.OneIn(5000)) return random_.Between(kMillisecond, 40 * kMillisecond);  // another process had the CPU
  if (random_.OneIn(100)) return random_.Between(10 * kMicrosecond, 500 * kMicrosecond);
  return random_.Between(500, 8 * kMicrosecond);
}

void Process::RunTick(size_t index) {
  Shard& shard = *shards_[index];
  shard.run_at = kNever;
  if (paused_) return;  // Resume plans anew
  shard.reactor->RunOnce(core::MonoTime{0});
  const int64_t cost = TickCost();
  shard.busy_until = clock_.now + cost;
  shards_[0]->io->AddCpu(cost);
  clock_.Note("tick", machine_.name, static_cast<uint32_t>(index), shard.reactor->counters().resumes,
              static_cast<int64_t>(shard.reactor->buffers().bytes_out()));
  if (result_.has_value()) return;  // the world sees it and ends the process
  PlanNext(index);
  for (size_t other = 0; other < shards_.size(); ++other) {
    if (other != index && mailboxes_.HasMessages(core::ShardId(static_cast<uint32_t>(other)))) {
      PlanRun(other, clock_.now + random_.Between(200, 5 * kMicrosecond));
    }
  }
}

void Process::PlanNext(size_t index) {
  Shard& shard = *shards_[index];
  const core::ShardId id(static_cast<uint32_t>(index));
  if (shard.reactor->HasReady() || shard.io->HasDue() || mailboxes_.HasMessages(id) || mailboxes_.HasOverflow(id)) {
    PlanRun(index, shard.busy_until);
    return;
  }
  const core::MonoTime timer = shard.reactor->timers().next();
  // A timer may be late, as the kernel's are.
  if (timer != core::MonoTime::Max()) {
    PlanRun(index, std::max(timer.nanos - machine_.mono_offset, clock_.now) + random_.Between(0, 60 * kMicrosecond));
  }
}

void Process::Signal(int signal) { shards_[0]->io->Signal(signal); }

void Process::Pause() { paused_ = true; }

void Process::Resume() {
  paused_ = false;
  for (size_t i = 0; i < shards_.size(); ++i) PlanRun(i, clock_.now + random_.Between(0, 10 * kMicrosecond));
}

void Process::EndWell() {
  // As RunShards: values that are on their way home between the shards still arrive.
  for (int i = 0; i < kLastTicks; ++i) {
    bool waiting = false;
    for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
      core::Reactor::Enter enter(*shards_[shard]->reactor);
      mailboxes_.FlushWakes(core::ShardId(shard), [](core::ShardId) {});
      mailboxes_.Receive(core::ShardId(shard));
      waiting = waiting || mailboxes_.HasOverflow(core::ShardId(shard));
    }
    for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
      waiting = waiting || mailboxes_.HasMessages(core::ShardId(shard));
    }
    if (!waiting) break;
  }
  clock_.processes.erase(number_);
  for (const auto& shard : shards_) {
    core::Reactor::Enter enter(*shard->reactor);
    shard->io->DieOnDisk();
    shard->io->CancelAll();
  }
  network_.ProcessDied(number_, /*silent=*/false);
  machine_.disk.DropLocks();
  // Main has returned, so nothing may be left anywhere: a scope that still holds a task asserts.
  core::Reactor::Enter enter(*shards_[0]->reactor);
  root_.reset();
  for (const auto& shard : shards_) shard->reactor.reset();
}

void Process::Die() {
  clock_.processes.erase(number_);
  for (const auto& shard : shards_) shard->reactor->Abandon();
  for (const auto& shard : shards_) shard->io->DieOnDisk();
  network_.ProcessDied(number_, silent_death_);
  machine_.disk.DropLocks();
  for (const auto& shard : shards_) {
    core::Reactor::Enter enter(*shard->reactor);
    shard->io->CancelAll();
  }
  core::Reactor::Enter enter(*shards_[0]->reactor);
  mailboxes_.DiscardAll();
  // Calls from other shards hold on to services, which main owns: so the calls go first. Memory pools go last, when no
  // slice is left on any shard.
  for (const auto& shard : shards_) {
    core::Scope& calls = shard->reactor->call_scope();
    std::destroy_at(&calls);
    std::construct_at(&calls);
  }
  root_.reset();
  for (const auto& shard : shards_) shard->reactor.reset();
}

}  // namespace sim
