// Goal: the metrics of a broker are a valid exposition and show every budget; limits are enforced where requests become work.
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/broker_shard.h"
#include "core/strings.h"
#include "broker/server_limits.h"
#include "gmock/gmock.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker {
namespace {

using testing::Answer;
using testing::Ask;
using testing::PullFrom;
using testing::RunScenario;
using testing::SendTo;
using testing::TestConfig;
using testing::WithBroker;

/// The samples by name with labels; fails on what is no exposition.
std::map<std::string, double> Parse(const std::string& text) {
  static const std::regex kHelp("# HELP ([a-z_]+) \\S.*");
  static const std::regex kType("# TYPE ([a-z_]+) (counter|gauge|histogram)");
  static const std::regex kSample(R"re(([a-z_]+)\{((?:[a-z]+="[A-Za-z0-9_.+-]+",?)+)\} (-?[0-9.e+-]+))re");
  std::map<std::string, double> samples;
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  std::string family;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kHelp)) {
      EXPECT_TRUE(helped.insert(match[1]).second) << line << ": twice";
      family = match[1];
    } else if (std::regex_match(line, match, kType)) {
      EXPECT_EQ(match[1], family);
      types[match[1]] = match[2];
      EXPECT_EQ(match[2] == "counter", family.ends_with("_total")) << line;
    } else if (std::regex_match(line, match, kSample)) {
      std::string name = match[1];
      if (types[family] == "histogram") name = std::regex_replace(name, std::regex("_(bucket|sum|count)$"), "");
      EXPECT_EQ(name, family) << "samples of a name stand together";
      EXPECT_TRUE(types.contains(name)) << line;
      EXPECT_TRUE(samples.emplace(match[1].str() + "{" + match[2].str() + "}", std::stod(match[3])).second)
          << line << ": twice";
    } else {
      ADD_FAILURE() << "not a line of an exposition: " << line;
    }
  }
  return samples;
}

core::Task<void> Exposition(Broker& broker, net::Client& client) {
  const Answer sent = co_await Ask(client, SendTo("Metrics", 0), "body");
  EXPECT_EQ(sent.code, 0) << sent.remark;
  constexpr int kDirect = 130;  // two of them are measured
  for (int i = 0; i < kDirect; ++i) EXPECT_EQ((co_await Ask(client, SendTo("Metrics", i % 4), "body")).code, 0);
  const std::vector<core::MetricSource> sources = co_await broker.ReadMetrics();
  EXPECT_EQ(sources.size(), 2U);
  const std::map<std::string, double> samples = Parse(core::PrometheusText(sources));
  double sends = 0;
  for (const auto& [name, value] : samples) {
    if (name.starts_with("ringmq_requests_total{") && name.find("request=\"SEND_MESSAGE_V2\"") != std::string::npos) sends += value;
  }
  EXPECT_EQ(sends, kDirect + 1) << "on the short way and on the long one";
  const auto both = [&samples](const std::string& name, const std::string& label = "") {
    double sum = 0;
    for (const char* shard : {"0", "1"}) {
      const auto found = samples.find(name + "{server=\"broker\",shard=\"" + shard + "\"" + label + "}");
      EXPECT_TRUE(found != samples.end()) << name << label;
      if (found != samples.end()) sum += found->second;
    }
    return sum;
  };
  EXPECT_EQ(both("ringmq_messages_in_total"), kDirect + 1);
  EXPECT_EQ(both("ringmq_log_messages_total"), kDirect + 1);
  EXPECT_EQ(both("ringmq_direct_sends_total"), kDirect);
  for (const char* stage : {"receive", "decode", "hand_over", "append", "acknowledge"}) {
    EXPECT_GE(both("ringmq_stage_seconds_count", core::StrCat(",stage=\"", stage, "\"")), 2) << stage;
    EXPECT_EQ(both("ringmq_stage_seconds_bucket", core::StrCat(",stage=\"", stage, "\",le=\"+Inf\"")),
              both("ringmq_stage_seconds_count", core::StrCat(",stage=\"", stage, "\"")))
        << stage;
  }
  EXPECT_GT(both("ringmq_stage_seconds_count", ",stage=\"write\""), 0);
  EXPECT_EQ(both("ringmq_connections_accepted_total"), 1);
  EXPECT_GT(both("ringmq_reactor_ticks_total"), 0);
  for (const char* resource :
       {"connections", "address_connections", "accepts_per_second", "partial_frame_bytes", "requests", "request_bytes",
        "connection_requests", "connection_request_bytes", "connection_output_bytes", "answer_bytes", "output_bytes",
        "pinned_log_bytes", "held_pulls", "connection_held_pulls", "pull_read_bytes", "buffer_bytes"}) {
    const std::string label = std::string(",resource=\"") + resource + "\"";
    EXPECT_GT(both("ringmq_budget_limit", label), 0) << resource;
    EXPECT_EQ(both("ringmq_budget_hits_total", label), 0) << resource;
    EXPECT_LT(both("ringmq_budget_used", label), both("ringmq_budget_limit", label)) << resource;
  }
  EXPECT_EQ(both("ringmq_budget_used", ",resource=\"connections\""), 1);
  for (const char* reason : {"frame_deadline", "output_stalled", "idle"}) {
    EXPECT_EQ(both("ringmq_connections_cut_off_total", std::string(",reason=\"") + reason + "\""), 0);
  }
}
TEST(BrokerMetrics, AreAValidExpositionWithEveryBudget) { WithBroker(Exposition); }

core::Task<void> BusySends(Broker&, net::Client& client) {
  for (const bool batch : {false, true}) {
    net::SendMessageV2Request request = SendTo("Busy", 0);
    request.batch = batch;
    const Answer refused = co_await Ask(client, request, "body");
    EXPECT_EQ(refused.code, static_cast<int32_t>(net::ResponseCode::kSystemBusy)) << refused.remark;
    EXPECT_TRUE(refused.Has("MSG_REGION"));
    EXPECT_THAT(refused.remark, ::testing::HasSubstr("memory"));
  }
  const Answer read = co_await Ask(client, PullFrom("TBW102", 0, 0));
  EXPECT_NE(read.code, static_cast<int32_t>(net::ResponseCode::kSystemBusy)) << "reads go on";
}
TEST(BrokerBudgets, SendsAreRefusedWhenMemoryIsShortAndReadsGoOn) {
  BrokerConfig config = TestConfig();
  config.memory_busy_ratio = 0;
  WithBroker(BusySends, config);
}

core::Task<void> HoldOne(net::Client& client, int32_t queue, std::vector<absl::Duration>& waits) {
  net::PullMessageRequest request = PullFrom("Held", queue, 0);
  request.sys_flag |= 2;
  request.suspend_timeout_millis = 10'000;
  const core::MonoTime begin = core::Reactor::Current().now();
  const Answer answer = co_await Ask(client, request);
  EXPECT_EQ(answer.code, static_cast<int32_t>(net::ResponseCode::kPullNotFound)) << answer.remark;
  waits.push_back(core::Reactor::Current().now() - begin);
}

// Catches a client that is answered at once and so asks again and again, and one that is forgotten.
core::Task<void> HeldPullsBeyondTheLimit(Broker& broker, net::Client& client) {
  const Answer sent = co_await Ask(client, SendTo("Held", 3), "makes the topic");
  EXPECT_EQ(sent.code, 0) << sent.remark;
  std::vector<absl::Duration> waits;
  core::Scope scope;
  for (int i = 0; i < 5; ++i) {
    scope.Spawn(HoldOne(client, 0, waits));
    co_await core::Sleep(absl::Milliseconds(50));
  }
  co_await scope.Join();
  EXPECT_EQ(waits.size(), 5U);
  for (size_t i = 0; i < waits.size(); ++i) {
    const absl::Duration least = absl::Seconds(i < 2 ? 1 : 10);
    EXPECT_GE(waits[i], least) << i;
    EXPECT_LT(waits[i], least + absl::Milliseconds(200)) << i;
  }
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    EXPECT_EQ(
        co_await broker.shards().On(core::ShardId(i), [](BrokerShard& shard) { return shard.held_pulls().count(); }),
        0U);
  }
}
TEST(BrokerBudgets, AConnectionHoldsSoManyPullsAndFurtherOnesForAMoment) {
  BrokerConfig config = TestConfig();
  config.held_pulls_per_connection_max = 3;
  WithBroker(HeldPullsBeyondTheLimit, config);
}
TEST(BrokerBudgets, AShardHoldsSoManyPullsAndFurtherOnesForAMoment) {
  BrokerConfig config = TestConfig();
  config.held_pulls_max = 3;
  WithBroker(HeldPullsBeyondTheLimit, config);
}

TEST(HeldPullsTest, PlacesForAMomentAreBounded) {
  HeldPulls pulls(8);
  std::vector<std::unique_ptr<HeldPulls::Place>> places;
  for (int i = 0; i < 100; ++i) places.push_back(std::make_unique<HeldPulls::Place>(pulls, HeldPulls::Wish(), core::StopToken()));
  EXPECT_EQ(pulls.count(), 8U + 1 + 64);
  EXPECT_FALSE(places[7]->brief());
  EXPECT_TRUE(places[8]->brief());
  EXPECT_FALSE(*places.back());
  EXPECT_EQ(pulls.budget().hits, 92U);
  places.clear();
  EXPECT_EQ(pulls.count(), 0U);
}

constexpr absl::Duration kDiskStands = absl::Seconds(30);
constexpr int kOld = 8;  // queues, of both shards

core::Task<void> StoreOld(Broker&, net::Client& client) {
  for (int round = 0; round < 4; ++round) {
    for (int32_t queue = 0; queue < kOld; ++queue) {
      net::SendMessageV2Request request = SendTo("Old", queue);
      request.default_topic_queue_nums = kOld;
      const Answer sent = co_await Ask(client, request, "old");
      EXPECT_EQ(sent.code, 0) << sent.remark;
    }
  }
}

core::Task<void> PullSome(net::Client& client, std::string_view topic, int32_t queue, size_t messages, int& done) {
  const Answer answer = co_await Ask(client, PullFrom(topic, queue, 0));
  EXPECT_EQ(answer.code, 0) << topic << "/" << queue << ": " << answer.remark;
  EXPECT_EQ(testing::RecordsOf(answer.body).size(), messages);
  ++done;
}

sim::Node* machine = nullptr;  // that of the test that runs

core::Task<void> DiskStands(Broker&, net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) {  // one on each shard
    const Answer sent = co_await Ask(client, SendTo("New", queue), "new");
    EXPECT_EQ(sent.code, 0) << sent.remark;
  }
  int made = 0;
  co_await PullSome(client, "New", 0, 1, made);  // makes the group
  machine->StopDisk(kDiskStands);
  int old_done = 0;
  core::Scope old_pulls;
  for (int32_t queue = 0; queue < kOld; ++queue) old_pulls.Spawn(PullSome(client, "Old", queue, 4, old_done));
  co_await core::Sleep(absl::Seconds(1));
  EXPECT_EQ(old_done, 0) << "nothing of this waits for the disk: the test tests nothing";
  const core::MonoTime begin = core::Reactor::Current().now();
  int done = 0;
  core::Scope pulls;
  for (int i = 0; i < 10; ++i) pulls.Spawn(PullSome(client, "New", i % 2, 1, done));
  co_await pulls.Join();
  EXPECT_LT(core::Reactor::Current().now() - begin, absl::Seconds(1)) << "they waited for a disk that they do not need";
  co_await old_pulls.Join();
  EXPECT_EQ(old_done, kOld);
}

// A pull that waits for the disk must not hold up those of the same connection that do not.
TEST(BrokerBudgets, ADiskThatStandsHoldsUpOnlyPullsThatNeedIt) {
  sim::World world(11);
  sim::Node& node = world.AddNode("broker", 2);
  machine = &node;
  node.Start([] { return RunScenario(TestConfig(), StoreOld); });
  EXPECT_TRUE(world.RunToEnd(node).ok());
  node.Restart([] { return RunScenario(TestConfig(), DiskStands); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status;
  machine = nullptr;
}

// Catches an answer that takes more room than it was given, and one that gives none back.
core::Task<void> LargeAnswers(Broker& broker, net::Client& client) {
  const std::string body(1'500'000, 'b');
  for (int i = 0; i < 6; ++i) {
    const Answer sent = co_await Ask(client, SendTo("Large", 0), body);
    EXPECT_EQ(sent.code, 0) << sent.remark;
  }
  core::Scope scope;
  for (int round = 0; round < 3; ++round) {
    for (int offset = 0; offset < 6; ++offset) {
      scope.Spawn([](net::Client& c, int at, size_t bytes) -> core::Task<void> {
        const Answer answer = co_await Ask(c, PullFrom("Large", 0, at));
        EXPECT_EQ(answer.code, 0) << answer.remark;
        EXPECT_GT(answer.body.size(), bytes);
      }(client, offset, body.size()));
    }
    co_await scope.Join();
  }
  for (const core::MetricSource& source : co_await broker.ReadMetrics()) {
    for (const core::MetricSample& sample : source.samples) {
      if (sample.labels == "resource=\"answer_bytes\"" && sample.name == "ringmq_budget_used")
        EXPECT_EQ(sample.value, 0);
    }
  }
}
TEST(BrokerBudgets, AnswersLargerThanTheirShareComeOneAfterTheOther) { WithBroker(LargeAnswers); }

core::Task<void> Heartbeats(Broker&, net::Client& client) {
  const auto beat = [](size_t bytes, std::string_view producers) {
    return absl::StrCat(R"({"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"T","subString":")", std::string(bytes, 'x'),
                        R"("}]}],"producerDataSet":[)", core::ToAbsl(producers), "]}");
  };
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, beat(200'000, ""))).code, 0);
  const Answer refused = co_await Ask(client, net::HeartBeatRequest{}, beat(300'000, ""));
  EXPECT_EQ(refused.code, 29);
  EXPECT_NE(refused.remark.find("300000 bytes of tags and expressions"), std::string::npos) << refused.remark;
  const auto groups = [](std::string_view prefix) {
    std::string list;
    for (int i = 0; i < 1000; ++i) absl::StrAppend(&list, i == 0 ? "" : ",", R"({"groupName":")", core::ToAbsl(prefix), i, R"("})");
    return list;
  };
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, beat(1, groups("p")))).code, 0);
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, beat(1, groups("p")))).code, 0) << "the same again";
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, beat(1, groups("q")))).code, 29);

  EXPECT_EQ((co_await Ask(client, SendTo("Locked", 0), "body")).code, 0);
  const auto lock = [](std::string_view group, std::string_view topic, int queue) {
    return absl::StrCat(R"({"consumerGroup":")", core::ToAbsl(group), R"(","clientId":"c","mqSet":[{"topic":")", core::ToAbsl(topic), R"(","brokerName":"b","queueId":)", queue, "}]}");
  };
  const std::string none = R"({"lockOKMQSet":[]})";
  EXPECT_NE((co_await Ask(client, net::LockBatchMqRequest{}, lock("g", "Locked", 3))).body, none);
  EXPECT_EQ((co_await Ask(client, net::LockBatchMqRequest{}, lock("g", "Locked", 4))).body, none) << "no such queue";
  EXPECT_EQ((co_await Ask(client, net::LockBatchMqRequest{}, lock("g", "Nowhere", 0))).body, none) << "no such topic";
  EXPECT_EQ((co_await Ask(client, net::LockBatchMqRequest{}, lock("nobody", "Locked", 0))).body, none) << "no such group";
}
TEST(BrokerBudgets, WhatHeartbeatsAndLocksLeaveBehindHasLimits) { WithBroker(Heartbeats); }

TEST(ServerLimitsTest, FollowFromTheMemoryUnlessSaid) {
  BrokerConfig config;
  config.append_buffer_bytes = 64 << 20;
  net::ServerLimits limits = ServerLimitsOf(config, 2);
  EXPECT_EQ(limits.partial_bytes_max, size_t{16} << 20);
  EXPECT_EQ(limits.shard_request_bytes_max, size_t{64} << 20);
  EXPECT_EQ(limits.connections_max, 12'500U);
  EXPECT_EQ(limits.shard_answer_bytes_max, size_t{64} << 20);
  EXPECT_EQ(limits.shard_output_bytes_max, size_t{32} << 20);
  EXPECT_EQ(PullReadBytesMax(config), size_t{16} << 20);
  EXPECT_EQ(HeldPullsMax(config), 32'768U);
  config.partial_frame_bytes_max = 1000;
  config.held_pulls_max = 7;
  limits = ServerLimitsOf(config, 1);
  EXPECT_EQ(limits.partial_bytes_max, 1000U);
  EXPECT_EQ(limits.connections_max, 20'000U);
  EXPECT_EQ(HeldPullsMax(config), 7U);
}

}  // namespace
}  // namespace broker
