#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace ringmq {

/// What each shard may use of the process's memory; the rest of the process (code, coroutine frames, indexes, sockets) needs some 30 MiB beside it.
struct MemoryBudget {
  size_t append_buffer_bytes = 0;    // batches under way, and the newest messages for readers
  size_t read_cache_bytes = 0;       // older messages, read again
  uint32_t receive_buffers = 0;      // a power of two
  uint32_t receive_buffer_bytes = 0;
  size_t pool_keep_bytes = 0;        // free buffers kept for reuse in any case
  size_t total() const {
    return append_buffer_bytes + read_cache_bytes + size_t{receive_buffers} * receive_buffer_bytes + pool_keep_bytes;
  }
};

/// "512M", "1G", "64MiB", "1048576": bytes, K, M, G or T with an optional B or iB, powers of 1024. kInvalidArgument otherwise.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);

/// What a process takes when nobody says how much: a sixth of `limit` (the machine's memory or the cgroup's limit), at most 256 MiB
/// or, with many shards, 32 MiB each. A process that is attacked takes three and a half times as much and some 30 MiB (docs/LIMITS.md), and the kernel's
/// share (sockets, page tables, pages of the disk that it can't give back yet) has to fit beside it.
uint64_t DefaultMemory(uint64_t limit, size_t shards);

/// Splits `bytes` evenly. kInvalidArgument when a shard would get less than kShardBytesMin.
absl::StatusOr<MemoryBudget> SplitMemory(uint64_t bytes, size_t shards);
inline constexpr uint64_t kShardBytesMin = uint64_t{8} << 20;

}  // namespace ringmq
