// Question: how many appends and reads a second does one shard's log carry on the disk under the working folder, and how well do appends
// share writes? RINGMQ_BENCH_DIR says where the files go (default: a fresh folder under the working folder).
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/meta_store.h"
#include "store/record.h"
#include "store/shard_store.h"

namespace {

constexpr int kQueues = 8;

std::string FreshFolder() {
  const char* base = getenv("RINGMQ_BENCH_DIR");
  std::string path = core::StrCat(base != nullptr ? base : ".", "/store-bench-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) abort();
  return path;
}

store::MessageDraft DraftOf(const std::string& topic, int32_t queue, const std::string& body) {
  store::MessageDraft draft;
  draft.topic = topic;
  draft.queue_id = queue;
  draft.body = std::as_bytes(std::span(body.data(), body.size()));
  draft.properties = std::string_view("UNIQ_KEY\x01" "7F000001000078BF0000000000000261\x02", 42);
  return draft;
}

core::Task<void> Writer(store::ShardStore& log, int queue, const std::string& topic, const std::string& body, int64_t* left, bool* failed) {
  while (*left > 0) {
    --*left;
    const store::MessageDraft draft = DraftOf(topic, queue, body);
    const absl::StatusOr<store::AppendResult> appended = co_await log.Append({&draft, 1});
    if (!appended.ok()) *failed = true;
  }
}

struct Measured {
  int64_t messages = 0;
  absl::Duration took;
  absl::Duration cpu;
  uint64_t writes = 0;
  uint64_t flushes = 0;
};

core::Task<absl::Status> AppendAll(store::ShardStore& log, const std::string& body, int writers, int64_t messages, Measured* out) {
  const std::string topic = "BenchTopic";
  core::Io& io = core::Reactor::Current().io();
  const core::MonoTime begun = io.Now();
  const absl::Duration cpu = io.ProcessCpu();
  int64_t left = messages;
  bool failed = false;
  core::Scope scope;
  for (int w = 0; w < writers; ++w) scope.Spawn(Writer(log, w % kQueues, topic, body, &left, &failed));
  co_await scope.Join();
  out->messages += messages;
  out->took += io.Now() - begun;
  out->cpu += io.ProcessCpu() - cpu;
  const store::StoreStats stats = log.Stats();
  out->writes = stats.writes;
  out->flushes = stats.flushes;
  co_return failed ? absl::InternalError("an append failed") : absl::OkStatus();
}

core::Task<absl::Status> FetchAll(store::ShardStore& log, Measured* out) {
  core::Io& io = core::Reactor::Current().io();
  const core::MonoTime begun = io.Now();
  const absl::Duration cpu = io.ProcessCpu();
  for (int q = 0; q < kQueues; ++q) {
    int64_t next = 0;
    for (;;) {
      store::FetchRequest request;
      request.queue = {"BenchTopic", q};
      request.from = core::LogicalOffset(next);
      const store::FetchResult result = co_await log.Fetch(std::move(request));
      if (result.status != store::FetchStatus::kFound) break;
      next = result.next.value();
      out->messages += result.messages;
    }
  }
  out->took += io.Now() - begun;
  out->cpu += io.ProcessCpu() - cpu;
  co_return absl::OkStatus();
}

struct Setup {
  size_t body_bytes = 1024;
  int writers = 256;
  int64_t messages = 0;
  bool fetch = false;
  store::StoreOptions options;
};

core::Task<absl::Status> Main(const Setup* setup, std::string folder, Measured* out) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<store::MetaStore> meta, co_await store::MetaStore::Open(folder + "/meta"));
  store::StoreOptions options = setup->options;
  options.directory = folder + "/log";
  CO_ASSIGN_OR_RETURN(std::unique_ptr<store::ShardStore> log, co_await store::ShardStore::Open(options, *meta));
  const std::string body(setup->body_bytes, 'b');
  absl::Status status = co_await AppendAll(*log, body, setup->writers, setup->messages, out);
  if (status.ok() && setup->fetch) {
    *out = {};
    status = co_await FetchAll(*log, out);
  }
  CO_RETURN_IF_ERROR(co_await log->Close());
  CO_RETURN_IF_ERROR(co_await meta->Close());
  co_return status;
}

void RunOnce(benchmark::State& state, const Setup& setup) {
  core::RuntimeOptions runtime;
  runtime.pin_threads = false;
  Measured total;
  for (auto _ : state) {
    const std::string folder = FreshFolder();
    Measured measured;
    const absl::Status status = core::RunShards(runtime, [&] { return Main(&setup, folder, &measured); });
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
    state.SetIterationTime(absl::ToDoubleSeconds(measured.took));
    total.messages += measured.messages;
    total.took += measured.took;
    total.cpu += measured.cpu;
    total.writes += measured.writes;
    total.flushes += measured.flushes;
    if (system(core::StrCat("rm -r ", folder).c_str()) != 0) state.SkipWithError("the folder can't be removed");
  }
  state.SetItemsProcessed(total.messages);
  state.SetBytesProcessed(total.messages * static_cast<int64_t>(setup.body_bytes));
  state.counters["messages_per_write"] = total.writes == 0 ? 0 : static_cast<double>(total.messages) / static_cast<double>(total.writes);
  state.counters["cpu_us_per_message"] = absl::ToDoubleMicroseconds(total.cpu) / static_cast<double>(total.messages);
}

void BM_Append(benchmark::State& state) {
  Setup setup;
  setup.body_bytes = static_cast<size_t>(state.range(0));
  setup.writers = static_cast<int>(state.range(1));
  setup.options.durability = state.range(2) != 0 ? store::Durability::kSynced : store::Durability::kAsync;
  setup.messages = state.range(2) != 0 && setup.writers < 16 ? 5'000 : setup.writers < 16 ? 20'000 : 400'000;
  RunOnce(state, setup);
}
BENCHMARK(BM_Append)
    ->ArgNames({"body_bytes", "writers", "synced"})
    ->ArgsProduct({{128, 1024}, {1, 256, 4096}, {0, 1}})
    ->Iterations(1)
    ->UseManualTime();

void BM_Fetch(benchmark::State& state) {
  Setup setup;
  setup.fetch = true;
  setup.writers = 1024;
  setup.messages = 400'000;
  // Cold: the tail kept is small, so that nearly all is read from the disk.
  setup.options.append_buffer_bytes = state.range(0) != 0 ? size_t{8} << 20 : size_t{1} << 30;
  setup.options.segment_bytes = size_t{64} << 20;
  RunOnce(state, setup);
}
BENCHMARK(BM_Fetch)->ArgNames({"cold"})->Arg(0)->Arg(1)->Iterations(1)->UseManualTime();

}  // namespace

BENCHMARK_MAIN();
