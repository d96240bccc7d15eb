#pragma once

#include <cstddef>
#include <cstdint>

namespace store {

/// A batch is handed to the disk at the latest when it has grown to this; larger only for one append that is larger itself.
inline constexpr size_t kBatchBytesMax = size_t{1} << 20;
/// Writes under way at once. More do not make a device faster, fewer let it idle between batches.
inline constexpr size_t kWritesInFlightMax = 8;
/// One append (a message or a batch of messages) at most: records only. Less in small segments.
inline constexpr size_t kAppendBytesMax = size_t{24} << 20;
/// Not yet flushed at most, whatever the interval: bounds how far recovery looks behind the end of the log for what was durable.
inline constexpr uint64_t kUnflushedBytesMax = uint64_t{32} << 20;

}  // namespace store
