// Question: what does it cost to find a queue by its name among few and among very many, and to enter a message into its index?
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/assert.h"
#include "core/strings.h"
#include "store/queue.h"
#include "store/segment.h"

namespace bench {
namespace {

/// Queues are asked for in an order that no cache foresees.
constexpr size_t kStride = 7919;

void BM_FindQueue(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  store::QueueTable table;
  std::vector<std::string> topics;
  for (size_t i = 0; i < (count + 7) / 8; ++i) topics.push_back(core::StrCat("BenchTopic-", i));
  for (size_t i = 0; i < count; ++i) table.FindOrMake(store::QueueName(topics[i / 8], static_cast<int32_t>(i % 8)));
  size_t at = 0;
  for (auto _ : state) {
    at = (at + kStride) % count;
    store::Queue* found = table.Find(store::QueueName(topics[at / 8], static_cast<int32_t>(at % 8)));
    CORE_ASSERT(found != nullptr);
    benchmark::DoNotOptimize(found->next);
  }
}
BENCHMARK(BM_FindQueue)->ArgName("queues")->Arg(8)->Arg(10'000)->Arg(100'000);

void BM_AddToIndex(benchmark::State& state) {
  store::Segment segment;
  segment.bytes = store::kSegmentBytesMin;
  const auto count = static_cast<size_t>(state.range(0));
  const auto fresh = [count] {
    std::vector<std::unique_ptr<store::Queue>> queues;
    for (size_t i = 0; i < count; ++i) queues.push_back(std::make_unique<store::Queue>(store::QueueName("BenchTopic", static_cast<int32_t>(i))));
    return queues;
  };
  constexpr int64_t kMessagesMax = 2'000'000;  // of one segment
  std::vector<std::unique_ptr<store::Queue>> queues = fresh();
  int64_t added = 0;
  size_t at = 0;
  for (auto _ : state) {
    if (++added % kMessagesMax == 0) {
      state.PauseTiming();
      queues = fresh();
      state.ResumeTiming();
    }
    at = (at + kStride) % count;
    store::Queue& queue = *queues[at];
    queue.Add(segment, queue.next, {static_cast<uint64_t>(added) * 1200, 1200, 1, 0}, 1'764'170'000'000);
  }
}
BENCHMARK(BM_AddToIndex)->ArgName("queues")->Arg(8)->Arg(10'000);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
