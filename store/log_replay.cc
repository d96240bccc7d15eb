#include <algorithm>
#include <utility>

#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "store/crc.h"
#include "store/find_batch.h"
#include "store/log_reader.h"
#include "store/record.h"
#include "store/shard_store_impl.h"

// The log as a whole, beside its queues: for what is built from the records of a log, and reads them by their places.

namespace store {
namespace {

/// Null when there is none.
Segment* FirstEndingBehind(const SegmentList& segments, uint64_t position) {
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments.at(i).limit() > position) return &segments.at(i);
  }
  return nullptr;
}

}  // namespace

LogSpan ShardStoreImpl::Span() const {
  return {.begin = segments_.front().data_begin(), .batch = log_->batch_begin(), .next = log_->next_record()};
}

core::Task<absl::Status> ShardStoreImpl::Flush() { return log_->FlushTo(log_->next_record()); }

core::Task<absl::StatusOr<core::Slice>> ShardStoreImpl::ReadRecord(RecordRef ref) {
  core::Slice tail = log_->InMemory(ref.position, ref.bytes);
  if (!tail.empty()) co_return tail;
  Segment* const segment = segments_.Find(ref.position);
  if (segment == nullptr) co_return absl::NotFoundError("the segment is gone");
  const uint64_t offset = ref.position - segment->position;
  const uint64_t written = std::clamp(log_->written_end(), segment->position, segment->limit()) - segment->position;
  if (offset < kBlock || offset + ref.bytes > written) co_return absl::DataLossError("no record is there");
  // Exactly its blocks: such records are read one here, one there, and a window of the cache around each would be wasted.
  const uint64_t begin = RoundDown(offset, kBlock);
  const core::Slice memory = core::Reactor::Current().buffers().Allocate(RoundUp(offset + ref.bytes, kBlock) - begin);
  ++segment->pins;
  const absl::Status status = co_await segment->log.ReadExactlyAt(begin, {memory.data(), memory.size()});
  segment->Unpin();
  if (absl::IsOutOfRange(status)) co_return absl::DataLossError(status.message());  // the file is shorter than it was
  CO_RETURN_IF_ERROR(status);
  core::Slice record = memory.Sub(offset - begin, ref.bytes);
  if (Crc32c(record.bytes()) != ref.crc) {
    co_return absl::DataLossError(core::StrCat("the record at log position ", ref.position, " is damaged"));
  }
  co_return record;
}

core::Task<absl::StatusOr<uint64_t>> ShardStoreImpl::Replay(uint64_t from,
                                                            std::function<void(const ReplayedRecord&)> show) {
  LogReader reader;
  const uint64_t log_end = log_->written_end();
  uint64_t at = std::max(from, segments_.front().data_begin());
  while (at < log_end) {
    Segment* const segment = FirstEndingBehind(segments_, at);  // not always what holds it: a file in between may be missing
    if (segment == nullptr) break;
    at = std::max(at, segment->position);
    const uint64_t next_segment = segment->limit();
    const uint64_t end = std::min(log_end, segment == &log_->active() ? next_segment : segment->end);
    if (at % kBlock != 0) at = segment->data_begin();  // a record: its batch begins somewhere before it
    at = std::max(at, segment->data_begin());
    ++segment->pins;
    while (at < end) {
      const std::optional<FoundBatch> found = co_await FindBatch(reader, *segment, identity_, at, end);
      if (!found.has_value()) break;
      const std::span<const std::byte> bytes = co_await reader.Read(*segment, found->begin, found->header.bytes);
      BatchView(found->header, bytes)
          .ForEach(
              [&](const TableEntry& row, std::span<const std::byte> record, size_t offset) {
                const uint64_t position = found->begin + offset;
                const absl::StatusOr<RecordView> view = ParseRecord(record);
                if (position < from || !view.ok() ||
                    view->position != MakePhysicalOffset(identity_.log_number, position))
                  return;
                show({*view, {position, row.bytes, row.crc}});
              },
              [](const TableEntry&) {});
      at = found->begin + found->header.bytes;
      co_await core::Yield();
    }
    segment->Unpin();
    at = end == log_end ? log_end : next_segment;
  }
  if (const uint64_t refused = reader.UnreadableBytes(0, log_end); refused > 0)
    co_return absl::UnavailableError(core::StrCat("the disk refused ", refused, " bytes of the log"));
  co_return log_end;
}

}  // namespace store
