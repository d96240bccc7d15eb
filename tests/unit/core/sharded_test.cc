// Goal: calls between shards run where they should, come back to where they were made, and leave nothing behind.
#include "core/sharded.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/sync.h"
#include "tests/unit/core/on_both.h"

namespace core {
namespace {

uint32_t Here() { return Reactor::Current().shard().value(); }

Task<uint32_t> HereAfterAWhile(int micros) {
  co_await Sleep(absl::Microseconds(micros));
  co_return Here();
}

// Catches a call that runs on the caller's shard, a caller that wakes up on the other one, and arguments that are copied.
Task<absl::Status> CallMain(std::string) {
  for (uint32_t shard = 0; shard < 3; ++shard) {
    const uint32_t plain = co_await InvokeOn(ShardId(shard), [] { return Here(); });
    EXPECT_EQ(plain, shard);
    EXPECT_EQ(Here(), 0U);
    const uint32_t task = co_await InvokeOn(ShardId(shard), [](int micros) { return HereAfterAWhile(micros); }, 50);
    EXPECT_EQ(task, shard);
    EXPECT_EQ(Here(), 0U);
    std::unique_ptr<std::string> moved = co_await InvokeOn(
        ShardId(shard), [](std::unique_ptr<std::string> text) { return text; }, std::make_unique<std::string>("moved"));
    EXPECT_EQ(*moved, "moved");
    co_await InvokeOn(ShardId(shard), [](int) {}, 1);
  }
  co_return absl::OkStatus();
}
TEST(InvokeOnTest, RunsThereAndComesBack) { OnBoth(3, CallMain); }

// From shard 0 to 1, from there to 2, from there back to 0. Catches a call that blocks its shard while it waits for the next one.
Task<std::vector<uint32_t>> Hop(int hops) {
  std::vector<uint32_t> path = {Here()};
  if (hops == 0) co_return path;
  const ShardId next((Here() + 1) % 3);
  const std::vector<uint32_t> rest = co_await InvokeOn(next, [](int left) { return Hop(left); }, hops - 1);
  path.insert(path.end(), rest.begin(), rest.end());
  EXPECT_EQ(Here(), path[0]);
  co_return path;
}
Task<absl::Status> HopMain(std::string) {
  const std::vector<uint32_t> path = co_await Hop(7);
  EXPECT_EQ(path, std::vector<uint32_t>({0, 1, 2, 0, 1, 2, 0, 1}));
  co_return absl::OkStatus();
}
TEST(InvokeOnTest, CallsNest) { OnBoth(3, HopMain); }

Task<void> CallInOrder(std::vector<int>* seen, int number) {
  co_await InvokeOn(ShardId(1), [](std::vector<int>* there, int n) { there->push_back(n); }, seen, number);
}

// Catches an overflow list that overtakes the ring: the owner of a queue appends in the order in which it is called.
Task<absl::Status> OrderMain(std::string) {
  std::vector<int> seen;
  Scope scope;
  for (int i = 0; i < 5000; ++i) scope.Spawn(CallInOrder(&seen, i));
  co_await scope.Join();
  EXPECT_EQ(seen.size(), 5000U);
  for (int i = 0; i < static_cast<int>(seen.size()); ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
  co_return absl::OkStatus();
}
TEST(InvokeOnTest, OrderIsKeptPerPairOfShards) { OnBoth(2, OrderMain); }

struct Service {
  explicit Service(uint32_t h) : home(h) {}
  uint32_t home;
  int calls = 0;
};
Task<absl::Status> ShardedMain(std::string) {
  Sharded<Service> services(2);
  for (uint32_t shard = 0; shard < 2; ++shard) {
    co_await InvokeOn(
        ShardId(shard), [](Sharded<Service>* all) { all->Set(ShardId(Here()), std::make_unique<Service>(Here())); }, &services);
  }
  EXPECT_EQ(services.local().home, 0U);
  const uint32_t home = co_await services.On(ShardId(1), [](Service& service, int by) {
    service.calls += by;
    return service.home == Here() ? service.home : 99;
  }, 5);
  EXPECT_EQ(home, 1U);
  EXPECT_EQ(services.at(ShardId(1))->calls, 5);
  co_return absl::OkStatus();
}
// Catches an instance that is reached from a shard that does not own it.
TEST(ShardedTest, EachShardHasItsOwn) { OnBoth(2, ShardedMain); }

struct DiesAt {
  explicit DiesAt(uint32_t* where) : shard(where) {}
  DiesAt(DiesAt&& other) noexcept : shard(std::exchange(other.shard, nullptr)) {}
  DiesAt& operator=(DiesAt&&) = delete;
  ~DiesAt() {
    if (shard != nullptr) *shard = Here();
  }
  uint32_t* shard;
};

// Catches a foreign value that is freed where it is held: its plain reference count would race.
Task<absl::Status> ForeignMain(std::string) {
  uint32_t died_at = 99;
  {
    Foreign<DiesAt> held =
        co_await InvokeOn(ShardId(1), [](uint32_t* where) { return Foreign<DiesAt>(DiesAt(where)); }, &died_at);
    EXPECT_TRUE(static_cast<bool>(held));
    Foreign<DiesAt> moved = std::move(held);
    co_await Sleep(absl::Milliseconds(1));
    EXPECT_EQ(died_at, 99U);
  }
  co_await InvokeOn(ShardId(1), [] {});
  EXPECT_EQ(died_at, 1U);
  co_return absl::OkStatus();
}
TEST(ForeignTest, DiesAtHome) { OnBoth(2, ForeignMain); }

Task<absl::Status> CallForEver(int* done) {
  for (;;) {
    const Foreign<Slice> slice = co_await InvokeOn(ShardId(1), [](int micros) -> Task<Foreign<Slice>> {
      co_await Sleep(absl::Microseconds(micros));
      co_return Foreign<Slice>(Reactor::Current().buffers().Copy(std::string_view("something to hold")));
    }, static_cast<int>(Reactor::Current().RandomBits() % 50));
    ++*done;
  }
}

// Catches frames, calls and foreign values that leak or are touched after their death, when a process is killed anywhere between
// two shards (with AddressSanitizer).
TEST(ForeignTest, AKillBetweenTwoShardsLeavesNothing) {
  int done = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 2);
    node.Start([&done]() -> Task<absl::Status> {
      Scope scope;
      for (int i = 0; i < 8; ++i) {
        scope.Spawn([](int* count) -> Task<void> {
          const absl::Status status = co_await CallForEver(count);
          EXPECT_TRUE(status.ok());
        }(&done));
      }
      co_await scope.Join();
      co_return absl::OkStatus();
    });
    world.RunFor(absl::Microseconds(static_cast<int64_t>(world.random().Below(2000))));
    node.Kill();
  }
  EXPECT_GT(done, 1000);
}

}  // namespace
}  // namespace core
