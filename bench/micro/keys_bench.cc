// Question: what does the index of keys cost for each message: taking its keys when its batch is closed, and sorting them when the table is full?
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/micro/on_shard.h"
#include "core/assert.h"
#include "store/key_collector.h"
#include "store/record.h"

namespace bench {
namespace {

constexpr store::LogIdentity kLog{{1, 2}, 0};
constexpr size_t kEntries = size_t{64} << 10;

/// Records of 1 KiB as Java clients send them, back to back as in a batch: one key, or three.
struct Records {
  std::vector<std::byte> bytes;
  std::vector<store::RecordRef> refs;
};

Records MakeRecords(size_t count, bool keys) {
  Records records;
  const std::string body(1024, 'b');
  for (size_t i = 0; i < count; ++i) {
    std::string properties = absl::StrCat("UNIQ_KEY\x01", "7F000001000078BF000000000000", absl::Hex(i, absl::kZeroPad4),
                                          "\x02WAIT\x01true\x02");
    if (keys) absl::StrAppend(&properties, "KEYS\x01order-", i, " customer-", i % 97, "\x02");
    absl::StrAppend(&properties, "MSG_REGION\x01", "DefaultRegion\x02TRACE_ON\x01true\x02", "CLUSTER\x01",
                    "DefaultCluster\x02");
    store::MessageDraft draft;
    draft.topic = "BenchmarkTopic";
    draft.body = std::as_bytes(std::span(body.data(), body.size()));
    draft.properties = properties;
    const uint64_t position = records.bytes.size() + 4096;
    const auto bytes = static_cast<uint32_t>(store::RecordBytes(draft));
    records.bytes.resize(records.bytes.size() + bytes);
    store::EncodeRecord(draft, {core::LogicalOffset(0), store::MakePhysicalOffset(0, position), 1},
                        records.bytes.data() + position - 4096);
    records.refs.push_back({position, bytes, 7});
  }
  return records;
}

void BM_Collect(benchmark::State& state) {
  const Records records = MakeRecords(256, state.range(0) != 0);
  store::KeyCollector keys(kLog, kEntries);
  for (auto _ : state) {
    if (keys.full()) {
      state.PauseTiming();
      keys.Begin(0, 0);
      state.ResumeTiming();
    }
    keys.LookedAt(0);
    for (const store::RecordRef& ref : records.refs)
      keys.Enter(ref, {records.bytes.data() + ref.position - 4096, ref.bytes});
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(records.refs.size()));
}
BENCHMARK(BM_Collect)->ArgName("keys")->DenseRange(0, 1);

core::Task<absl::Status> SortAgain(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    store::KeyTable table(kEntries);
    uint64_t hash = 1;
    for (size_t i = 0; i < kEntries; ++i) {
      hash = hash * 6364136223846793005U + 1442695040888963407U;
      table.Add(hash, {i, 1, 1});
    }
    state.ResumeTiming();
    co_await table.Sort();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kEntries));
  co_return absl::OkStatus();
}
void BM_Sort(benchmark::State& state) {
  OnShard(state, 1, [&state] { return SortAgain(state); });
}
BENCHMARK(BM_Sort);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
