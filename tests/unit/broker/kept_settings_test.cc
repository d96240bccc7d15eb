// Goal: what an administrator changes while the broker runs lasts over restarts, on every shard; a configuration that says otherwise since then counts; what is
// refused leaves nothing behind.
#include "broker/kept_settings.h"

#include <string>

#include "core/status.h"
#include "net/requests/node_admin.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {
namespace {

core::Task<std::string> Setting(net::Client& client, std::string key) {
  const Answer answer = co_await Ask(client, net::GetBrokerConfigRequest{});
  const size_t at = answer.body.find("\n" + key + "=") + key.size() + 2;
  co_return answer.body.substr(at, answer.body.find('\n', at) - at);
}

core::Task<int32_t> Change(net::Client& client, std::string text) {
  co_return (co_await Ask(client, net::UpdateBrokerConfigRequest{}, std::move(text))).code;
}

core::Task<absl::Status> Run(BrokerConfig config, Scenario scenario) {
  absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(std::move(config));
  if (!broker.ok()) co_return broker.status();
  std::unique_ptr<net::Client> client = co_await ConnectHere();
  co_await scenario(**broker, *client);
  co_await client->Close();
  co_return co_await (*broker)->Stop();
}

core::Task<void> Raise(Broker&, net::Client& client) {
  EXPECT_EQ(co_await Change(client, "maxTransferCountOnMessageInMemory=77\ntraceOn=false\n"), 0);
}
core::Task<void> ExpectRaised(Broker&, net::Client& client) {
  // Each answer is of the shard that has accepted the connection: two of them, to meet both.
  for (int i = 0; i < 8; ++i) {
    std::unique_ptr<net::Client> one = co_await ConnectHere();
    EXPECT_EQ(co_await Setting(*one, "maxTransferCountOnMessageInMemory"), "77");
    EXPECT_EQ(co_await Setting(*one, "traceOn"), "false");
    co_await one->Close();
  }
  EXPECT_EQ(co_await Setting(client, "shortPollingTimeMills"), "1000") << "nobody has changed it";
}
core::Task<void> ExpectTheFile(Broker&, net::Client& client) {
  EXPECT_EQ(co_await Setting(client, "maxTransferCountOnMessageInMemory"), "50") << "it was set there later";
  EXPECT_EQ(co_await Setting(client, "traceOn"), "false") << "what the file does not touch is kept";
}
core::Task<void> ExpectForgotten(Broker&, net::Client& client) {
  EXPECT_EQ(co_await Setting(client, "maxTransferCountOnMessageInMemory"), "32")
      << "the file was set back: what was kept is gone for good";
}

core::Task<absl::Status> Main() {
  BrokerConfig edited = TestConfig();
  edited.max_transfer_count_in_memory = 50;
  CO_RETURN_IF_ERROR(co_await Run(TestConfig(), Raise));
  CO_RETURN_IF_ERROR(co_await Run(TestConfig(), ExpectRaised));
  CO_RETURN_IF_ERROR(co_await Run(TestConfig(), ExpectRaised));
  CO_RETURN_IF_ERROR(co_await Run(edited, ExpectTheFile));
  co_return co_await Run(TestConfig(), ExpectForgotten);
}
TEST(KeptSettingsTest, TheyLastUntilTheFileSaysOtherwise) {
  const absl::Status status = sim::RunInWorld(1, 2, Main);
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<void> Refused(Broker&, net::Client& client) {
  EXPECT_EQ(co_await Change(client, "shortPollingTimeMills=5\nstorePathRootDir=/tmp\n"), 16);
  EXPECT_NE(co_await Change(client, "shortPollingTimeMills=5\ntraceOn=7\n"), 0);
  EXPECT_NE(co_await Change(client, "shortPollingTimeMills=0\n"), 0);
  EXPECT_NE(co_await Change(client, "shortPollingTimeMills=5\nshortPollingTimeMills=6\n"), 0);
  EXPECT_EQ(co_await Change(client, "maxTransferCountOnMessageInDisk=9\n"), 0);
  EXPECT_EQ(co_await Change(client, "maxTransferCountOnMessageInDisk=32\n"), 0);  // back to what is configured
}
core::Task<void> ExpectNothing(Broker&, net::Client& client) {
  EXPECT_EQ(co_await Setting(client, "shortPollingTimeMills"), "1000");
  EXPECT_EQ(co_await Setting(client, "maxTransferCountOnMessageInDisk"), "40") << "set back, it is kept no more";
}
core::Task<absl::Status> RefusedMain() {
  CO_RETURN_IF_ERROR(co_await Run(TestConfig(), Refused));
  BrokerConfig edited = TestConfig();
  edited.max_transfer_count_on_disk = 40;
  co_return co_await Run(edited, ExpectNothing);
}
TEST(KeptSettingsTest, WhatIsRefusedOrSetBackLeavesNothing) {
  const absl::Status status = sim::RunInWorld(1, 2, RefusedMain);
  EXPECT_TRUE(status.ok()) << status;
}

// A row of another version, or whose value is out of range by now, is dropped, and the broker starts.
core::Task<void> Damage(Broker& broker, net::Client&) {
  EXPECT_TRUE((co_await broker.shards().local().meta().Commit(
                   {{store::MetaTable::kKeptSettings, "noSuchSetting", "1 2"},
                    {store::MetaTable::kKeptSettings, "storePathRootDir", "/data /tmp"},
                    {store::MetaTable::kKeptSettings, "shortPollingTimeMills", "1000 0"},
                    {store::MetaTable::kKeptSettings, "traceOn", ""}}))
                  .ok());
}
core::Task<void> ExpectDefaults(Broker& broker, net::Client& client) {
  EXPECT_EQ(co_await Setting(client, "shortPollingTimeMills"), "1000");
  EXPECT_EQ(co_await Setting(client, "traceOn"), "true");
  EXPECT_TRUE(broker.shards().local().meta().All(store::MetaTable::kKeptSettings).empty());
}
core::Task<absl::Status> DamageMain() {
  CO_RETURN_IF_ERROR(co_await Run(TestConfig(), Damage));
  co_return co_await Run(TestConfig(), ExpectDefaults);
}
TEST(KeptSettingsTest, WhatCantBeAppliedIsForgotten) {
  const absl::Status status = sim::RunInWorld(1, 2, DamageMain);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace broker::testing
