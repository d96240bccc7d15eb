// Goal: tasks and scopes start, end and die in the order that everything above relies on.
#include "core/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/sync.h"
#include "tests/unit/core/on_both.h"

namespace core {
namespace {

Task<int> Give(int value, std::vector<std::string>& log) {
  log.push_back("started");
  co_return value;
}

// Catches an eager task, and a result that is taken from the wrong frame.
Task<absl::Status> LazyMain(std::string) {
  std::vector<std::string> log;
  Task<int> task = Give(7, log);
  EXPECT_TRUE(log.empty());
  const int value = co_await task;
  EXPECT_EQ(value, 7);
  EXPECT_EQ(log.size(), 1U);
  co_return absl::OkStatus();
}
TEST(TaskTest, RunsWhenAwaitedAndNotBefore) { OnSim(1, LazyMain, 1); }

struct Guard {
  explicit Guard(int& c) : count(c) { ++count; }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() { --count; }
  int& count;
};

Task<void> HoldArgument(std::unique_ptr<Guard> guard) {
  co_await Yield();
  static_cast<void>(guard);
}

// Catches a frame or an argument that leaks when a task dies before it was ever started.
Task<absl::Status> UnstartedMain(std::string) {
  int alive = 0;
  { const Task<void> never = HoldArgument(std::make_unique<Guard>(alive)); }
  EXPECT_EQ(alive, 0);
  Scope scope;
  scope.Spawn(HoldArgument(std::make_unique<Guard>(alive)));
  EXPECT_EQ(alive, 1);
  co_await scope.Join();
  EXPECT_EQ(alive, 0);  // freed when it ended, not when the scope does
  co_return absl::OkStatus();
}
TEST(TaskTest, WhatItHoldsDiesWithIt) { OnSim(1, UnstartedMain, 3); }

Task<int> Depth(int levels) {
  if (levels == 0) co_return 0;
  const int below = co_await Depth(levels - 1);
  co_return below + 1;
}

// Catches resumption by nested calls instead of symmetric transfer when a long chain of awaits returns (in sanitizer builds transfer is not
// a tail call, so the chain is shorter there).
Task<absl::Status> DeepMain(std::string) {
  Task<int> deep = Depth(500);
  const int depth = co_await deep;
  EXPECT_EQ(depth, 500);
  co_return absl::OkStatus();
}
TEST(TaskTest, AwaitsNestDeeply) { OnSim(1, DeepMain, 1); }

Task<void> Record(int number, int yields, std::vector<int>& order) {
  for (int i = 0; i < yields; ++i) co_await Yield();
  order.push_back(number);
}

// Catches a Spawn that only queues, and a Join that returns while a task is left or is not woken by the last one.
Task<absl::Status> SpawnMain(std::string) {
  std::vector<int> order;
  Scope scope;
  scope.Spawn(Record(1, 0, order));
  EXPECT_EQ(order, std::vector<int>({1}));
  EXPECT_EQ(scope.running(), 0U);
  for (int i = 2; i < 50; ++i) scope.Spawn(Record(i, i % 5, order));
  co_await scope.Join();
  EXPECT_EQ(order.size(), 49U);
  co_await scope.Join();  // nothing is left: at once
  co_return absl::OkStatus();
}
TEST(ScopeTest, SpawnStartsAtOnceAndJoinWaitsForAll) { OnSim(1, SpawnMain); }

Task<void> SpawnsMore(Scope& scope, int generations, int& ended) {
  co_await Yield();
  if (generations > 0) scope.Spawn(SpawnsMore(scope, generations - 1, ended));
  ++ended;
}

// Catches a Join that is done when the tasks that it first saw are.
Task<absl::Status> GenerationsMain(std::string) {
  Scope scope;
  int ended = 0;
  scope.Spawn(SpawnsMore(scope, 10, ended));
  co_await scope.Join();
  EXPECT_EQ(ended, 11);
  co_return absl::OkStatus();
}
TEST(ScopeTest, JoinWaitsForWhatItsTasksSpawn) { OnSim(1, GenerationsMain); }

Task<void> UntilStopped(StopToken stop, int& stopped) {
  const WaitResult result = co_await Sleep(absl::Hours(10), stop);
  if (result == WaitResult::kStopped) ++stopped;
}

// Catches a stop that reaches only who waits already, or only who waits later.
Task<absl::Status> StopMain(std::string) {
  Scope scope;
  int stopped = 0;
  for (int i = 0; i < 5; ++i) scope.Spawn(UntilStopped(scope.stop_token(), stopped));
  co_await Sleep(absl::Milliseconds(1));
  EXPECT_EQ(stopped, 0);
  scope.RequestStop();
  scope.RequestStop();
  scope.Spawn(UntilStopped(scope.stop_token(), stopped));
  co_await scope.Join();
  EXPECT_EQ(stopped, 6);
  co_return absl::OkStatus();
}
TEST(ScopeTest, AStopReachesWaitersBeforeAndAfter) { OnSim(1, StopMain); }

Task<void> AppendAtTickEnd(std::vector<int>& order, int number) {
  co_await EndOfTick();
  order.push_back(number);
}
Task<void> KeepReady(std::vector<int>& order) {
  // A chain of ready coroutines within one tick: each wakes the next through the ready queue.
  for (int i = 0; i < 3; ++i) {
    Notifier changed;
    Scope inner;
    inner.Spawn([](Notifier& notifier) -> Task<void> { co_await notifier.Wait(); }(changed));
    changed.NotifyAll();
    co_await inner.Join();
  }
  order.push_back(0);
}

// Catches an end of tick that comes while something is still ready: batches would go out half built.
Task<absl::Status> TickEndMain(std::string) {
  std::vector<int> order;
  Scope scope;
  scope.Spawn(AppendAtTickEnd(order, 1));
  scope.Spawn(KeepReady(order));
  co_await scope.Join();
  EXPECT_EQ(order, std::vector<int>({0, 1}));
  co_return absl::OkStatus();
}
TEST(ReactorTest, TheEndOfATickComesWhenNothingElseIsReady) { OnSim(1, TickEndMain); }

// Catches a killed process that leaks suspended tasks, or runs them: under LeakSanitizer nothing may remain.
TEST(ScopeTest, AKilledProcessDestroysItsSuspendedTasks) {
  int alive = 0;
  sim::World world(3);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&alive]() -> Task<absl::Status> {
    Scope scope;
    for (int i = 0; i < 10; ++i) {
      scope.Spawn([](std::unique_ptr<Guard> guard, StopToken stop) -> Task<void> {
        co_await Sleep(absl::Hours(1), stop);
        static_cast<void>(guard);
      }(std::make_unique<Guard>(alive), scope.stop_token()));
    }
    co_await scope.Join();
    co_return absl::OkStatus();
  });
  world.RunFor(absl::Seconds(1));
  EXPECT_EQ(alive, 10);
  node.Kill();
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace core
