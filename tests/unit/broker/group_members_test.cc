#include "broker/group_members.h"

#include "broker/order_locks.h"
#include "broker/producer_groups.h"
#include "gtest/gtest.h"

namespace broker {
namespace {

using Ids = std::vector<GroupMembers::Id>;

core::MonoTime Second(int64_t seconds) { return {seconds * 1'000'000'000}; }

ConsumerRegistration Beat(GroupMembers::Id connection, std::string client, std::vector<std::pair<std::string, std::string>> wants,
                          int64_t second = 0) {
  ConsumerRegistration beat;
  beat.group = "G";
  beat.client.connection = connection;
  beat.client.client_id = std::move(client);
  beat.client.seen = Second(second);
  for (auto& [topic, expression] : wants) {
    beat.subscriptions[topic] = *ParseTagExpression(topic, expression);
    beat.subscriptions[topic].version = second;
  }
  return beat;
}

TEST(GroupMembersTest, TellsEveryoneWhenOneJoinsAndOnlyThen) {
  GroupMembers groups;
  EXPECT_EQ(groups.Heartbeat(Beat(1, "a", {{"T", "*"}})).notify, (Ids{1}));
  EXPECT_EQ(groups.Heartbeat(Beat(2, "b", {{"T", "*"}})).notify, (Ids{1, 2}));
  EXPECT_EQ(groups.Heartbeat(Beat(1, "a", {{"T", "*"}})).notify, Ids{});
  EXPECT_EQ(groups.Remove("G", 2).notify, (Ids{1}));
  EXPECT_EQ(groups.Remove("G", 2).notify, Ids{});
  EXPECT_EQ(groups.Remove("G", 1).notify, Ids{});
  EXPECT_FALSE(groups.View("G").has_value());
}

TEST(GroupMembersTest, AReconnectedClientIsThereOnce) {
  GroupMembers groups;
  groups.Heartbeat(Beat(1, "a", {{"T", "*"}}));
  EXPECT_EQ(groups.Heartbeat(Beat(7, "a", {{"T", "*"}})).notify, (Ids{7}));
  ASSERT_TRUE(groups.View("G").has_value());
  EXPECT_EQ(groups.View("G")->members.size(), 1u);
  EXPECT_EQ(groups.Remove("G", 1).notify, Ids{});  // the old connection closes later: nobody has left
  EXPECT_TRUE(groups.View("G").has_value());
}

TEST(GroupMembersTest, TopicsAddedOrRemovedAreTold) {
  GroupMembers groups;
  groups.Heartbeat(Beat(1, "a", {{"T", "*"}}));
  EXPECT_EQ(groups.Heartbeat(Beat(1, "a", {{"T", "*"}, {"U", "*"}})).notify, (Ids{1}));
  EXPECT_EQ(groups.Heartbeat(Beat(1, "a", {{"T", "A"}, {"U", "*"}})).notify, Ids{});  // another expression moves no queue
  EXPECT_EQ(groups.Heartbeat(Beat(1, "a", {{"U", "*"}})).notify, (Ids{1}));
  EXPECT_EQ(groups.FindSubscription("G", "T"), nullptr);
}

TEST(GroupMembersTest, ABeatWithoutSubscriptionsKeepsThem) {
  GroupMembers groups;
  groups.Heartbeat(Beat(1, "a", {{"T", "*"}}));
  ConsumerRegistration alive = Beat(1, "a", {});
  alive.without_subscriptions = true;
  EXPECT_EQ(groups.Heartbeat(std::move(alive)).notify, Ids{});
  EXPECT_NE(groups.FindSubscription("G", "T"), nullptr);
}

// In RocketMQ the two overwrite each other with every heartbeat, with a rebalance each time.
TEST(GroupMembersTest, UnequalMembersKeepTheirOwnAndAreNamed) {
  GroupMembers groups;
  EXPECT_FALSE(groups.Heartbeat(Beat(1, "a", {{"T", "*"}})).disagreements_changed);
  EXPECT_TRUE(groups.Heartbeat(Beat(2, "b", {{"U", "*"}})).disagreements_changed);
  const std::vector<Disagreement> found = groups.Disagreements("G");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].topic, "T");
  EXPECT_EQ(found[0].Text(), "1 wants [*]: a (); 1 wants nothing: b ()");
  EXPECT_EQ(found[1].Text(), "1 wants [*]: b (); 1 wants nothing: a ()");
  EXPECT_EQ(groups.Heartbeat(Beat(1, "a", {{"T", "*"}})).notify, Ids{});
  EXPECT_FALSE(groups.Heartbeat(Beat(2, "b", {{"U", "*"}})).disagreements_changed) << "said once";
  EXPECT_NE(groups.FindSubscription("G", "T"), nullptr);
  EXPECT_NE(groups.FindSubscription("G", "U"), nullptr);
}

// A rolling update of a group: each new wish is said once, not each member that has it, and the end of it as well.
TEST(GroupMembersTest, ADisagreementIsSaidOncePerChangeOfWishes) {
  GroupMembers groups;
  for (uint32_t id = 1; id <= 3; ++id) EXPECT_FALSE(groups.Heartbeat(Beat(id, "old" + std::to_string(id), {{"T", "A"}})).disagreements_changed);
  EXPECT_EQ(groups.disagreeing(), 0u);
  EXPECT_TRUE(groups.Heartbeat(Beat(4, "new4", {{"T", "B"}})).disagreements_changed);
  EXPECT_EQ(groups.disagreeing(), 1u);
  EXPECT_FALSE(groups.Remove("G", 1).disagreements_changed);
  EXPECT_FALSE(groups.Heartbeat(Beat(5, "new5", {{"T", "B"}})).disagreements_changed);
  EXPECT_EQ(groups.Disagreements("G").at(0).Text(), "2 want [A], such as old2 (); 2 want [B], such as new4 ()");
  EXPECT_EQ(groups.View("G")->disagreements.size(), 1u);
  EXPECT_TRUE(groups.Heartbeat(Beat(6, "newer", {{"T", "C"}})).disagreements_changed);
  EXPECT_TRUE(groups.Remove("G", 6).disagreements_changed);
  EXPECT_FALSE(groups.Remove("G", 2).disagreements_changed);
  EXPECT_TRUE(groups.Remove("G", 3).disagreements_changed) << "they agree again";
  EXPECT_TRUE(groups.Disagreements("G").empty());
  EXPECT_EQ(groups.disagreeing(), 0u);
  EXPECT_TRUE(groups.Heartbeat(Beat(5, "new5", {{"T", "A"}})).disagreements_changed) << "a member changes its mind";
  EXPECT_FALSE(groups.Heartbeat(Beat(5, "new5", {{"T", "A"}})).disagreements_changed);
  groups.Remove("G", 4);
  groups.Remove("G", 5);
  EXPECT_EQ(groups.disagreeing(), 0u) << "of a group that is gone";
}

TEST(GroupMembersTest, WishesThatDifferOnlyBehindTheCutAreStillDifferent) {
  GroupMembers groups;
  const std::string shared(1000, 'a');
  groups.Heartbeat(Beat(1, "a", {{"T", shared + "1"}}));
  EXPECT_TRUE(groups.Heartbeat(Beat(2, "b", {{"T", shared + "2"}})).disagreements_changed);
  EXPECT_LT(groups.Disagreements("G").at(0).Text().size(), 500u);
}

TEST(GroupMembersTest, BroadcastingGroupsAreNotTold) {
  GroupMembers groups;
  ConsumerRegistration beat = Beat(1, "a", {{"T", "*"}});
  beat.model = MessageModel::kBroadcasting;
  EXPECT_EQ(groups.Heartbeat(beat).notify, Ids{});
  EXPECT_EQ(groups.ModelOf("G"), MessageModel::kBroadcasting);
  ConsumerRegistration other = Beat(2, "b", {{"U", "*"}});
  other.model = MessageModel::kBroadcasting;
  EXPECT_FALSE(groups.Heartbeat(other).disagreements_changed);
  EXPECT_TRUE(groups.Disagreements("G").empty());
}

TEST(GroupMembersTest, TheSilentExpireAndTheOthersAreTold) {
  GroupMembers groups;
  groups.Heartbeat(Beat(1, "a", {{"T", "*"}}, 10));
  groups.Heartbeat(Beat(2, "b", {{"T", "*"}}, 20));
  EXPECT_TRUE(groups.Expire(Second(10)).empty());
  const auto expired = groups.Expire(Second(11));
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].connection, 1u);
  EXPECT_EQ(expired[0].outcome.notify, (Ids{2}));
}

TEST(GroupMembersTest, ClientIdsComeSorted) {  // every member computes the distribution from the order
  GroupMembers groups;
  for (const auto& [id, client] : {std::pair(1u, "c"), std::pair(2u, "a"), std::pair(3u, "b")}) {
    groups.Heartbeat(Beat(id, client, {{"T", "*"}}));
  }
  const auto view = groups.View("G");
  EXPECT_EQ(view->members[0].client_id, "a");
  EXPECT_EQ(view->members[2].client_id, "c");
}

TEST(OrderLocksTest, OneHolderUntilItsLeaseIsOver) {
  OrderLocks locks;
  const core::QueueKey queue{"T", 0};
  EXPECT_TRUE(locks.Lock("G", queue, "a", 1, Second(0)));
  EXPECT_FALSE(locks.Lock("G", queue, "b", 2, Second(59)));
  EXPECT_TRUE(locks.Lock("G", queue, "a", 1, Second(50)));  // renewed
  EXPECT_FALSE(locks.Lock("G", queue, "b", 2, Second(110)));
  EXPECT_TRUE(locks.Lock("G", queue, "b", 2, Second(111)));
  EXPECT_TRUE(locks.Lock("H", queue, "a", 1, Second(111)));  // another group
}

TEST(OrderLocksTest, ThereAreOnlySoMany) {
  OrderLocks locks;
  for (size_t i = 0; i < OrderLocks::kLocksMax; ++i) ASSERT_TRUE(locks.Lock("G", {"T", static_cast<int32_t>(i)}, "a", i % 4, Second(0)));
  EXPECT_FALSE(locks.Lock("H", {"T", 0}, "b", 7, Second(1)));
  EXPECT_TRUE(locks.Lock("G", {"T", 0}, "a", 0, Second(1))) << "renewed";
  EXPECT_TRUE(locks.Lock("G", {"T", 0}, "a", 8, Second(1))) << "by another connection";
  locks.Unlock("G", {"T", 1}, "a");
  EXPECT_TRUE(locks.Lock("H", {"T", 0}, "b", 7, Second(1)));
  EXPECT_FALSE(locks.Lock("H", {"T", 1}, "b", 7, Second(1)));
  locks.ConnectionClosed(1);
  EXPECT_TRUE(locks.Lock("H", {"T", 1}, "b", 7, Second(1)));
}

TEST(OrderLocksTest, AConnectionHasOnlySoMany) {
  OrderLocks locks;
  for (size_t i = 0; i < OrderLocks::kLocksPerConnectionMax; ++i) ASSERT_TRUE(locks.Lock("G", {"T", static_cast<int32_t>(i)}, "a", 1, Second(0)));
  EXPECT_FALSE(locks.Lock("H", {"T", 0}, "a", 1, Second(1)));
  EXPECT_TRUE(locks.Lock("G", {"T", 5}, "a", 1, Second(1))) << "renewed";
  EXPECT_TRUE(locks.Lock("G", {"T", 5}, "a", 2, Second(1))) << "moved to another connection";
  EXPECT_TRUE(locks.Lock("H", {"T", 0}, "a", 1, Second(1)));
  EXPECT_FALSE(locks.Lock("H", {"T", 1}, "a", 1, Second(1)));
  locks.Expire(Second(61));
  EXPECT_TRUE(locks.Lock("H", {"T", 1}, "a", 1, Second(62)));
}

TEST(ProducerGroupsTest, AConnectionIsInOnlySoMany) {
  ProducerGroups groups;
  const auto beat = [&groups](net::Connection::Id id, size_t number, int64_t second) {
    ClientInfo client;
    client.connection = id;
    client.client_id = std::to_string(id);
    client.seen = Second(second);
    return groups.Heartbeat("g" + std::to_string(number), std::move(client));
  };
  constexpr size_t kMax = ProducerGroups::kGroupsPerConnectionMax;
  for (size_t i = 0; i < kMax; ++i) ASSERT_TRUE(beat(1, i, 0));
  EXPECT_FALSE(beat(1, kMax, 0));
  EXPECT_TRUE(beat(1, 0, 9)) << "it is in that one";
  EXPECT_TRUE(beat(2, kMax, 0)) << "another connection";
  groups.Unregister("g1", 1);
  groups.Unregister("g1", 1);
  groups.Unregister("nobody's", 1);
  EXPECT_TRUE(beat(1, kMax, 9));
  EXPECT_FALSE(beat(1, kMax + 1, 9));
  EXPECT_EQ(groups.Expire(Second(5)).size(), kMax - 2 + 1);  // of 1 all but two, and 2
  for (size_t i = 0; i < kMax - 2; ++i) ASSERT_TRUE(beat(1, 5000 + i, 9));
  EXPECT_FALSE(beat(1, 1, 9));
  groups.ConnectionClosed(1);
  EXPECT_TRUE(groups.all().empty());
  for (size_t i = 0; i < kMax; ++i) ASSERT_TRUE(beat(1, i, 0));
}

TEST(OrderLocksTest, UnlockIsForTheHolderOnly) {
  OrderLocks locks;
  const core::QueueKey queue{"T", 0};
  ASSERT_TRUE(locks.Lock("G", queue, "a", 1, Second(0)));
  locks.Unlock("G", queue, "b");
  EXPECT_FALSE(locks.Lock("G", queue, "b", 2, Second(1)));
  locks.Unlock("G", queue, "a");
  EXPECT_TRUE(locks.Lock("G", queue, "b", 2, Second(1)));
}

TEST(OrderLocksTest, AClosedConnectionFreesItsLocksAtOnce) {
  OrderLocks locks;
  ASSERT_TRUE(locks.Lock("G", {"T", 0}, "a", 1, Second(0)));
  ASSERT_TRUE(locks.Lock("G", {"T", 1}, "b", 2, Second(0)));
  EXPECT_TRUE(locks.HoldsAny("G", Second(60)));
  EXPECT_FALSE(locks.HoldsAny("G", Second(61)));
  locks.ConnectionClosed(1);
  EXPECT_TRUE(locks.Lock("G", {"T", 0}, "b", 2, Second(1)));
  EXPECT_FALSE(locks.Lock("G", {"T", 1}, "a", 3, Second(1)));
  locks.ForgetTopic("T");
  EXPECT_FALSE(locks.HoldsAny("G", Second(1)));
}

TEST(ProducerGroupsTest, ComeAndGoWithTheirConnections) {
  ProducerGroups producers;
  ClientInfo client;
  client.connection = 5;
  client.client_id = "a";
  client.seen = Second(10);
  producers.Heartbeat("P", client);
  producers.Heartbeat("Q", client);
  EXPECT_EQ(producers.FindClient("a"), 5u);
  producers.Unregister("Q", 5);
  EXPECT_TRUE(producers.Members("Q").empty());
  EXPECT_TRUE(producers.Expire(Second(10)).empty());
  producers.ConnectionClosed(5);
  EXPECT_TRUE(producers.all().empty());
  producers.Heartbeat("P", client);
  EXPECT_EQ(producers.Expire(Second(11)), (std::vector<net::Connection::Id>{5}));
}

}  // namespace
}  // namespace broker
