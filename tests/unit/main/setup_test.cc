#include "main/setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/strings.h"
#include "main/ready_report.h"
#include "store/manifest.h"

namespace ringmq {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SetupTest : public testing::Test {
 protected:
  SetupTest() : folder_(std::filesystem::path(testing::TempDir()) / core::StrCat("ringmq-setup-", reinterpret_cast<uintptr_t>(this))) {
    std::filesystem::create_directories(folder_);
    unsetenv("NAMESRV_ADDR");
    options_.data = (folder_ / "data").string();
  }
  ~SetupTest() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  const std::filesystem::path folder_;
  ServerOptions options_;
};

TEST_F(SetupTest, FlagsWinOverArgumentsOverFileOverEnvironment) {
  setenv("NAMESRV_ADDR", "10.0.0.1:1", 1);
  EXPECT_EQ(PrepareBroker(options_, false)->config.namesrv_addr, "10.0.0.1:1");
  EXPECT_EQ(PrepareBroker(options_, true)->config.namesrv_addr, "") << "standalone is its own nameserver";
  options_.config_file = Write("broker.conf", "namesrvAddr=10.0.0.1:2\nlistenPort=1000\nbrokerName=from-file\n");
  options_.assignments = {"listenPort=2000", "brokerName=typed"};
  EXPECT_EQ(PrepareBroker(options_, false)->config.namesrv_addr, "10.0.0.1:2");
  options_.namesrv_addr = "10.0.0.1:3";
  options_.listen_port = 3000;
  const absl::StatusOr<BrokerSetup> setup = PrepareBroker(options_, false);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->config.namesrv_addr, "10.0.0.1:3");
  EXPECT_EQ(setup->config.listen_port, 3000);
  EXPECT_EQ(setup->config.broker_name, "typed");
  EXPECT_EQ(setup->config.store_path_root_dir, *options_.data);
}

TEST_F(SetupTest, StandaloneStaysOnLoopbackUnlessTold) {
  EXPECT_EQ(PrepareBroker(options_, true)->config.listen_address, "127.0.0.1");
  EXPECT_EQ(PrepareBroker(options_, false)->config.listen_address, "0.0.0.0");
  options_.listen = "0.0.0.0";
  EXPECT_EQ(PrepareBroker(options_, true)->config.listen_address, "0.0.0.0");
}

TEST_F(SetupTest, ErrorsNameFileAndLine) {
  options_.config_file = Write("broker.conf", "brokerName=a\nlistenPort=many\n");
  EXPECT_THAT(std::string(PrepareBroker(options_, false).status().message()),
              HasSubstr("broker.conf:2: listenPort: expected a whole number from 0 to 65535, not 'many'"));
  options_.config_file = Write("broker.conf", "brokerName=a\n\nnonsense\n");
  EXPECT_THAT(std::string(PrepareBroker(options_, false).status().message()),
              HasSubstr("broker.conf: line 3: 'nonsense' is not KEY=VALUE"));
  options_.config_file = (folder_ / "missing.conf").string();
  EXPECT_THAT(std::string(PrepareBroker(options_, false).status().message()), HasSubstr("missing.conf: No such file"));
  options_.config_file = folder_.string();  // a folder is no file
  EXPECT_FALSE(PrepareBroker(options_, false).ok());
}

TEST_F(SetupTest, TheFolderDecidesHowManyShardsAndContradictionIsAnError) {
  Write("data/manifest", store::EncodeManifest({.store_id = {}, .logs = 3, .segment_bytes = 1 << 20}));
  EXPECT_EQ(PrepareBroker(options_, true)->shards, 3u);
  options_.shards = 3;
  EXPECT_EQ(PrepareBroker(options_, true)->shards, 3u);
  options_.shards = 2;
  EXPECT_THAT(std::string(PrepareBroker(options_, true).status().message()),
              HasSubstr("was made for 3 shards: leave --shards out"));
  Write("data/manifest", "no manifest");
  EXPECT_FALSE(PrepareBroker(options_, true).ok());
}

TEST_F(SetupTest, Memory) {
  options_.shards = 2;
  options_.memory = "64M";
  const absl::StatusOr<BrokerSetup> setup = PrepareBroker(options_, true);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->memory_bytes, uint64_t{64} << 20);
  EXPECT_EQ(setup->config.append_buffer_bytes, size_t{16} << 20);
  options_.memory = "lots";
  EXPECT_THAT(std::string(PrepareBroker(options_, true).status().message()), HasSubstr("--memory: 'lots' is not a size"));
  options_.memory = "1M";
  EXPECT_FALSE(PrepareBroker(options_, true).ok());
}

TEST_F(SetupTest, NameServersAreResolvedAndABadOneIsNamed) {
  broker::BrokerConfig config;
  EXPECT_THAT(*ResolveNameServers(config), IsEmpty());
  config.namesrv_addr = "127.0.0.1:1;localhost:2";
  const auto nameservers = ResolveNameServers(config);
  ASSERT_TRUE(nameservers.ok()) << nameservers.status();
  ASSERT_EQ(nameservers->size(), 2u);
  EXPECT_EQ((*nameservers)[1].port, 2);
  config.namesrv_addr = "127.0.0.1";
  EXPECT_THAT(std::string(ResolveNameServers(config).status().message()), HasSubstr("namesrvAddr: '127.0.0.1' is not HOST:PORT"));
}

TEST_F(SetupTest, TheBrokerIsToldResolvedNameServersAndWhatToAdvertise) {
  options_.namesrv_addr = "localhost:2;127.0.0.1:3";
  options_.listen = "127.0.0.1";
  const absl::StatusOr<BrokerSetup> setup = PrepareBroker(options_, false);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->config.namesrv_endpoints, (std::vector<std::string>{"127.0.0.1:2", "127.0.0.1:3"}));
  EXPECT_EQ(setup->config.advertised_host, "127.0.0.1");
}

TEST_F(SetupTest, AdvertisedAddress) {
  broker::BrokerConfig config;
  config.listen_address = "127.0.0.1";
  EXPECT_EQ(GuessAdvertisedHost(config, {}), "127.0.0.1");
  config.broker_ip1 = "broker.example.org";
  EXPECT_EQ(GuessAdvertisedHost(config, {}), "broker.example.org");
}

TEST_F(SetupTest, NamesrvTakesItsPortFromTheFlag) {
  options_.config_file = Write("namesrv.conf", "listenPort=1234\n");
  EXPECT_EQ(PrepareNameServer(options_)->config.listen_port, 1234);
  options_.namesrv_port = 5678;
  const absl::StatusOr<NameServerSetup> setup = PrepareNameServer(options_);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->config.listen_port, 5678);
  EXPECT_EQ(setup->config.kv_config_path, *options_.data + "/namesrv/kvConfig.json");
}

TEST(ReadyReportTest, Bytes) {
  EXPECT_EQ(FormatBytes(256 << 20), "256 MiB");
  EXPECT_EQ(FormatBytes((3ull << 30) / 2), "1.5 GiB");
  EXPECT_EQ(FormatBytes(1), "1 B");
}

}  // namespace
}  // namespace ringmq
