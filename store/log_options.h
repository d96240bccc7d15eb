#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace store {

/// Whether an append is refused while the disk is too full for more (StoreOptions::disk_used_ratio_refuse). What lets an older segment go is not.
enum class Admission : uint8_t { kOrdinary, kMakesRoom };

/// Bytes of a segment unless told otherwise. After a crash the newest one is read again, maybe two: the smaller, the sooner a log is open. RocketMQ's is 1 GiB.
inline constexpr uint64_t kSegmentBytesDefault = uint64_t{256} << 20;
/// A batch is handed to the disk at the latest when it has grown to this; larger only for one append that is larger itself.
inline constexpr size_t kBatchBytesMax = size_t{1} << 20;
/// A batch whose records are safe in the append buffer goes to the disk when it has grown to this or when its first record is this old: few
/// large writes cost less than many small ones, and nobody waits for them.
inline constexpr size_t kKeptWriteBytes = size_t{256} << 10;
inline constexpr absl::Duration kKeptWriteDelay = absl::Milliseconds(5);
/// A record that a power cut could take back is acknowledged only while none is older than this: ASYNC_FLUSH loses at most the last 50 ms. The
/// usual age is that of a write and a flush interval; a device that is slower than that slows its senders down.
inline constexpr absl::Duration kUnflushedAgeMax = absl::Milliseconds(45);
/// Writes under way at once. More do not make a device faster, fewer let it idle between batches.
inline constexpr size_t kWritesInFlightMax = 8;
/// One append (a message or a batch of messages) at most: records only. Less in small segments.
inline constexpr size_t kAppendBytesMax = size_t{24} << 20;
/// Not yet flushed at most, whatever the interval: bounds how far recovery looks behind the end of the log for what was durable.
inline constexpr uint64_t kUnflushedBytesMax = uint64_t{32} << 20;

}  // namespace store
