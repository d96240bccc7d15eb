// Goal: what coroutines of one shard wait on: timers, notifiers, semaphores, stops.
#include "core/sync.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/scope.h"
#include "core/timer.h"
#include "tests/unit/core/on_both.h"

namespace core {
namespace {

struct NumberedTimer final : Timer {
  void OnExpire() noexcept override { order->push_back(number); }
  int number = 0;
  std::vector<int>* order = nullptr;
};

// Catches a heap that loses its order when timers leave from its middle or move to another deadline.
TEST(TimerQueueTest, ExpiresInOrderWhateverIsDisarmedAndRearmed) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    TimerQueue queue;
    std::vector<int> order;
    std::vector<NumberedTimer> timers(60);
    std::vector<int64_t> deadlines(timers.size(), -1);
    for (int step = 0; step < 200; ++step) {
      const size_t which = random() % timers.size();
      NumberedTimer& timer = timers[which];
      timer.number = static_cast<int>(which);
      timer.order = &order;
      if (random() % 3 == 0) {
        timer.Disarm();
        deadlines[which] = -1;
      } else {
        deadlines[which] = random() % 1000;
        queue.Arm(timer, MonoTime{deadlines[which]});
      }
    }
    const size_t armed = static_cast<size_t>(std::count_if(deadlines.begin(), deadlines.end(), [](int64_t d) { return d >= 0; }));
    ASSERT_EQ(queue.size(), armed);
    const size_t early = static_cast<size_t>(
        std::count_if(deadlines.begin(), deadlines.end(), [](int64_t d) { return d >= 0 && d <= 499; }));
    EXPECT_EQ(queue.ExpireUntil(MonoTime{499}), early);
    for (const int number : order) EXPECT_LE(deadlines[static_cast<size_t>(number)], 499);
    queue.ExpireUntil(MonoTime{1000});
    ASSERT_EQ(order.size(), armed);
    for (size_t i = 1; i < order.size(); ++i) {
      EXPECT_LE(deadlines[static_cast<size_t>(order[i - 1])], deadlines[static_cast<size_t>(order[i])]);
    }
  }
}

// Catches a queue that points at a timer that has died, and a timer that points at a queue that has.
TEST(TimerQueueTest, TimersAndQueueDieInAnyOrder) {
  NumberedTimer outlives;
  std::vector<int> order;
  {
    TimerQueue queue;
    {
      NumberedTimer dies;
      queue.Arm(dies, MonoTime{1});
    }
    EXPECT_EQ(queue.ExpireUntil(MonoTime{10}), 0U);
    queue.Arm(outlives, MonoTime{2});
  }
  EXPECT_FALSE(outlives.armed());
}

// Catches a sleep that ends early.
Task<absl::Status> SleepMain(std::string) {
  const MonoTime before = Reactor::Current().now();  // what sleeps count from: the begin of the round
  const WaitResult result = co_await Sleep(absl::Milliseconds(20));
  EXPECT_EQ(result, WaitResult::kTimeout);
  EXPECT_GE(Reactor::Current().io().Now() - before, absl::Milliseconds(20));
  co_return absl::OkStatus();
}
TEST(SleepTest, LastsAtLeastAsLongAsAsked) { OnBoth(1, SleepMain); }

Task<void> WaitOn(Notifier& notifier, std::vector<WaitResult>& results, MonoTime deadline, StopToken stop) {
  results.push_back(co_await notifier.Wait(deadline, stop));
}

// Catches a notification that reaches one of many or many of one, and waits that end for the wrong reason.
Task<absl::Status> NotifierMain(std::string) {
  Notifier notifier;
  StopSource stop;
  std::vector<WaitResult> results;
  Scope scope;
  for (int i = 0; i < 3; ++i) scope.Spawn(WaitOn(notifier, results, MonoTime::Max(), stop.token()));
  notifier.NotifyOne();
  co_await Sleep(absl::Milliseconds(1));
  EXPECT_EQ(results, std::vector<WaitResult>({WaitResult::kNotified}));
  notifier.NotifyAll();
  notifier.NotifyAll();
  co_await scope.Join();
  EXPECT_EQ(results.size(), 3U);
  EXPECT_FALSE(notifier.has_waiters());

  results.clear();
  scope.Spawn(WaitOn(notifier, results, Reactor::Current().now() + absl::Milliseconds(2), stop.token()));
  scope.Spawn(WaitOn(notifier, results, MonoTime::Max(), stop.token()));
  co_await Sleep(absl::Milliseconds(10));
  EXPECT_EQ(results, std::vector<WaitResult>({WaitResult::kTimeout}));
  stop.RequestStop();
  co_await scope.Join();
  EXPECT_EQ(results.back(), WaitResult::kStopped);
  scope.Spawn(WaitOn(notifier, results, MonoTime::Max(), stop.token()));  // stopped already
  co_await scope.Join();
  EXPECT_EQ(results.back(), WaitResult::kStopped);
  co_return absl::OkStatus();
}
TEST(NotifierTest, WaitsEndByNotificationDeadlineOrStop) { OnSim(1, NotifierMain); }

// Catches a waiter that is resumed twice when its deadline passes in the tick in which it is notified.
Task<absl::Status> BothAtOnceMain(std::string) {
  Notifier notifier;
  StopSource stop;
  std::vector<WaitResult> results;
  Scope scope;
  for (int i = 0; i < 50; ++i) {
    const MonoTime deadline = Reactor::Current().now() + absl::Microseconds(100);
    scope.Spawn(WaitOn(notifier, results, deadline, stop.token()));
    co_await Sleep(deadline);
    notifier.NotifyAll();
    co_await scope.Join();
  }
  EXPECT_EQ(results.size(), 50U);
  co_return absl::OkStatus();
}
TEST(NotifierTest, ADeadlineAndANotificationEndOneWaitOnce) { OnBoth(1, BothAtOnceMain); }

Task<void> TakeFor(Semaphore& semaphore, uint64_t units, absl::Duration held, uint64_t& used, uint64_t& used_max) {
  Semaphore::Hold hold = co_await semaphore.Take(units);
  EXPECT_TRUE(static_cast<bool>(hold));
  used += units;
  used_max = std::max(used_max, used);
  co_await Sleep(held);
  used -= units;
}

// Catches units that are handed out twice or never come back.
Task<absl::Status> BudgetMain(std::string) {
  Semaphore semaphore(10);
  uint64_t used = 0;
  uint64_t used_max = 0;
  Scope scope;
  for (uint64_t i = 0; i < 100; ++i) {
    scope.Spawn(TakeFor(semaphore, 1 + i % 7, absl::Microseconds(10 + i % 13), used, used_max));
    EXPECT_LE(used, 10U);
  }
  co_await scope.Join();
  EXPECT_LE(used_max, 10U);
  EXPECT_GT(used_max, 5U);
  EXPECT_EQ(semaphore.available(), 10U);
  co_return absl::OkStatus();
}
TEST(SemaphoreTest, NeverGivesOutMoreThanItHas) { OnSim(1, BudgetMain); }

Task<void> TakeAndNote(Semaphore& semaphore, uint64_t units, int number, std::vector<int>& order, MonoTime deadline) {
  const Semaphore::Hold hold = co_await semaphore.Take(units, deadline);
  order.push_back(hold ? number : -number);
}

// Catches small takers that starve a large one, and a large one that gives up and leaves those behind it waiting.
Task<absl::Status> FairMain(std::string) {
  Semaphore semaphore(10);
  std::vector<int> order;
  Scope scope;
  Semaphore::Hold most = semaphore.TryTake(8);
  EXPECT_TRUE(static_cast<bool>(most));
  scope.Spawn(TakeAndNote(semaphore, 9, 1, order, Reactor::Current().now() + absl::Milliseconds(5)));
  scope.Spawn(TakeAndNote(semaphore, 1, 2, order, MonoTime::Max()));
  co_await Sleep(absl::Milliseconds(1));
  EXPECT_TRUE(order.empty());  // 1 would fit, but it came later
  EXPECT_FALSE(static_cast<bool>(semaphore.TryTake(1)));
  co_await scope.Join();
  EXPECT_EQ(order, std::vector<int>({-1, 2}));
  // More than there is at all: alone, with everything.
  scope.Spawn(TakeAndNote(semaphore, 1000, 3, order, MonoTime::Max()));
  co_await Sleep(absl::Milliseconds(1));
  EXPECT_EQ(order.size(), 2U);
  most.Release();
  co_await scope.Join();
  EXPECT_EQ(order.back(), 3);
  EXPECT_EQ(semaphore.available(), 10U);
  co_return absl::OkStatus();
}
TEST(SemaphoreTest, IsFirstComeFirstServed) { OnSim(1, FairMain); }

struct CountingCallback final : StopCallback {
  void OnStop() noexcept override { ++calls; }
  int calls = 0;
};

// Catches a callback that is called after it died, twice, or by a stop that came before it.
TEST(StopTest, CallsEachLivingCallbackOnce) {
  StopSource source;
  CountingCallback lives;
  source.token().Register(lives);
  {
    CountingCallback dies;
    source.token().Register(dies);
  }
  EXPECT_FALSE(source.token().stop_requested());
  source.RequestStop();
  source.RequestStop();
  EXPECT_EQ(lives.calls, 1);
  EXPECT_TRUE(source.token().stop_requested());
  CountingCallback late;
  source.token().Register(late);
  source.RequestStop();
  EXPECT_EQ(late.calls, 0);
  StopToken never;
  never.Register(late);
  EXPECT_FALSE(never.stop_requested());
}

}  // namespace
}  // namespace core
