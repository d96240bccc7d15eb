#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "core/reactor.h"
#include "core/task.h"

namespace core {

struct RuntimeOptions {
  size_t shards = 1;
  bool pin_threads = true;
  /// Receive buffers of each shard: `receive_buffers` (a power of two) of `receive_buffer_bytes`.
  uint32_t receive_buffers = 512;
  uint32_t receive_buffer_bytes = 32 * 1024;
  ReactorOptions reactor;
};

/// How many shards this process should have: one for each processor that it may use (at most its cgroup's quota) but one, at least 1. The one is left to
/// the kernel's network and disk work: with two, a second shard costs more in calls between the two than it adds (docs/PERFORMANCE.md).
size_t DefaultShardCount();
/// The memory this process may use: the cgroup's limit or the machine's memory, in bytes.
uint64_t MemoryLimitBytes();

/// Checks what the runtime needs of the machine (io_uring with the features used, RLIMIT_MEMLOCK, RLIMIT_NOFILE raised to its hard limit).
/// The error is one line that says what is wrong and the command that mends it.
absl::Status CheckMachine();

/// Starts one pinned thread a shard, runs `main` on shard 0 and, when it has returned, stops the others. Returns its
/// result. SIGINT and SIGTERM are blocked in all threads and arrive at Io::WaitSignal of shard 0.
absl::Status RunShards(const RuntimeOptions& options, std::function<Task<absl::Status>()> main);

}  // namespace core
