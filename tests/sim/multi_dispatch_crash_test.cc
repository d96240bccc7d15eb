// Goal: a message that was acknowledged is in each light queue that it names, at the offset that its own record tells, whatever happens in between; light queues
// are dense and hold nothing that was not sent. Kills, and power cuts under SYNC_FLUSH, between the copies and the message itself, which are in the logs of two shards.
// Method: one broker of two shards a seed. Senders dispatch to some of six light queues, now and then with a delay, the broker dies at a random moment, again and
// again; at the end every queue is read.
#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/status.h"
#include "core/sync.h"
#include "tests/sim/seeds.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {
namespace {

constexpr int32_t kQueues = 4;
constexpr int kLights = 6;
constexpr int kDeaths = 4;
constexpr absl::Duration kCallTimeout = absl::Seconds(1);

std::string LightName(int number) { return core::StrCat("%LMQ%light-", number); }
uint64_t Below(uint64_t bound) { return core::Reactor::Current().RandomBits() % bound; }

/// What the outside knows.
struct History {
  std::map<std::string, std::set<int>> attempted;  // body -> light queues
  std::set<std::string> acknowledged;
  bool sending = true;
};

core::Task<absl::Status> RunBroker(FlushDiskType flush) {
  BrokerConfig config = TestConfig();
  config.store_path_root_dir = "data";
  config.flush_disk_type = flush;
  config.segment_bytes = 1 << 20;
  config.append_buffer_bytes = 1 << 20;
  config.enable_lmq = true;
  config.enable_multi_dispatch = true;
  config.delay_levels_ms = {20, 200};
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Broker> broker, co_await Broker::Start(std::move(config)));
  (void)co_await core::Sleep(absl::Hours(10));
  co_return co_await broker->Stop();
}

core::Task<void> SendOne(net::Client& client, History& history, std::string body, bool* answered) {
  std::set<int>& lights = history.attempted[body];
  std::string names;
  for (uint64_t i = 0, count = 1 + Below(3); i < count; ++i) {
    const auto light = static_cast<int>(Below(kLights));
    if (!lights.insert(light).second) continue;
    names += (names.empty() ? "" : ",") + LightName(light);
  }
  std::string properties;
  AppendProperty(properties, kPropertyMultiDispatch, names);
  if (Below(5) == 0) AppendProperty(properties, kPropertyDelay, "1");
  const net::SendMessageV2Request request = SendTo("T", static_cast<int32_t>(Below(kQueues)), properties);
  const absl::StatusOr<net::Frame> frame = co_await client.Call(request, core::Reactor::Current().buffers().Copy(std::string_view(body)), kCallTimeout);
  *answered = *answered && frame.ok();
  if (frame.ok() && frame->code == 0) history.acknowledged.insert(body);
}

core::Task<void> SendAll(History& history, int worker) {
  for (int number = 0; history.sending;) {
    const absl::StatusOr<std::unique_ptr<net::Client>> client = co_await net::Client::Connect(BrokerAddress(), kCallTimeout);
    bool answered = true;
    while (client.ok() && answered && history.sending) {
      core::Scope burst;
      for (uint64_t i = 0, count = 1 + Below(4); i < count; ++i)
        burst.Spawn(SendOne(**client, history, core::StrCat("m", worker, ".", number++, ".", std::string(Below(300), 'x')), &answered));
      co_await burst.Join();
      (void)co_await core::Sleep(absl::Microseconds(static_cast<int64_t>(200 + Below(10'000))));
    }
    if (client.ok()) co_await (*client)->Close();
    (void)co_await core::Sleep(absl::Milliseconds(static_cast<int64_t>(5 + Below(30))));
  }
}

core::Task<absl::Status> RunSenders(History* history) {
  core::Scope scope;
  for (int worker = 0; worker < 2; ++worker) scope.Spawn(SendAll(*history, worker));
  co_await scope.Join();
  co_return absl::OkStatus();
}

/// The bodies of a queue by their offsets; of each record `look` is called with its body and properties.
template <typename Look>
core::Task<absl::Status> ReadQueue(net::Client& client, std::string topic, int32_t queue, Look look) {
  for (int64_t at = 0;;) {
    const net::PullMessageRequest pull = PullFrom(topic, queue, at);
    const Answer answer = co_await Ask(client, pull);
    if (answer.code == static_cast<int32_t>(net::ResponseCode::kPullNotFound)) co_return absl::OkStatus();
    if (answer.code != 0) co_return absl::InternalError(core::StrCat(topic, "/", queue, " at ", at, ": ", answer.code, " ", answer.remark));
    for (const store::RecordView& record : RecordsOf(answer.body)) {
      EXPECT_EQ(record.queue_offset.value(), at) << topic << " has a hole";
      EXPECT_EQ(record.topic, "T");
      look(BodyOf(record), record.properties);
      ++at;
    }
  }
}

core::Task<absl::Status> Judge(const History* history) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<net::Client> client, co_await net::Client::Connect(BrokerAddress(), kPatience));
  std::vector<std::vector<std::string>> lights(kLights);
  for (int light = 0; light < kLights; ++light) {
    std::vector<std::string>& bodies = lights[static_cast<size_t>(light)];
    CO_RETURN_IF_ERROR(co_await ReadQueue(*client, LightName(light), 0, [&](const std::string& body, std::string_view) {
      const auto attempt = history->attempted.find(body);
      EXPECT_TRUE(attempt != history->attempted.end() && attempt->second.contains(light)) << LightName(light) << " has " << body;
      bodies.push_back(body);
    }));
  }
  std::map<std::string, int> stored;
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    CO_RETURN_IF_ERROR(co_await ReadQueue(*client, "T", queue, [&](const std::string& body, std::string_view properties) {
      ++stored[body];
      const std::string offsets = PropertyOf(properties, kPropertyMultiQueueOffset);
      std::string_view rest = offsets;
      const std::string all = PropertyOf(properties, kPropertyMultiDispatch);
      for (std::string_view names = all; !names.empty();) {
        const size_t name_end = std::min(names.find(','), names.size());
        const size_t end = std::min(rest.find(','), rest.size());
        int64_t offset = -1;
        std::from_chars(rest.data(), rest.data() + end, offset);
        size_t light = 0;
        while (light < kLights && LightName(static_cast<int>(light)) != names.substr(0, name_end)) ++light;
        const bool there = light < kLights && offset >= 0 && static_cast<size_t>(offset) < lights[light].size() && lights[light][static_cast<size_t>(offset)] == body;
        EXPECT_TRUE(there) << body << " is not in " << names.substr(0, name_end) << " at " << offset;
        names.remove_prefix(std::min(name_end + 1, names.size()));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }));
  }
  for (const std::string& body : history->acknowledged) EXPECT_EQ(stored[body], 1) << body << " was acknowledged";
  co_await client->Close();
  co_return absl::OkStatus();
}

enum class Death { kKill, kPowerCut };

void RunSeed(uint64_t seed, Death death, FlushDiskType flush) {
  sim::World world(seed);
  History history;
  sim::Node& broker = world.AddNode("broker", 2);
  sim::Node& senders = world.AddNode("senders", 1);
  sim::Node& judge = world.AddNode("judge", 1);
  senders.Start([&history] { return RunSenders(&history); });
  for (int i = 0; i < kDeaths; ++i) {
    broker.Start([flush] { return RunBroker(flush); });
    world.RunFor(absl::Microseconds(world.random().Between(1'000, 900'000)));
    ASSERT_FALSE(broker.result().has_value()) << *broker.result() << "\n" << world.Describe();
    death == Death::kKill ? broker.Kill() : broker.CutPower();
  }
  broker.Start([flush] { return RunBroker(flush); });
  world.RunFor(absl::Seconds(2));
  history.sending = false;
  const absl::Status sent = world.RunToEnd(senders);
  ASSERT_TRUE(sent.ok()) << sent << world.Describe();
  world.RunFor(absl::Seconds(1));  // what waits is delivered
  judge.Start([&history] { return Judge(&history); });
  const absl::Status judged = world.RunToEnd(judge);
  ASSERT_TRUE(judged.ok()) << judged << world.Describe();
  EXPECT_GT(history.acknowledged.size(), 20U);
}

void RunSeeds(Death death, FlushDiskType flush) {
  for (uint64_t seed = sim::FirstSeed(), end = seed + sim::SeedCount(20); seed < end; ++seed) {
    SCOPED_TRACE(sim::Again(seed));
    RunSeed(seed, death, flush);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(MultiDispatchCrashTest, KilledAsync) { RunSeeds(Death::kKill, FlushDiskType::kAsyncFlush); }
TEST(MultiDispatchCrashTest, KilledSynced) { RunSeeds(Death::kKill, FlushDiskType::kSyncFlush); }
TEST(MultiDispatchCrashTest, PowerCutSynced) { RunSeeds(Death::kPowerCut, FlushDiskType::kSyncFlush); }

}  // namespace
}  // namespace broker::testing
