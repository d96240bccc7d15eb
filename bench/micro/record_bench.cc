// Question: what does it cost to make a message's record (with its one copy of the body and both checksums), to take one apart and to prove it?
#include <benchmark/benchmark.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/assert.h"
#include "store/crc.h"
#include "store/record.h"

namespace bench {
namespace {

store::MessageDraft DraftOf(const std::string& body) {
  store::MessageDraft draft;
  draft.topic = "BenchTopic";
  draft.queue_id = 5;
  draft.body = std::as_bytes(std::span(body.data(), body.size()));
  draft.properties = std::string_view("UNIQ_KEY\x01" "7F000001000078BF0000000000000261\x02", 42);
  return draft;
}

std::vector<std::byte> RecordOf(const std::string& body) {
  const store::MessageDraft draft = DraftOf(body);
  std::vector<std::byte> record(store::RecordBytes(draft));
  store::EncodeRecord(draft, {core::LogicalOffset(1), core::PhysicalOffset(2), 3}, record.data());
  return record;
}

void BM_EncodeRecord(benchmark::State& state) {
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  const store::MessageDraft draft = DraftOf(body);
  std::vector<std::byte> out(store::RecordBytes(draft));
  int64_t offset = 0;
  for (auto _ : state) {
    store::EncodeRecord(draft, {core::LogicalOffset(++offset), core::PhysicalOffset(offset * 2000), 1'764'170'000'000}, out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(BM_EncodeRecord)->ArgName("body_bytes")->Arg(100)->Arg(1024)->Arg(16'384);

void BM_ParseRecord(benchmark::State& state) {
  const std::vector<std::byte> record = RecordOf(std::string(static_cast<size_t>(state.range(0)), 'b'));
  for (auto _ : state) {
    const absl::StatusOr<store::RecordView> view = store::ParseRecord(record);
    CORE_ASSERT(view.ok());
    benchmark::DoNotOptimize(view->body.data());
  }
}
BENCHMARK(BM_ParseRecord)->ArgName("body_bytes")->Arg(1024);

void BM_Crc32c(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<size_t>(state.range(0)), std::byte{'b'});
  for (auto _ : state) benchmark::DoNotOptimize(store::Crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32c)->ArgName("bytes")->Arg(128)->Arg(1024)->Arg(16'384);

void BM_Crc32(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<size_t>(state.range(0)), std::byte{'b'});
  for (auto _ : state) benchmark::DoNotOptimize(store::Crc32(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32)->ArgName("bytes")->Arg(128)->Arg(1024)->Arg(16'384);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
