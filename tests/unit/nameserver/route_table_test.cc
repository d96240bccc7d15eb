#include "nameserver/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/strings.h"

namespace nameserver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr core::MonoTime At(int64_t seconds) { return {seconds * 1'000'000'000}; }

Registration BrokerAt(std::string name, int64_t id, std::string address, int64_t counter,
                      std::vector<std::string> topics, uint64_t connection = 1) {
  Registration registration;
  registration.broker = {"C", std::move(name), std::move(address), id};
  registration.ha_address = registration.broker.address + "-ha";
  registration.enable_acting_master = false;
  registration.connection = connection;
  registration.report.version.counter = counter;
  for (std::string& topic : topics) registration.report.topics.push_back({std::move(topic), {4, 4, 6, 0}});
  return registration;
}

class RouteTableTest : public testing::Test {
 protected:
  RegistrationAnswer Register(Registration registration, int64_t second = 0) {
    return table_.Register(std::move(registration), At(second), {});
  }
  std::string Route(std::string_view topic, RouteQuestion question = {}) {
    const std::optional<core::Slice> answer = table_.snapshot().RouteAnswer(topic, question, pool_);
    return answer.has_value() ? std::string(answer->text()) : "";
  }
  std::vector<std::string_view> Topics() {
    return table_.snapshot().TopicNames([](std::string_view, const TopicRoute&) { return true; });
  }

  core::BufferPool pool_{0};
  RouteTable table_;
};

// Byte for byte what a Java client of before and since 4.9.4 gets from a 5.3.3 nameserver; the Go client takes it apart by hand.
TEST_F(RouteTableTest, AnswerInBothKeyForms) {
  Register(BrokerAt("b", 0, "10.0.0.1:10911", 1, {"T", "TBW102"}));
  Register(BrokerAt("b", 1, "10.0.0.2:10911", 1, {"T", "TBW102"}, 2));
  EXPECT_EQ(Route("T"),
            R"({"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"b","cluster":"C",)"
            R"("enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,)"
            R"("topicSysFlag":0,"writeQueueNums":4}]})");
  EXPECT_THAT(Route("T", {.quoted_keys = true}), HasSubstr(R"("brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"})"));
  EXPECT_EQ(Route("nowhere"), "");
}

TEST_F(RouteTableTest, TheSameAnswerIsTheSameBytesUntilSomethingChanges) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  const auto bytes = [&] { return table_.snapshot().RouteAnswer("T", {}, pool_)->data(); };
  const core::Slice before = *table_.snapshot().RouteAnswer("T", {}, pool_);
  EXPECT_EQ(bytes(), before.data());
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));  // the heartbeat changes nothing
  EXPECT_EQ(bytes(), before.data());
  Register(BrokerAt("b", 0, "a:1", 2, {"T", "U", "V"}));  // neither does another topic
  EXPECT_EQ(bytes(), before.data());
  Register(BrokerAt("b", 1, "a:2", 1, {"T", "U"}, 2));
  EXPECT_NE(bytes(), before.data());
  EXPECT_THAT(std::string(before.text()), Not(HasSubstr("a:2"))) << "an answer under way must not change";
  EXPECT_THAT(Route("T"), HasSubstr("a:2"));
}

TEST_F(RouteTableTest, AChangedTopicIsAnsweredAnew) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  EXPECT_THAT(Route("T"), HasSubstr(R"("perm":6)"));
  EXPECT_EQ(table_.SetWritable("b", false), 2);
  EXPECT_THAT(Route("T"), HasSubstr(R"("perm":4)"));
  EXPECT_EQ(table_.SetWritable("b", true), 2);
  EXPECT_THAT(Route("T"), HasSubstr(R"("perm":6)"));
  EXPECT_EQ(table_.SetWritable("stranger", true), 0);
}

// Standalone registers 0.0.0.0: each client gets the address it dialled itself, and never another's from the cache.
TEST_F(RouteTableTest, WhereverDialled) {
  Register(BrokerAt("b", 0, "0.0.0.0:10911", 1, {"T", "U"}));
  const core::Endpoint loopback = *core::Endpoint::Parse("127.0.0.1:9876");
  const core::Endpoint lan = *core::Endpoint::Parse("192.168.1.5:9876");
  const core::Endpoint v6 = *core::Endpoint::Parse("[::1]:9876");
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(Route("T", {.dialled = loopback}), HasSubstr(R"({0:"127.0.0.1:10911"})"));
    EXPECT_THAT(Route("T", {.dialled = lan}), HasSubstr(R"({0:"192.168.1.5:10911"})"));
    EXPECT_THAT(Route("T", {.dialled = v6}), HasSubstr(R"({0:"[::1]:10911"})"));
  }
  for (int host = 0; host < 20; ++host) {  // more addresses than are remembered
    const auto many = core::Endpoint::Parse(core::StrCat("10.1.1.", host, ":9876"));
    EXPECT_THAT(Route("T", {.dialled = *many}), HasSubstr(core::StrCat("10.1.1.", host, ":10911")));
  }
  EXPECT_THAT(table_.snapshot().ClusterInfo(lan), HasSubstr("192.168.1.5:10911"));
}

TEST_F(RouteTableTest, ClusterInfoHasBareKeys) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  EXPECT_EQ(table_.snapshot().ClusterInfo({}),
            R"({"brokerAddrTable":{"b":{"brokerAddrs":{0:"a:1"},"brokerName":"b","cluster":"C","enableActingMaster":false}},)"
            R"("clusterAddrTable":{"C":["b"]}})");
}

TEST_F(RouteTableTest, ASingleTopicOfAnUnknownBrokerIsRefused) {
  EXPECT_FALSE(Register(BrokerAt("b", 0, "a:1", 1, {"T"})).accepted);
  EXPECT_THAT(Topics(), IsEmpty());
  EXPECT_EQ(table_.snapshot().FindBroker("b"), nullptr);
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  EXPECT_TRUE(Register(BrokerAt("b", 0, "a:1", 2, {"V"})).accepted);
  EXPECT_THAT(Topics(), ElementsAre("T", "U", "V")) << "what is not reported stays";
}

TEST_F(RouteTableTest, AnUnchangedVersionChangesNothingButBringsBackWhatWasDeleted) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  table_.SetWritable("b", false);
  table_.DeleteTopic("U", "");
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  EXPECT_THAT(Route("T"), HasSubstr(R"("perm":4)"));
  EXPECT_THAT(Route("U"), HasSubstr(R"("perm":6)"));
  Register(BrokerAt("b", 0, "a:1", 2, {"T", "U"}));
  EXPECT_THAT(Route("T"), HasSubstr(R"("perm":6)"));
}

TEST_F(RouteTableTest, TopicsNoLongerReportedGoOnlyWhereThatIsConfigured) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U", "V"}));
  table_.Register(BrokerAt("b", 0, "a:1", 2, {"T", "U"}), At(0), {.delete_topic_with_registration = true});
  EXPECT_THAT(Topics(), ElementsAre("T", "U"));
}

TEST_F(RouteTableTest, SlavesAreToldTheirMasterAndTheirTopicsDoNotCount) {
  EXPECT_EQ(Register(BrokerAt("b", 1, "a:2", 1, {"S", "U"}, 2)).master_address, "");
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  const RegistrationAnswer answer = Register(BrokerAt("b", 1, "a:2", 2, {"X", "Y"}, 2));
  EXPECT_EQ(answer.master_address, "a:1");
  EXPECT_EQ(answer.ha_address, "a:1-ha");
  // Alone, a slave of 5.x was the prime one and its topics counted; beside the master they no longer do.
  EXPECT_THAT(Topics(), ElementsAre("S", "T", "U"));
  Registration old = BrokerAt("old", 1, "a:9", 1, {"O", "P"}, 3);
  old.enable_acting_master.reset();
  Register(std::move(old));
  EXPECT_THAT(Topics(), ElementsAre("S", "T", "U")) << "of a 4.9 slave they never do";
}

TEST_F(RouteTableTest, ASlaveThatActsAsMasterTakesNoMessages) {
  Registration slave = BrokerAt("b", 1, "a:2", 1, {"T", "U"});
  slave.enable_acting_master = true;
  Register(std::move(slave));
  EXPECT_THAT(Route("T"), HasSubstr(R"("perm":4)"));
}

TEST_F(RouteTableTest, WhenTheMasterGoesOnlyActingGroupsLoseWritePermission) {
  for (const bool acting : {false, true}) {
    const std::string name = acting ? "acting" : "plain";
    for (int64_t id : {0, 1}) {
      Registration registration = BrokerAt(name, id, core::StrCat(name, ":", id), 1, {name, "shared"}, static_cast<uint64_t>(10 + id));
      registration.enable_acting_master = acting;
      Register(std::move(registration));
    }
    table_.Unregister({"C", name, core::StrCat(name, ":0"), 0});
  }
  EXPECT_THAT(Route("plain"), HasSubstr(R"("perm":6)"));
  EXPECT_THAT(Route("acting"), HasSubstr(R"("perm":4)"));
}

TEST_F(RouteTableTest, ASlaveThatBecomesMasterLeavesItsOldId) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  Register(BrokerAt("b", 1, "a:2", 1, {"T", "U"}, 2));
  table_.Unregister({"C", "b", "a:1", 0});
  Register(BrokerAt("b", 0, "a:2", 2, {"T", "U"}, 2));
  EXPECT_THAT(Route("T"), HasSubstr(R"({0:"a:2"})"));
}

TEST_F(RouteTableTest, ANewcomerWithTheSameIdWinsUnlessItsMasterIsOlder) {
  Registration first = BrokerAt("b", 0, "a:1", 1, {"T", "U"});
  first.report.version.state_version = 2;
  Register(first);
  EXPECT_TRUE(Register(BrokerAt("b", 0, "a:9", 1, {"T", "U"}, 2)).accepted);
  EXPECT_THAT(Route("T"), HasSubstr("a:1"));
  EXPECT_FALSE(table_.VersionOf("C", "a:9").has_value());
  Registration newer = BrokerAt("b", 0, "a:9", 1, {"T", "U"}, 2);
  newer.report.version.state_version = 2;
  Register(newer);
  EXPECT_THAT(Route("T"), HasSubstr("a:9"));
}

TEST_F(RouteTableTest, AClosedConnectionTakesItsBrokerAndEmptyTopicsWithIt) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "shared"}, 7));
  Register(BrokerAt("c", 0, "a:2", 1, {"U", "shared"}, 8));
  EXPECT_THAT(table_.ConnectionClosed(99), IsEmpty());
  EXPECT_THAT(table_.ConnectionClosed(7), ElementsAre("a:1"));
  EXPECT_THAT(Topics(), ElementsAre("U", "shared"));
  EXPECT_THAT(Route("shared"), Not(HasSubstr("a:1")));
  EXPECT_THAT(table_.ConnectionClosed(7), IsEmpty());
}

// A broker that has reconnected must not vanish when the old connection is found dead at last.
TEST_F(RouteTableTest, AnOldConnectionsEndIsNoNews) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 7));
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 8));
  EXPECT_THAT(table_.ConnectionClosed(7), IsEmpty());
  EXPECT_NE(Route("T"), "");
  EXPECT_THAT(table_.ConnectionClosed(8), ElementsAre("a:1"));
  EXPECT_EQ(Route("T"), "");
}

TEST_F(RouteTableTest, SilenceEndsAfter120SecondsOrWhatTheBrokerSays) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 7), 0);
  Registration hasty = BrokerAt("c", 0, "a:2", 1, {"V", "W"}, 8);
  hasty.timeout = absl::Seconds(10);
  Register(std::move(hasty), 0);
  EXPECT_THAT(table_.RemoveSilent(At(10)), IsEmpty());
  EXPECT_THAT(table_.RemoveSilent(At(11)), ElementsAre(std::pair<std::string, uint64_t>("a:2", 8)));
  table_.Heartbeat("C", "a:1", At(100));
  table_.Heartbeat("C", "stranger", At(100));
  EXPECT_THAT(table_.RemoveSilent(At(220)), IsEmpty());
  EXPECT_THAT(table_.RemoveSilent(At(221)), ElementsAre(std::pair<std::string, uint64_t>("a:1", 7)));
  EXPECT_THAT(Topics(), IsEmpty());
}

TEST_F(RouteTableTest, DeletingATopicOfOneCluster) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  Registration other = BrokerAt("d", 0, "a:2", 1, {"T", "U"}, 2);
  other.broker.cluster = "D";
  Register(std::move(other));
  table_.DeleteTopic("T", "C");
  EXPECT_THAT(Route("T"), Not(HasSubstr("a:1")));
  EXPECT_THAT(Route("T"), HasSubstr("a:2"));
  table_.DeleteTopic("T", "D");
  EXPECT_THAT(Topics(), ElementsAre("U"));
}

TEST_F(RouteTableTest, RegisterTopicWantsKnownBrokers) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  table_.RegisterTopic("N", {{"b", {1, 1, 6, 0}}, {"stranger", {1, 1, 6, 0}}});
  EXPECT_EQ(Route("N"), "");
  table_.RegisterTopic("N", {{"b", {1, 1, 6, 0}}});
  EXPECT_NE(Route("N"), "");
}

// Zone routing keeps near brokers, and those whose master is down: their messages are nowhere else.
TEST_F(RouteTableTest, Zones) {
  Registration near = BrokerAt("near", 0, "n:1", 1, {"T", "U"}, 1);
  near.zone = "Z1";
  Register(std::move(near));
  Registration far = BrokerAt("far", 0, "f:1", 1, {"T", "U"}, 2);
  far.zone = "Z2";
  Register(std::move(far));
  Registration orphan = BrokerAt("orphan", 1, "o:1", 1, {"T", "U"}, 3);
  orphan.zone = "Z2";
  Register(std::move(orphan));
  const std::string route = Route("T", {.zone = "z1"});
  EXPECT_THAT(route, HasSubstr("n:1"));
  EXPECT_THAT(route, HasSubstr("o:1"));
  EXPECT_THAT(route, Not(HasSubstr("far")));
  EXPECT_THAT(Route("T"), HasSubstr("f:1"));
}

TEST_F(RouteTableTest, OrderConfigIsInTheAnswer) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  EXPECT_THAT(Route("T"), Not(HasSubstr("orderTopicConf")));
  table_.ForgetAnswers();
  EXPECT_THAT(Route("T", {.order_config = "b:4"}), HasSubstr(R"("orderTopicConf":"b:4")"));
}

TEST_F(RouteTableTest, ACopyOfTheSnapshotStaysAsItWas) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  const RoutingSnapshot before = table_.snapshot();
  Register(BrokerAt("b", 0, "a:1", 2, {"T", "V"}));
  table_.DeleteTopic("T", "");
  EXPECT_NE(before.FindTopic("T"), nullptr);
  EXPECT_EQ(before.FindTopic("V"), nullptr);
  EXPECT_EQ(before.topic_count(), 2u);
  EXPECT_EQ(table_.snapshot().topic_count(), 2u);
}

// Route hijack: who registers a name that lives elsewhere gets nothing, until its owner is gone.
TEST_F(RouteTableTest, ABrokerBelongsToTheHostThatRegisteredIt) {
  Registration owner = BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 1);
  owner.host = "10.0.0.1";
  EXPECT_TRUE(Register(owner).accepted);
  Registration thief = BrokerAt("b", 0, "x:1", 9, {"T", "U"}, 2);
  thief.host = "10.0.0.9";
  RegistrationAnswer answer = Register(thief);
  EXPECT_FALSE(answer.accepted);
  EXPECT_THAT(answer.refusal, HasSubstr("the broker b with the id 0 belongs to 10.0.0.1"));
  thief.broker.address = "a:1";
  answer = Register(thief);
  EXPECT_THAT(answer.refusal, HasSubstr("the address a:1 belongs to a broker at 10.0.0.1"));
  Registration elsewhere = BrokerAt("evil", 0, "a:1", 1, {"T", "U"}, 2);
  elsewhere.host = "10.0.0.9";
  elsewhere.broker.cluster = "D";
  EXPECT_THAT(Register(elsewhere).refusal, HasSubstr("the address a:1 belongs to a broker of the cluster C at 10.0.0.1"));
  EXPECT_THAT(Route("T"), HasSubstr("a:1"));
  EXPECT_THAT(Route("T"), Not(HasSubstr("x:1")));
  EXPECT_THAT(Route("T"), Not(HasSubstr("evil")));
  EXPECT_FALSE(table_.MayChange("C", "a:1", "10.0.0.9"));
  EXPECT_FALSE(table_.MayChangeName("b", "10.0.0.9"));
  EXPECT_TRUE(table_.MayChange("C", "a:1", "10.0.0.1"));
  EXPECT_TRUE(table_.MayChange("C", "unknown:1", "10.0.0.9"));

  Registration slave = BrokerAt("b", 1, "s:1", 1, {"T", "U"}, 3);
  slave.host = "10.0.0.2";
  EXPECT_TRUE(Register(slave).accepted) << "slaves live on other hosts";
  EXPECT_TRUE(table_.MayChangeName("b", "10.0.0.1")) << "and take nothing from their master";
  EXPECT_FALSE(table_.MayChangeName("b", "10.0.0.2"));
  owner.broker.address = "a:2";
  owner.connection = 4;
  EXPECT_TRUE(Register(owner).accepted) << "its own host may give it another port";

  table_.ConnectionClosed(4);
  thief.broker.address = "x:1";
  EXPECT_TRUE(Register(thief).accepted) << "nobody's any more: this is how a broker moves to another machine";
}

// A broker that claims to be the master of an older epoch goes with all that leads to it: nobody would take out what no live broker stands for.
TEST_F(RouteTableTest, WhoComesLateAsMasterLeavesNothingBehind) {
  Registration master = BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 1);
  master.report.version.state_version = 2;
  EXPECT_TRUE(Register(master).accepted);
  Registration other = BrokerAt("b", 1, "a:2", 1, {"T", "U"}, 2);
  other.report.version.state_version = 2;
  EXPECT_TRUE(Register(other).accepted);
  other.broker.id = 0;
  other.report.version.state_version = 1;
  (void)Register(other);
  table_.ConnectionClosed(1);
  table_.ConnectionClosed(2);
  EXPECT_EQ(table_.snapshot().FindBroker("b"), nullptr);
  EXPECT_EQ(table_.snapshot().FindTopic("T"), nullptr);
}

// Whoever replaces a machine need not wait until the nameserver has given up the old one, nor may the old one come back then.
TEST_F(RouteTableTest, AnotherHostMayTakeTheBrokerOfOneThatIsSilent) {
  Registration old = BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 1);
  old.host = "10.0.0.1";
  EXPECT_TRUE(Register(old, 100).accepted);
  Registration heir = BrokerAt("b", 0, "x:1", 1, {"T", "U"}, 2);
  heir.host = "10.0.0.9";
  EXPECT_FALSE(Register(heir, 160).accepted) << "a live broker may register every 60 s only";
  table_.Heartbeat("C", "a:1", At(160));
  EXPECT_FALSE(Register(heir, 200).accepted);
  const RegistrationAnswer answer = Register(heir, 225);
  EXPECT_TRUE(answer.accepted) << answer.refusal;
  EXPECT_EQ(answer.moved_from, "a:1");
  EXPECT_THAT(Route("T"), HasSubstr("x:1"));
  EXPECT_THAT(Route("T"), Not(HasSubstr("a:1")));
  EXPECT_FALSE(table_.VersionOf("C", "a:1").has_value());
  EXPECT_THAT(Register(old, 226).refusal, HasSubstr("belongs to 10.0.0.9"));
  EXPECT_THAT(table_.ConnectionClosed(1), IsEmpty());
  EXPECT_THAT(Route("T"), HasSubstr("x:1")) << "the end of the old one is not the end of the new one";

  Registration same_address = BrokerAt("b", 0, "x:1", 1, {"T", "U"}, 3);  // its address moved along
  same_address.host = "10.0.0.7";
  EXPECT_FALSE(Register(same_address, 289).accepted);
  EXPECT_TRUE(Register(same_address, 290).accepted);
  EXPECT_FALSE(table_.MayChange("C", "x:1", "10.0.0.9"));
}

TEST_F(RouteTableTest, AMasterOfALaterEpochTakesOverFromAnotherHost) {
  Registration before = BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 1);
  before.host = "10.0.0.1";
  before.report.version.state_version = 3;
  Register(before);
  Registration after = BrokerAt("b", 0, "a:2", 1, {"T", "U"}, 2);
  after.host = "10.0.0.2";
  after.report.version.state_version = 4;
  EXPECT_TRUE(Register(after).accepted);
  EXPECT_THAT(Route("T"), HasSubstr("a:2"));
}

TEST_F(RouteTableTest, AnotherClusterCantTakeAName) {
  Register(BrokerAt("b", 0, "a:1", 1, {"T", "U"}));
  Registration other = BrokerAt("b", 1, "a:2", 1, {"T", "U"}, 2);
  other.broker.cluster = "D";
  EXPECT_THAT(Register(std::move(other)).refusal, HasSubstr("belongs to the cluster C"));
}

TEST_F(RouteTableTest, BrokersAndTopicsHaveALimit) {
  const RouteTable::Options options{.brokers_max = 2, .topics_max = 3};
  const auto put = [&](Registration registration) { return table_.Register(std::move(registration), At(0), options); };
  EXPECT_TRUE(put(BrokerAt("b", 0, "a:1", 1, {"T", "U"}, 1)).accepted);
  EXPECT_THAT(put(BrokerAt("c", 0, "a:2", 1, {"V", "W"}, 2)).refusal, HasSubstr("topicsMax, 3"));
  EXPECT_TRUE(put(BrokerAt("c", 0, "a:2", 1, {"T", "V"}, 2)).accepted);
  EXPECT_THAT(put(BrokerAt("d", 0, "a:3", 1, {"T", "U"}, 3)).refusal, HasSubstr("brokersMax"));
  EXPECT_TRUE(put(BrokerAt("b", 0, "a:1", 2, {"T", "U"}, 1)).accepted) << "who is in may register again";
}

}  // namespace
}  // namespace nameserver
