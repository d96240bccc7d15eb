#include "broker/send_lane.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/scope.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {
namespace {

constexpr int32_t kQueues = 4;  // on two shards
constexpr int kOfEach = 50;

core::Task<void> SendNumbered(net::Client& client, int32_t queue, int number, size_t bytes) {
  std::string body = absl::StrCat(number, "|");
  body.resize(std::max(body.size(), bytes), 'b');
  const Answer sent = co_await Ask(client, SendTo("Lane", queue), std::move(body));
  EXPECT_EQ(sent.code, 0) << sent.remark;
  EXPECT_EQ(sent.Number("queueId"), queue);
  EXPECT_EQ(sent.Number("queueOffset"), number);
}

/// None waits for another; every second message has `bytes`, so that small ones find room where large ones do not. Each queue over a connection of its own.
core::Task<void> SendAllAtOnce(net::Client& client, size_t bytes, const std::function<void()>& before = [] {}) {
  EXPECT_EQ((co_await Ask(client, SendTo("Lane", 0), "0|")).code, 0);  // makes the topic
  std::vector<std::unique_ptr<net::Client>> clients;
  for (int32_t queue = 0; queue < kQueues; ++queue) clients.push_back(co_await Connect());
  before();
  core::Scope sends;
  for (int number = 0; number < kOfEach; ++number) {
    for (int32_t queue = 0; queue < kQueues; ++queue) {
      net::Client& one = *clients[static_cast<size_t>(queue)];
      sends.Spawn(SendNumbered(one, queue, queue == 0 ? number + 1 : number, number % 2 == 0 ? 0 : bytes));
    }
  }
  co_await sends.Join();
  for (const std::unique_ptr<net::Client>& one : clients) co_await one->Close();
}

core::Task<void> ExpectOrder(net::Client& client) {
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    int64_t next = 0;
    for (;;) {
      const Answer pulled = co_await Ask(client, PullFrom("Lane", queue, next));
      if (pulled.code != 0) break;
      for (const store::RecordView& record : RecordsOf(pulled.body)) {
        const std::string body(BodyOf(record));
        EXPECT_EQ(body.substr(0, body.find('|')), std::to_string(next)) << "queue " << queue;
        ++next;
      }
    }
    EXPECT_EQ(next, queue == 0 ? kOfEach + 1 : kOfEach) << "queue " << queue;
  }
}

core::Task<void> Small(Broker&, net::Client& client) {
  co_await SendAllAtOnce(client, 100);
  co_await ExpectOrder(client);
}
TEST(SendLaneTest, EachQueueHasThemInTheOrderOfSending) { WithBroker(Small); }

TEST(SendLaneTest, SyncFlushToo) {
  BrokerConfig config = TestConfig();
  config.flush_disk_type = FlushDiskType::kSyncFlush;
  WithBroker(Small, config);
}

sim::Node* machine = nullptr;  // that of the test that runs

core::Task<void> LargeOnAStoppedDisk(Broker&, net::Client& client) {
  co_await SendAllAtOnce(client, 25'000, [] { machine->StopDisk(absl::Seconds(1)); });
  co_await ExpectOrder(client);
}

// Catches a message that finds no room and is overtaken by those behind it that do.
TEST(SendLaneTest, MoreThanTheAppendBufferHoldsKeepsItsOrder) {
  for (const FlushDiskType flush : {FlushDiskType::kAsyncFlush, FlushDiskType::kSyncFlush}) {
    BrokerConfig config = TestConfig();
    config.flush_disk_type = flush;
    config.append_buffer_bytes = 2 << 20;
    config.request_bytes_max = 64 << 20;  // so that the log is what is full
    config.memory_busy_ratio = 100;
    sim::World world(7);
    machine = &world.AddNode("broker", 2);
    machine->Start([&config] { return RunScenario(config, LargeOnAStoppedDisk); });
    const absl::Status status = world.RunToEnd(*machine);
    EXPECT_TRUE(status.ok()) << status;
  }
}

core::Task<void> SendLost(net::Client& client, int32_t queue, int& lost) {
  const absl::StatusOr<net::Frame> answer = co_await client.Call(SendTo("Lane", queue), core::Reactor::Current().buffers().Copy(std::string_view("lost?")), kPatience);
  if (!answer.ok()) ++lost;
}

// Catches an answer to a connection that is gone, and a connection that goes while its messages are on another shard.
core::Task<void> Gone(Broker&, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("Lane", 0), "x")).code, 0);
  int lost = 0;
  for (int i = 0; i < 20; ++i) {
    const std::unique_ptr<net::Client> going = co_await Connect();
    core::Scope sends;
    for (int32_t n = 0; n < 40; ++n) sends.Spawn(SendLost(*going, n % kQueues, lost));
    core::Sleep a_moment(absl::Microseconds(core::Reactor::Current().RandomBits() % 300));
    (void)co_await a_moment;
    co_await going->Close();
    co_await sends.Join();
  }
  EXPECT_GT(lost, 0) << "no connection ended with a message under way";
  const Answer after = co_await Ask(client, SendTo("Lane", 1), "y");
  EXPECT_EQ(after.code, 0) << after.remark;
}
TEST(SendLaneTest, ConnectionsMayEndWithMessagesUnderWay) {
  for (const FlushDiskType flush : {FlushDiskType::kAsyncFlush, FlushDiskType::kSyncFlush}) {
    BrokerConfig config = TestConfig();
    config.flush_disk_type = flush;
    for (uint64_t seed = 1; seed <= 5; ++seed) WithBroker(Gone, config, seed);
  }
}

}  // namespace
}  // namespace broker::testing
