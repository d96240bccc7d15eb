#include "broker/consumer_groups.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/sim/world.h"
#include "core/strings.h"
#include "gtest/gtest.h"

// Members of one group on connections of several shards: each is told on its own shard, before the call that changed the group returns.

namespace broker {
namespace {

constexpr uint32_t kShards = 3;
using Id = net::Connection::Id;

Id OnShard(uint32_t shard, Id number) { return Id{shard} << 48 | number; }

struct Told {
  core::ShardId shard;
  Id connection;
  friend bool operator==(const Told&, const Told&) = default;
};

struct Fixture {
  Fixture() : groups(kShards) {}
  core::Task<void> Start() {
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      co_await core::InvokeOn(
          core::ShardId(shard),
          [](Fixture* self, core::ShardId id) {
            self->groups.Set(id, std::make_unique<ConsumerGroups>(
                                     Placement(kShards), [self](core::ShardId at) { return self->groups.at(at); },
                                     [self](const std::vector<Id>& ids, std::string_view) {
                                       for (const Id one : ids) self->told.push_back({core::Reactor::Current().shard(), one});
                                     }));
          },
          this, core::ShardId(shard));
    }
  }
  core::Task<void> Stop() {
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      co_await core::InvokeOn(
          core::ShardId(shard), [](Fixture* self, core::ShardId id) { self->groups.Set(id, nullptr); }, this, core::ShardId(shard));
    }
  }
  core::Task<void> Beat(Id connection, std::string client, std::string expression) {
    ConsumerRegistration beat;
    beat.group = "G";
    beat.client.connection = connection;
    beat.client.client_id = std::move(client);
    beat.subscriptions["T"] = *ParseTagExpression("T", expression);
    co_await groups.On(
        core::ShardId(static_cast<uint32_t>(connection >> 48)),
        [](ConsumerGroups& there, ConsumerRegistration one) { return there.Heartbeat(std::move(one), true); }, std::move(beat));
  }
  std::vector<Told> TakeTold() { return std::exchange(told, {}); }

  core::Sharded<ConsumerGroups> groups;
  std::vector<Told> told;  // one thread in the simulation
};

core::Task<absl::Status> JoinAndLeave() {
  Fixture fixture;
  co_await fixture.Start();
  const Id first = OnShard(1, 7);
  const Id second = OnShard(2, 7);
  co_await fixture.Beat(first, "a", "A");
  EXPECT_EQ(fixture.TakeTold(), (std::vector<Told>{{core::ShardId(1), first}}));
  co_await fixture.Beat(second, "b", "B");
  EXPECT_EQ(fixture.TakeTold(), (std::vector<Told>{{core::ShardId(1), first}, {core::ShardId(2), second}}));
  co_await fixture.Beat(second, "b", "B");
  EXPECT_TRUE(fixture.TakeTold().empty());

  const std::optional<GroupView> view = co_await fixture.groups.local().View("G");
  EXPECT_TRUE(view.has_value() && view->members.size() == 2);
  std::vector<std::string> groups = co_await fixture.groups.local().GroupsOfTopic("T");
  EXPECT_EQ(groups, std::vector<std::string>{"G"});

  // A pull is filtered by its own client's wish, not by the other's.
  const std::optional<std::string> wish = co_await fixture.groups.On(
      core::ShardId(1),
      [](ConsumerGroups& there, Id id) -> std::optional<std::string> {
        const std::optional<PullSubscription> found = there.Find(id, "G", "T");
        if (!found.has_value() || found->subscription == nullptr) return std::nullopt;
        return found->subscription->expression;
      },
      first);
  EXPECT_EQ(wish, "A");
  const PullSubscription of_stranger = co_await fixture.groups.local().FindOfGroup("G", "T");
  EXPECT_TRUE(of_stranger.group_online && of_stranger.subscription != nullptr);
  const PullSubscription of_other = co_await fixture.groups.local().FindOfGroup("G", "U");
  EXPECT_TRUE(of_other.group_online && of_other.subscription == nullptr);

  co_await fixture.groups.On(core::ShardId(1), [](ConsumerGroups& there, Id id) { return there.ConnectionClosed(id); }, first);
  EXPECT_EQ(fixture.TakeTold(), (std::vector<Told>{{core::ShardId(2), second}}));
  co_await fixture.groups.On(core::ShardId(2), [](ConsumerGroups& there, Id id) { return there.Unregister(id, "G", true); }, second);
  EXPECT_TRUE(fixture.TakeTold().empty());
  const PullSubscription gone = co_await fixture.groups.local().FindOfGroup("G", "T");
  EXPECT_FALSE(gone.group_online);
  co_await fixture.Stop();
  co_return absl::OkStatus();
}

TEST(ConsumerGroupsTest, MembersOnAnyShardAreToldAtOnce) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    const absl::Status status = sim::RunInWorld(seed, kShards, [] { return JoinAndLeave(); });
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace broker
