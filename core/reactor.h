#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/intrusive_list.h"
#include "core/io.h"
#include "core/mailbox.h"
#include "core/spin_policy.h"
#include "core/stage_times.h"
#include "core/task.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/types.h"

namespace core {

/// What a shard's loop has done; read by the metrics of the same shard.
struct ReactorCounters {
  uint64_t ticks = 0;
  uint64_t resumes = 0;
  uint64_t spins = 0;      // waits that were watched
  uint64_t spins_won = 0;  // of these, those that ended before the shard fell asleep
  uint64_t stalls = 0;     // ticks longer than ReactorOptions::stall_limit
  absl::Duration longest_tick;
  uint64_t calls_sent = 0;  // messages to other shards
  uint64_t calls_received = 0;
};

struct ReactorOptions {
  /// A tick longer than this is counted and logged with what ran. Zero: off.
  absl::Duration stall_limit = absl::Milliseconds(50);
  /// How long the shard watches for work before it falls asleep, while work comes that fast (SpinPolicy). Zero: never.
  absl::Duration spin_limit = absl::ZeroDuration();
  /// The pool keeps at most this many free bytes for reuse, and more while what is out and what is kept are no more than pool_bytes.
  size_t pool_keep_bytes = size_t{32} << 20;
  size_t pool_bytes = 0;
  /// So many blocks of received bytes may be held at once as they came; beyond, what arrives is copied (Socket).
  size_t received_blocks_max = 256;
};

/// Chooses which ready coroutine runs next; the simulation makes the schedule itself random through it.
class SchedulePolicy {
 public:
  virtual size_t Pick(size_t ready_count) = 0;

 protected:
  ~SchedulePolicy() = default;
};

/// The event loop of one shard: resumes ready coroutines, expires timers, runs calls from other shards, then polls the Io.
/// One tick is: ready coroutines until none is left, those that asked for the end of the tick, and so on, then one Poll.
/// Everything here is called on the owning shard.
class Reactor {
 public:
  /// `mailboxes` connects the shards of one process and outlives them.
  Reactor(ShardId shard, Io& io, Mailboxes& mailboxes, ReactorOptions options);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  /// The reactor whose tick is running on this thread.
  static Reactor& Current();
  static bool HasCurrent();
  /// Makes `reactor` the current one while it lives; for loops, the simulation and tests.
  class Enter {
   public:
    explicit Enter(Reactor& reactor);
    ~Enter();
    Enter(const Enter&) = delete;
    Enter& operator=(const Enter&) = delete;

   private:
    Reactor* previous_;
  };

  ShardId shard() const { return shard_; }
  size_t shard_count() const { return mailboxes_.shard_count(); }
  Io& io() { return io_; }
  BufferPool& buffers() { return buffers_; }
  /// Blocks of received bytes that somebody holds. Sockets count them in.
  size_t& received_blocks_held() { return received_blocks_held_; }
  /// Whoever holds received bytes for longer should hold a copy: the blocks are few, and all connections need them.
  bool received_blocks_scarce() const { return received_blocks_held_ >= options_.received_blocks_max; }
  TimerQueue& timers() { return timers_; }
  /// The clock as of the start of this tick: cheap, and the same for all that runs in it.
  MonoTime now() const { return now_; }
  WallMillis wall_now() const { return wall_now_; }
  uint64_t RandomBits() { return io_.RandomBits(); }
  const ReactorCounters& counters() const { return counters_; }
  /// The clock now, not as of the tick's start: for what happens within a tick.
  MonoTime Clock() { return io_.Now(); }
  StageTimes& stages() { return stages_; }
  /// Nanoseconds that the shard's rounds took, without the waiting in between.
  const Histogram& tick_times() const { return tick_times_; }
  /// Nanoseconds from SendTo on another shard to the message's turn here; one message of 64.
  const Histogram& hop_times() const { return hop_times_; }

  /// Resumes `handle` later in this tick.
  void Schedule(std::coroutine_handle<> handle) { ready_.push_back(handle); }
  /// Resumes `handle` when nothing else is ready in this tick.
  void ScheduleAtTickEnd(std::coroutine_handle<> handle) { tick_end_.push_back(handle); }
  /// Resumes `handle` in the next tick, after a poll.
  void ScheduleNextTick(std::coroutine_handle<> handle) { next_tick_.push_back(handle); }

  /// Sends `message` to `target`; it runs there and belongs to it from now on. Order is kept per pair of shards.
  void SendTo(ShardId target, ShardMessage& message);

  /// Names what runs, for the stall report: a string literal, and a number that says which (a request code).
  void SetActivity(const char* activity, int64_t which) {
    activity_ = activity;
    activity_which_ = which;
  }

  /// Runs one tick and polls. Returns whether anything ran.
  bool RunOnce(MonoTime poll_limit);
  /// Runs until Stop.
  void Run();
  /// Ends Run after this tick. Any thread.
  void Stop();
  /// True while the reactor is being torn down with tasks still suspended (a killed process of the simulation): then
  /// scopes destroy what they still hold instead of insisting on Join.
  bool abandoned() const { return abandoned_; }
  void Abandon() { abandoned_ = true; }
  void set_schedule_policy(SchedulePolicy* policy) { policy_ = policy; }

  /// The scope in which calls from other shards run.
  Scope& call_scope() { return *call_scope_; }

  /// For the loop of the simulation: something can run now, without a poll.
  bool HasReady() const { return !ready_.empty() || !tick_end_.empty() || !next_tick_.empty(); }

 private:
  void RunReady();
  void RunTick();
  void Resume(std::coroutine_handle<> handle);
  bool Idle() const;
  void NoteTick(MonoTime started);
  /// Nothing is ready: watches or sleeps until something is, at most until `until`.
  void WaitForWork(MonoTime until);
  /// What has come since the last wait was little.
  bool TickWasLight();
  /// Whether something came before `end`.
  bool Spin(MonoTime end);

  const ShardId shard_;
  Io& io_;
  Mailboxes& mailboxes_;
  const ReactorOptions options_;
  SpinPolicy spin_policy_;
  uint64_t handled_before_ = 0;  // completions and calls, at the last wait
  MonoTime now_;
  WallMillis wall_now_ = 0;
  BufferPool buffers_;
  size_t received_blocks_held_ = 0;
  TimerQueue timers_;
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  std::vector<std::coroutine_handle<>> tick_end_;
  std::vector<std::coroutine_handle<>> next_tick_;
  SchedulePolicy* policy_ = nullptr;
  const char* activity_ = "";
  int64_t activity_which_ = 0;
  ReactorCounters counters_;
  StageTimes stages_;
  Histogram tick_times_;
  Histogram hop_times_;
  Sampler hop_sampler_;
  std::atomic<bool> stop_{false};
  bool abandoned_ = false;
  std::unique_ptr<Scope> call_scope_;
};

namespace internal {
struct TickEndAwaiter {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) { Reactor::Current().ScheduleAtTickEnd(handle); }
  void await_resume() const noexcept {}
};
struct YieldAwaiter {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) { Reactor::Current().ScheduleNextTick(handle); }
  void await_resume() const noexcept {}
};
}  // namespace internal

/// Waits until everything else that is ready in this tick has run: where batching happens.
inline internal::TickEndAwaiter EndOfTick() { return {}; }
/// Lets a poll and everyone else go first. For long work, in slices.
inline internal::YieldAwaiter Yield() { return {}; }

}  // namespace core
