#include "core/reactor.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/strings.h"

namespace core {
namespace {

thread_local Reactor* current_reactor = nullptr;

}  // namespace

Reactor::Reactor(ShardId shard, Io& io, Mailboxes& mailboxes, ReactorOptions options)
    : shard_(shard),
      io_(io),
      mailboxes_(mailboxes),
      options_(options),
      now_(io.Now()),
      wall_now_(io.WallNow()),
      buffers_(options.pool_keep_bytes, options.pool_bytes),
      call_scope_(std::make_unique<Scope>()) {}

Reactor::~Reactor() {
  Enter enter(*this);
  call_scope_.reset();
}

Reactor& Reactor::Current() {
  CORE_DEBUG_ASSERT(current_reactor != nullptr);
  return *current_reactor;
}

bool Reactor::HasCurrent() { return current_reactor != nullptr; }

Reactor::Enter::Enter(Reactor& reactor) : previous_(std::exchange(current_reactor, &reactor)) {}
Reactor::Enter::~Enter() { current_reactor = previous_; }

void Reactor::SendTo(ShardId target, ShardMessage& message) {
  ++counters_.calls_sent;
  mailboxes_.Send(shard_, target, message, hop_sampler_.Next() ? Clock() : MonoTime{});
}

void Reactor::Resume(std::coroutine_handle<> handle) {
  ++counters_.resumes;
  handle.resume();
}

void Reactor::RunReady() {
  while (!ready_.empty()) {
    if (policy_ != nullptr) {
      // One at a time, so that the policy chooses among all that is ready at each step.
      std::swap(ready_[policy_->Pick(ready_.size())], ready_.back());
      const std::coroutine_handle<> handle = ready_.back();
      ready_.pop_back();
      Resume(handle);
      continue;
    }
    running_.swap(ready_);
    for (const std::coroutine_handle<> handle : running_) Resume(handle);
    running_.clear();
  }
}

void Reactor::RunTick() {
  ready_.insert(ready_.end(), next_tick_.begin(), next_tick_.end());
  next_tick_.clear();
  timers_.ExpireUntil(now_);
  counters_.calls_received += mailboxes_.Receive(shard_, [this](MonoTime sent) {
    const MonoTime now = Clock();
    hop_times_.Record(now.nanos > sent.nanos ? static_cast<uint64_t>(now.nanos - sent.nanos) : 0);
  });
  for (;;) {
    RunReady();
    if (tick_end_.empty()) break;
    ready_.swap(tick_end_);
  }
}

bool Reactor::Idle() const {
  return ready_.empty() && next_tick_.empty() && !mailboxes_.HasOverflow(shard_) && !stop_.load(std::memory_order_relaxed);
}

bool Reactor::RunOnce(MonoTime poll_limit) {
  Enter enter(*this);
  now_ = io_.Now();
  wall_now_ = io_.WallNow();
  const uint64_t resumed = counters_.resumes;
  RunTick();
  ++counters_.ticks;
  mailboxes_.FlushWakes(shard_, [this](ShardId target) { io_.Wake(target); });
  NoteTick(now_);
  const MonoTime until = std::min(poll_limit, timers_.next());
  if (Idle()) {
    WaitForWork(until);
  } else {
    io_.Poll(now_);
  }
  return counters_.resumes != resumed;
}

void Reactor::WaitForWork(MonoTime until) {
  const bool may_spin = options_.spin_limit > absl::ZeroDuration() && TickWasLight();
  const MonoTime begun = may_spin ? Clock() : now_;
  const bool spins = may_spin && until > begun && spin_policy_.Worth();
  if (spins) {
    io_.Poll(begun);  // hands over what was started
    ++counters_.spins;
    if (Spin(std::min(until, begun + options_.spin_limit))) {
      ++counters_.spins_won;
      spin_policy_.Note(true);
      if (io_.Ready()) io_.Poll(begun);
      return;
    }
  }
  if (!mailboxes_.MarkSleeping(shard_)) until = now_;
  io_.Poll(until);
  mailboxes_.MarkAwake(shard_);
  // Falling asleep and being woken takes about as long again.
  if (may_spin) spin_policy_.Note(!spins && Clock() - begun < 2 * options_.spin_limit);
}

/// Under heavy load more has come when the shard wakes, which is then done at once: watching would take that away and cost more than it gains.
bool Reactor::TickWasLight() {
  constexpr uint64_t kLight = 4;
  const uint64_t handled = io_.Counters().completions + counters_.calls_received;
  return handled - std::exchange(handled_before_, handled) <= kLight;
}

bool Reactor::Spin(MonoTime end) {
  constexpr int kLooksBetweenClocks = 8;
  do {
    for (int i = 0; i < kLooksBetweenClocks; ++i) {
      if (!Idle() || mailboxes_.HasMessages(shard_) || io_.Ready()) return true;
      __builtin_ia32_pause();
    }
  } while (Clock() < end);
  return false;
}

void Reactor::Run() {
  while (!stop_.load(std::memory_order_acquire)) RunOnce(MonoTime::Max());
}

void Reactor::Stop() { stop_.store(true, std::memory_order_release); }

void Reactor::NoteTick(MonoTime started) {
  if (options_.stall_limit == absl::ZeroDuration()) return;
  const absl::Duration took = io_.Now() - started;
  tick_times_.Record(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Nanoseconds(took))));
  if (took > counters_.longest_tick) counters_.longest_tick = took;
  if (took > options_.stall_limit) {
    ++counters_.stalls;
    LogWarning("shard ", shard_.value(), " was busy for ", absl::ToInt64Milliseconds(took), " ms in one tick; ",
               activity_[0] == '\0' ? std::string("no request began in it") : StrCat("last begun: ", activity_, " ", activity_which_));
  }
  activity_ = "";
}

}  // namespace core
