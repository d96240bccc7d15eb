// Questions: what does it cost to count one stored send, whose topic was found before? And the sample that all counts get every 10 s, for which a shard does nothing else?
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "broker/broker_stats.h"

namespace bench {
namespace {

constexpr int32_t kQueues = 8;  // of each topic

std::vector<broker::BrokerStats::Flow*> MakeTopics(broker::BrokerStats& stats, int64_t topics) {
  std::vector<broker::BrokerStats::Flow*> flows;
  for (int64_t topic = 0; topic < topics; ++topic) {
    flows.push_back(&stats.PutsOf("Topic" + std::to_string(topic)));
    for (int32_t queue = 0; queue < kQueues; ++queue) stats.OnPut(*flows.back(), queue, {.messages = 1, .bytes = 1});
  }
  return flows;
}

void BM_CountPut(benchmark::State& state) {
  broker::BrokerStats stats(core::MonoTime{0});
  const std::vector<broker::BrokerStats::Flow*> flows = MakeTopics(stats, state.range(0));
  core::MonoTime began{0};
  core::MonoTime now{500'000};
  size_t topic = 0;
  int32_t queue = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(began);
    benchmark::DoNotOptimize(now);
    stats.OnPut(*flows[topic], queue, {.messages = 1, .bytes = 1024, .millis = broker::MillisBetween(began, now)});
    benchmark::ClobberMemory();
    if (++topic == flows.size()) {
      topic = 0;
      queue = (queue + 1) % kQueues;
    }
  }
}
BENCHMARK(BM_CountPut)->ArgName("topics")->Arg(1)->Arg(64)->Arg(512);

void BM_Sample(benchmark::State& state) {
  broker::BrokerStats stats(core::MonoTime{0});
  (void)MakeTopics(stats, state.range(0));
  int64_t seconds = 0;
  for (auto _ : state) stats.Sample({(seconds += 10) * 1'000'000'000}, 0);
}
BENCHMARK(BM_Sample)->ArgName("topics")->Arg(1)->Arg(512)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
