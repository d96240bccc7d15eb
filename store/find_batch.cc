#include "store/find_batch.h"

#include <span>

#include "absl/status/statusor.h"

namespace store {

core::Task<std::optional<FoundBatch>> FindBatch(LogReader& reader, Segment& segment, LogIdentity log, uint64_t at,
                                                uint64_t end) {
  const uint64_t from = at;
  for (; at + kBlock <= end; at += kBlock) {
    const std::span<const std::byte> block = co_await reader.Read(segment, at, kBlock);
    const absl::StatusOr<BatchHeader> header = ParseBatchHeader(block.first(kBatchHeaderBytes), log, at);
    if (header.ok() && header->bytes <= end - at) co_return FoundBatch{*header, at};
    const absl::StatusOr<BatchHeader> copy = ParseBatchTrailer(block, log, at + kBlock);
    if (copy.ok() && copy->position >= from) co_return FoundBatch{*copy, copy->position};
  }
  co_return std::nullopt;
}

}  // namespace store
