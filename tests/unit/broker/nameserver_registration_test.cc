#include "broker/nameserver_registration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/catalog_draft.h"
#include "broker/topic_config.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/requests/nameserver.h"
#include "net/router.h"
#include "net/server.h"
#include "tests/unit/core/on_both.h"

namespace broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<const TopicConfig> Topic(std::string name, int32_t perm = kPermReadWrite) {
  TopicConfig topic;
  topic.name = std::move(name);
  topic.perm = perm;
  return std::make_shared<const TopicConfig>(std::move(topic));
}

/// Remembers what brokers say; stands in for a nameserver of either make.
class FakeNameServer {
 public:
  explicit FakeNameServer(uint16_t port)
      : budgets_(net::ServerLimits()), server_(router_, net::ServerLimits(), budgets_, [](net::Connection&) {}) {
    router_.On(*this, &FakeNameServer::Register);
    router_.On(*this, &FakeNameServer::Unregister);
    at = *core::Endpoint::Parse("127.0.0.1", port);
  }
  absl::Status Listen() {
    RETURN_IF_ERROR(server_.Listen(at));
    at = server_.local(0);
    return absl::OkStatus();
  }
  core::Task<void> Stop() { co_await server_.Stop(); }

  core::Task<net::Reply> Register(net::RequestContext context, net::RegisterBrokerRequest request) {
    address = std::string(request.broker_addr);
    if (mute) co_return net::Reply::None();
    const auto json = net::JsonDocument::Parse(context.frame.body.text());
    EXPECT_TRUE(json.ok()) << json.status();
    std::string topics;
    for (const auto& topic : json->root()["topicConfigSerializeWrapper"]["topicConfigTable"].members()) {
      topics += core::StrCat(topics.empty() ? "" : ",", topic.name());
    }
    registrations.push_back(topics);
    co_return net::Reply();
  }
  core::Task<net::Reply> Unregister(net::RequestContext, net::UnregisterBrokerRequest) {
    ++goodbyes;
    co_return net::Reply();
  }

  core::Endpoint at;
  std::string address;
  std::vector<std::string> registrations;
  int goodbyes = 0;
  bool mute = false;

 private:
  net::Router router_;
  net::SharedBudgets budgets_;
  net::Server server_;
};

RegistrationOptions OptionsFor(std::vector<core::Endpoint> nameservers, std::string advertised = "10.0.0.9") {
  RegistrationOptions options;
  options.cluster_name = "C";
  options.broker_name = "b";
  options.port = 10911;
  for (const core::Endpoint& at : nameservers) options.targets.push_back({at, advertised});
  return options;
}

CatalogView ViewOf(std::vector<std::string> names) {
  CatalogDraft draft(Catalog(), /*now=*/1);
  for (std::string& name : names) draft.PutTopic(*Topic(std::move(name)));
  draft.Finish();
  CatalogView view;
  view.Install(draft.Take());
  return view;
}

TEST(NameServerRegistrationTest, WholeTableThenChangesThenGoodbye) {
  core::OnBoth(1, [](std::string) -> core::Task<absl::Status> {
    FakeNameServer nameserver(0);
    CO_RETURN_IF_ERROR(nameserver.Listen());
    const CatalogView view = ViewOf({"T", "U"});
    NameServerRegistration registration(OptionsFor({nameserver.at}), view);
    co_await registration.Start();
    EXPECT_EQ(registration.registered_count(), 1u);
    EXPECT_THAT(nameserver.registrations, ElementsAre("T,U"));
    EXPECT_EQ(nameserver.address, "10.0.0.9:10911");
    co_await registration.Announce({Topic("V")}, DataVersion());
    EXPECT_THAT(nameserver.registrations, ElementsAre("T,U", "V")) << "known before the announcement returns";
    co_await registration.Stop();
    EXPECT_EQ(nameserver.goodbyes, 1);
    co_await registration.Announce({Topic("W")}, DataVersion());
    EXPECT_EQ(nameserver.registrations.size(), 2u);
    co_await nameserver.Stop();
    co_return absl::OkStatus();
  });
}

// One nameserver that is away must not keep the others, the start or the announcements waiting, and it is told all when it is back.
TEST(NameServerRegistrationTest, EachNameServerForItself) {
  core::OnBoth(1, [](std::string) -> core::Task<absl::Status> {
    FakeNameServer here(0);
    CO_RETURN_IF_ERROR(here.Listen());
    auto away = std::make_unique<FakeNameServer>(0);
    CO_RETURN_IF_ERROR(away->Listen());
    const core::Endpoint away_at = away->at;
    co_await away->Stop();

    const CatalogView view = ViewOf({"T", "U"});
    NameServerRegistration registration(OptionsFor({away_at, here.at}), view);
    co_await registration.Start();
    EXPECT_EQ(registration.registered_count(), 1u);
    co_await registration.Announce({Topic("V")}, DataVersion());
    EXPECT_THAT(here.registrations, ElementsAre("T,U", "V"));

    FakeNameServer back(away_at.port);
    CO_RETURN_IF_ERROR(back.Listen());
    for (int i = 0; i < 500 && back.registrations.empty(); ++i) co_await core::Sleep(absl::Milliseconds(10));
    EXPECT_THAT(back.registrations, ElementsAre("T,U"));
    co_await registration.Stop();
    co_await back.Stop();
    co_await here.Stop();
    co_return absl::OkStatus();
  });
}

// A nameserver that restarts has forgotten everything: the broker must not wait for its next period.
TEST(NameServerRegistrationTest, ALostConnectionIsMadeAgainAtOnce) {
  core::OnBoth(1, [](std::string) -> core::Task<absl::Status> {
    auto first = std::make_unique<FakeNameServer>(0);
    CO_RETURN_IF_ERROR(first->Listen());
    const CatalogView view = ViewOf({"T", "U"});
    NameServerRegistration registration(OptionsFor({first->at}), view);
    co_await registration.Start();
    co_await first->Stop();
    FakeNameServer second(first->at.port);
    CO_RETURN_IF_ERROR(second.Listen());
    const core::MonoTime before = core::Reactor::Current().now();
    for (int i = 0; i < 500 && second.registrations.empty(); ++i) co_await core::Sleep(absl::Milliseconds(10));
    EXPECT_LT(core::Reactor::Current().now() - before, absl::Seconds(5));
    EXPECT_THAT(second.registrations, ElementsAre("T,U"));
    co_await registration.Stop();
    co_await second.Stop();
    co_return absl::OkStatus();
  });
}

// A nameserver that takes connections and answers nothing: a send that makes a topic waits for kCallTimeout, not for ever, and the end of
// the broker takes no longer.
TEST(NameServerRegistrationTest, AMuteNameServerHoldsUpNobodyForLong) {
  core::OnSim(1, [](std::string) -> core::Task<absl::Status> {
    FakeNameServer nameserver(0);
    CO_RETURN_IF_ERROR(nameserver.Listen());
    const CatalogView view = ViewOf({"T", "U"});
    NameServerRegistration registration(OptionsFor({nameserver.at}), view);
    co_await registration.Start();
    nameserver.mute = true;
    core::MonoTime before = core::Reactor::Current().now();
    co_await registration.Announce({Topic("V")}, DataVersion());
    EXPECT_LE(core::Reactor::Current().now() - before, NameServerRegistration::kCallTimeout + absl::Seconds(1));
    before = core::Reactor::Current().now();
    co_await registration.Stop();
    EXPECT_LE(core::Reactor::Current().now() - before, absl::Seconds(4));
    co_await nameserver.Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerRegistrationTest, TheTableIsRepeatedEveryPeriod) {
  core::OnSim(1, [](std::string) -> core::Task<absl::Status> {
    FakeNameServer nameserver(0);
    CO_RETURN_IF_ERROR(nameserver.Listen());
    const CatalogView view = ViewOf({"T", "U"});
    NameServerRegistration registration(OptionsFor({nameserver.at}, ""), view);
    co_await registration.Start();
    EXPECT_EQ(nameserver.address, "127.0.0.1:10911") << "where nothing is advertised, the address of the connection";
    co_await core::Sleep(absl::Seconds(95));
    EXPECT_THAT(nameserver.registrations, ElementsAre("T,U", "T,U", "T,U", "T,U"));
    co_await registration.Stop();
    co_await nameserver.Stop();
    co_return absl::OkStatus();
  });
}

TEST(RegistrationBodiesTest, SmallTablesAreOneBodyAndLargeOnesSeveralWithOtherVersions) {
  std::vector<std::shared_ptr<const TopicConfig>> topics;
  for (int i = 0; i < 100; ++i) topics.push_back(Topic(core::StrCat("topic-", i)));
  DataVersion version;
  version.counter = 7;
  EXPECT_EQ(RegistrationBodies(topics, version, 6, 1 << 20).size(), 1u);
  const std::vector<std::string> bodies = RegistrationBodies(topics, version, 6, 2000);
  EXPECT_GT(bodies.size(), 3u);
  size_t seen = 0;
  for (size_t i = 0; i < bodies.size(); ++i) {
    const auto json = net::JsonDocument::Parse(bodies[i]);
    ASSERT_TRUE(json.ok());
    const net::JsonValue wrapper = json->root()["topicConfigSerializeWrapper"];
    EXPECT_EQ(wrapper["dataVersion"]["counter"].IntOr(0), 7 + static_cast<int64_t>(i));
    seen += wrapper["topicConfigTable"].members().size();
    EXPECT_LT(bodies[i].size(), 2600u);
  }
  EXPECT_EQ(seen, 100u);
  EXPECT_EQ(RegistrationBodies({}, version, 6, 1000).size(), 1u) << "no topic is a registration, too";
}

TEST(RegistrationBodiesTest, TheBrokersPermissionIsAnded) {
  const std::vector<std::string> bodies = RegistrationBodies({Topic("T", 7)}, DataVersion(), kPermRead, 1000);
  const auto json = net::JsonDocument::Parse(bodies[0]);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->root()["topicConfigSerializeWrapper"]["topicConfigTable"]["T"]["perm"].IntOr(0), kPermRead);
  EXPECT_NE(RegistrationBodies({Topic("T", 7)}, DataVersion(), kPermReadWrite, 1000)[0].find("\"perm\":7"), std::string::npos);
}

}  // namespace
}  // namespace broker
