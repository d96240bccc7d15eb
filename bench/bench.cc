#include "bench/bench.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/control.h"
#include "bench/null_server.h"
#include "bench/options.h"
#include "bench/process_usage.h"
#include "bench/result.h"
#include "bench/worker.h"
#include "core/log.h"
#include "core/runtime.h"
#include "core/sharded.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"

namespace bench {
namespace {

constexpr int32_t kGetMaxOffset = 30;
constexpr int32_t kGetMinOffset = 31;

/// What one thread counts while it runs, on a cache line of its own; read by nobody but the progress line, which asks by a call.
struct alignas(64) Live {
  int64_t messages = 0;
};

using WorkerFn = core::Task<Tally> (*)(Share, int64_t*);

core::Task<void> RunWorker(core::ShardId shard, WorkerFn worker, Share share, Live* live, Tally* total) {
  const Tally tally = co_await core::InvokeOn(
      shard, [](WorkerFn fn, Share mine, Live* counter) { return fn(std::move(mine), &counter->messages); }, worker, std::move(share),
      live);
  total->Merge(tally);
}

/// One line a second on stderr, until the stop.
core::Task<void> ShowProgress(std::vector<Live>* live, core::StopToken stop) {
  int64_t before = 0;
  for (;;) {
    const core::WaitResult waited = co_await core::Sleep(absl::Seconds(1), stop);
    if (waited == core::WaitResult::kStopped) break;
    int64_t now = 0;
    for (uint32_t shard = 0; shard < live->size(); ++shard) {
      now += co_await core::InvokeOn(core::ShardId(shard), [](const Live* counter) { return counter->messages; },
                                     const_cast<const Live*>(&(*live)[shard]));
    }
    std::fprintf(stderr, "\r%12lld messages/s   %14lld in all   ", static_cast<long long>(now - before), static_cast<long long>(now));
    std::fflush(stderr);
    before = now;
  }
  std::fprintf(stderr, "\r%60s\r", "");
}

/// Reads the broker's usage at the beginning and at the end of the measured time.
core::Task<void> MeasureUsage(const Options* options, Share share, bool until_stopped, Result* result, core::StopToken stop) {
  core::Io& io = core::Reactor::Current().io();
  co_await core::Sleep(share.measure_from, stop);
  absl::StatusOr<ProcessUsage> before = ProcessUsage{};
  if (options->pid > 0) before = co_await ReadProcessUsage(options->pid);
  const absl::Duration own_before = io.ProcessCpu();
  const core::MonoTime from = io.Now();
  co_await core::Sleep(until_stopped ? core::MonoTime::Max() : share.measure_until, stop);
  absl::StatusOr<ProcessUsage> after = ProcessUsage{};
  if (options->pid > 0) after = co_await ReadProcessUsage(options->pid);
  result->own_cpu = io.ProcessCpu() - own_before;
  result->measured = io.Now() - from;
  if (options->pid <= 0) co_return;
  if (!before.ok() || !after.ok()) {
    std::fprintf(stderr, "no usage of process %lld: %s\n", static_cast<long long>(options->pid),
                 (before.ok() ? after.status() : before.status()).ToString().c_str());
    co_return;
  }
  result->has_usage = true;
  result->broker_cpu = after->cpu - before->cpu;
  result->broker_resident_bytes = after->resident_bytes;
}

core::Task<absl::Status> RunLoad(const Options* options, Result* result) {
  CO_ASSIGN_OR_RETURN(const core::Endpoint broker, co_await FindBroker(*options));
  if (options->create_topic && options->mode != Mode::kConsume && options->mode != Mode::kTail) CO_RETURN_IF_ERROR(co_await CreateTopics(*options, broker));
  Share share;
  share.options = options;
  share.broker = broker;
  if (options->mode != Mode::kProduce) {
    const int32_t begin = options->mode == Mode::kConsume ? kGetMinOffset : kGetMaxOffset;
    CO_ASSIGN_OR_RETURN(share.queue_offsets, co_await QueueOffsets(*options, broker, begin));
    CO_ASSIGN_OR_RETURN(share.queue_ends, co_await QueueOffsets(*options, broker, kGetMaxOffset));
  }
  const bool by_count = options->mode == Mode::kConsume || options->messages > 0;
  const core::MonoTime start = core::Reactor::Current().io().Now();
  share.measure_from = start + absl::Seconds(by_count ? 0 : options->warmup_seconds);
  share.measure_until = by_count ? start + absl::Hours(1) : share.measure_from + absl::Seconds(options->seconds);
  if (options->mode == Mode::kConsume && options->messages > 0) {
    int64_t left = options->messages;
    for (size_t queue = 0; queue < share.queue_ends.size(); ++queue) {
      const int64_t share_of_queue = left / static_cast<int64_t>(share.queue_ends.size() - queue);
      const int64_t taken = std::min(share_of_queue, share.queue_ends[queue] - share.queue_offsets[queue]);
      share.queue_ends[queue] = share.queue_offsets[queue] + taken;
      left -= taken;
    }
  }

  const size_t threads = core::Reactor::Current().shard_count();
  std::vector<Live> live(threads);
  core::Scope helpers;
  if (!options->quiet) helpers.Spawn(ShowProgress(&live, helpers.stop_token()));
  helpers.Spawn(MeasureUsage(options, share, by_count, result, helpers.stop_token()));

  core::Scope workers;
  int32_t first = 0;
  for (size_t i = 0; i < threads; ++i) {
    Share mine = share;
    mine.first_connection = first;
    mine.connections = static_cast<int32_t>((static_cast<size_t>(options->connections) + i) / threads);
    first += mine.connections;
    if (mine.connections == 0) continue;
    const core::ShardId shard(static_cast<uint32_t>(i));
    if (options->mode == Mode::kLatency || options->mode == Mode::kTail) {
      workers.Spawn(RunWorker(shard, &ConsumeTail, mine, &live[i], &result->tally));
    } else {
      const WorkerFn fn = options->mode == Mode::kProduce ? &Produce : &ConsumeBacklog;
      workers.Spawn(RunWorker(shard, fn, mine, &live[i], &result->tally));
    }
  }
  // In latency mode the consumers wait first; what the producers count is thrown away but for their errors.
  Tally sends;
  if (options->mode == Mode::kLatency) {
    co_await core::Sleep(absl::Milliseconds(200));
    Share mine = share;
    mine.connections = options->connections;
    Live ignored;
    co_await RunWorker(core::ShardId(0), &Produce, mine, &ignored, &sends);
  }
  co_await workers.Join();
  helpers.RequestStop();
  co_await helpers.Join();
  for (const auto& [code, times] : sends.errors) result->tally.errors[code] += times;
  if (result->tally.status.ok()) result->tally.status = sends.status;
  co_return result->tally.status;
}

}  // namespace

int RunBench(int argc, char** argv) {
  Options options;
  const int exit_code = ParseOptions(argc, argv, &options);
  if (exit_code >= 0) return exit_code;
  if (options.mode == Mode::kNull) return RunNullServer(options.port);
  absl::Status status = core::CheckMachine();
  Result result;
  if (status.ok()) {
    core::RuntimeOptions runtime;
    runtime.shards = static_cast<size_t>(options.threads);
    runtime.pin_threads = false;
    runtime.receive_buffers = 1024;
    status = core::RunShards(runtime, [&] { return RunLoad(&options, &result); });
  }
  core::FlushLog();
  if (result.tally.messages > 0 || status.ok()) std::fputs(FormatResult(options, result).c_str(), stdout);
  if (!status.ok()) {
    std::fprintf(stderr, "ringmq bench: %s\n", std::string(core::ToStd(status.message())).c_str());
    return 1;
  }
  return result.tally.errors.empty() && result.tally.out_of_order == 0 ? 0 : 1;
}

}  // namespace bench
