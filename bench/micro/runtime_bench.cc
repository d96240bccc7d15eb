// Question: what do the runtime's own steps cost: a turn through the ready queue, a notification, a timer, a call of another shard?
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "bench/micro/on_shard.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/sharded.h"
#include "core/sync.h"
#include "core/timer.h"

namespace bench {
namespace {

core::Task<absl::Status> Yields(benchmark::State& state) {
  for (auto _ : state) co_await core::Yield();
  co_return absl::OkStatus();
}
void BM_Yield(benchmark::State& state) {
  OnShard(state, 1, [&] { return Yields(state); });
}
BENCHMARK(BM_Yield)->UseRealTime();

core::Task<void> Answer(core::Notifier& asked, core::Notifier& answered, const bool& ended) {
  while (!ended) {
    (void)co_await asked.Wait();
    answered.NotifyAll();
  }
}

core::Task<absl::Status> Notifications(benchmark::State& state) {
  core::Notifier asked;
  core::Notifier answered;
  bool ended = false;
  core::Scope scope;
  scope.Spawn(Answer(asked, answered, ended));
  co_await core::Yield();
  for (auto _ : state) {
    asked.NotifyAll();
    (void)co_await answered.Wait();
  }
  ended = true;
  asked.NotifyAll();
  co_await scope.Join();
  co_return absl::OkStatus();
}
/// There and back: two notifications, two turns.
void BM_NotifyAndBack(benchmark::State& state) {
  OnShard(state, 1, [&] { return Notifications(state); });
}
BENCHMARK(BM_NotifyAndBack)->UseRealTime();

class Deadline final : public core::Timer {
  void OnExpire() noexcept override {}
};

/// What each request with a deadline does, among `others` that wait: almost none of them ever expires.
void BM_ArmAndDisarmTimer(benchmark::State& state) {
  core::TimerQueue timers;
  std::vector<std::unique_ptr<Deadline>> others;
  for (int64_t i = 0; i < state.range(0); ++i) {
    others.push_back(std::make_unique<Deadline>());
    timers.Arm(*others.back(), core::MonoTime{(i * 7919 % 100'000) * 1000});
  }
  Deadline one;
  int64_t now = 0;
  for (auto _ : state) {
    timers.Arm(one, core::MonoTime{now += 1000});
    one.Disarm();
    if (now > 100'000'000) now = 0;
  }
}
BENCHMARK(BM_ArmAndDisarmTimer)->ArgName("others")->Arg(10)->Arg(10'000);

core::Task<void> Call(int64_t& sum) {
  sum += co_await core::InvokeOn(core::ShardId(1), [](int64_t value) { return value + 1; }, int64_t{1});
}

core::Task<absl::Status> Calls(benchmark::State& state) {
  const int64_t at_once = state.range(0);
  int64_t sum = 0;
  for (auto _ : state) {
    core::Scope scope;
    for (int64_t i = 0; i < at_once; ++i) scope.Spawn(Call(sum));
    co_await scope.Join();
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * at_once);
  co_return absl::OkStatus();
}
/// To the other shard and back; one at a time both shards go to sleep in between unless they poll.
void BM_CallAnotherShard(benchmark::State& state) {
  OnShard(state, 2, [&] { return Calls(state); });
}
BENCHMARK(BM_CallAnotherShard)->ArgName("at_once")->Arg(1)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
