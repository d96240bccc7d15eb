#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/find_batch.h"
#include "store/key_index.h"

// The end of the log: messages are entered as they are appended, while their properties are in the processor's nearest cache. What comes while the table is written,
// or has left something out for another reason, is looked up in the batches once they are closed, in memory and, where they have left it, on the disk.

namespace store {
namespace {

/// Records between two chances for everyone else: below 0.1 ms, and more than arrive in a tick.
constexpr size_t kSliceRecords = 512;
constexpr absl::Duration kFollowRetry = absl::Seconds(2);

}  // namespace

core::Task<void> KeyIndex::FollowLoop() {
  bool failing = false;
  while (!scope_.stop_requested()) {
    absl::StatusOr<bool> more = false;
    {
      const core::Semaphore::Hold turn = co_await turn_.Take(1);
      more = co_await FollowSlice();
    }
    if (!more.ok()) {
      if (!std::exchange(failing, true))
        core::LogError("the keys of log ", options_.log.log_number, " are not written: ", more.status().ToString());
      core::Sleep pause(kFollowRetry, scope_.stop_token());
      (void)co_await pause;
    } else if (*more) {
      failing = false;
      co_await core::Yield();
    } else {
      (void)co_await log_.batch_closed().Wait(scope_.stop_token());
    }
  }
}

/// Goes on a little. False: all that is closed is known. With turn_.
core::Task<absl::StatusOr<bool>> KeyIndex::FollowSlice() {
  Segment* const segment = segments_.Find(tail_segment_);
  const uint64_t at = tail_.stretch().resume;
  if (segment == nullptr) {
    JumpToEnd();  // it has expired
  } else if (tail_.full()) {
    CO_RETURN_IF_ERROR(co_await SpillTail());
  } else if (segment != &log_.active() && at >= segment->end) {
    CO_RETURN_IF_ERROR(co_await EndSegment(*segment));
  } else if (at == log_.batch_begin()) {
    reader_.reset();
    co_return false;
  } else if (!EnterClosed()) {
    CO_RETURN_IF_ERROR(co_await EnterFromDisk(*segment));
  }
  co_return true;
}

/// As KeyCollector::Enter, of a record of a closed batch.
bool KeyIndex::EnterLate(const RecordRef& ref, std::span<const std::byte> record) {
  const bool missed = ref.position >= std::max(tail_.stretch().end, appended_from_);
  if (!tail_.Enter(ref, record)) return false;
  if (missed) ++entered_late_;
  return true;
}

/// A slice of the next batch, which is closed. False: it is not in memory any more.
bool KeyIndex::EnterClosed() {
  const uint64_t at = tail_.stretch().resume;
  const core::Slice head = log_.InMemory(at, kBatchHeaderBytes);
  if (head.empty()) return false;
  const absl::StatusOr<BatchHeader> header = ParseBatchHeader(head.bytes(), options_.log, at);
  const core::Slice bytes = header.ok() ? log_.InMemory(at, header->bytes) : core::Slice();
  if (bytes.empty()) return false;
  const BatchView batch(*header, bytes.bytes());
  if (tail_row_ == 0) tail_offset_ = kBatchHeaderBytes;
  for (size_t seen = 0; tail_row_ < header->record_count; ++seen, ++tail_row_) {
    const TableEntry row = batch.Entry(tail_row_);
    if (seen == kSliceRecords ||
        !EnterLate({at + tail_offset_, row.bytes, row.crc}, bytes.bytes().subspan(tail_offset_, row.bytes)))
      return true;
    tail_offset_ += row.bytes;
  }
  tail_row_ = 0;
  tail_.LookedAt(at + header->bytes);
  return true;
}

void KeyIndex::NoteAppended(const Batch& open, const MessageDraft& message, core::WallMillis store_time) {
  if (!options_.build) return;
  const uint64_t batch_before = std::exchange(noted_batch_, open.position);
  const uint32_t rows_before = std::exchange(noted_rows_, static_cast<uint32_t>(open.table.size()));
  // Who has it may be writing the table.
  const core::Semaphore::Hold turn = turn_.TryTake(1);
  if (!turn || tail_segment_ != open.segment->position) return;
  // The batch before it has just been closed, and all of it is known.
  if (noted_rows_ == 1 && tail_row_ > 0 && tail_row_ == rows_before && tail_.stretch().resume == batch_before) {
    tail_row_ = 0;
    tail_.LookedAt(open.position);
  }
  if (tail_.stretch().resume != open.position) return;
  if (tail_row_ + 1 < noted_rows_) return EnterOpen(open);
  if (tail_row_ + 1 > noted_rows_) return;
  if (tail_row_ == 0) tail_offset_ = kBatchHeaderBytes;
  const TableEntry& row = open.table.back();
  const std::span<const std::byte> record = open.room.bytes().subspan(tail_offset_, row.bytes);
  const size_t properties = message.properties.size() + message.more_properties.size();  // a record ends with them
  if (!tail_.Enter({open.position + tail_offset_, row.bytes, row.crc}, message.topic,
                   {reinterpret_cast<const char*>(record.data()) + row.bytes - properties, properties}, store_time))
    return;
  ++tail_row_;
  tail_offset_ += row.bytes;
}

/// What the open batch, which is next, has by now.
void KeyIndex::EnterOpen(const Batch& open) {
  if (tail_row_ == 0) tail_offset_ = kBatchHeaderBytes;
  for (; tail_row_ < open.table.size(); ++tail_row_) {
    const TableEntry& row = open.table[tail_row_];
    if (!tail_.Enter({open.position + tail_offset_, row.bytes, row.crc},
                     open.room.bytes().subspan(tail_offset_, row.bytes)))
      return;
    tail_offset_ += row.bytes;
  }
}

/// The next batch of the log, which has left the memory or was never in it.
core::Task<absl::Status> KeyIndex::EnterFromDisk(Segment& segment) {
  const uint64_t at = tail_.stretch().resume;
  if (reader_ == nullptr || at >= read_below_) {
    reader_ = std::make_unique<LogReader>();
    read_below_ = log_.written_end();
  }
  const uint64_t end = std::min(read_below_, &segment == &log_.active() ? segment.limit() : segment.end);
  if (at >= end) co_return absl::UnavailableError(core::StrCat("the log at ", at, " can't be read"));
  ++segment.pins;
  const std::optional<FoundBatch> found = co_await FindBatch(*reader_, segment, options_.log, at, end);
  bool whole = true;
  if (found.has_value()) {
    const std::span<const std::byte> bytes = co_await reader_->Read(segment, found->begin, found->header.bytes);
    BatchView(found->header, bytes)
        .ForEach(
            [&](const TableEntry& row, std::span<const std::byte> record, size_t offset) {
              whole = whole && EnterLate({found->begin + offset, row.bytes, row.crc}, record);
            },
            [](const TableEntry&) {});
  }
  segment.Unpin();
  if (reader_->UnreadableBytes(at, end) > 0) {
    // It may be readable another time: whoever fills holes tries again.
    JumpToEnd();
    co_return absl::OkStatus();
  }
  if (!whole) co_return absl::OkStatus();
  tail_row_ = 0;
  tail_.LookedAt(found.has_value() ? found->begin + found->header.bytes : end);
  co_return absl::OkStatus();
}

core::Task<absl::Status> KeyIndex::EndSegment(Segment& segment) {
  const uint64_t limit = segment.limit();
  if (tail_.stretch().begin < limit) {  // else the table was full just there
    tail_.LookedAt(limit);
    CO_RETURN_IF_ERROR(co_await WriteRun(tail_));
  }
  const Segment* const next = segments_.Find(limit);
  if (next == nullptr) {
    JumpToEnd();
    co_return absl::OkStatus();
  }
  tail_segment_ = next->position;
  tail_.Begin(next->position, next->data_begin());
  to_fill_.NotifyAll();  // the segment's runs may be merged now
  co_return absl::OkStatus();
}

core::Task<absl::Status> KeyIndex::SpillTail() {
  CO_RETURN_IF_ERROR(co_await WriteRun(tail_));
  tail_.Begin(tail_.stretch().end, tail_.stretch().resume);
  co_return absl::OkStatus();
}

/// What lies between is a hole.
void KeyIndex::JumpToEnd() {
  reader_.reset();
  tail_segment_ = log_.active().position;
  tail_row_ = 0;
  tail_.Begin(log_.batch_begin(), log_.batch_begin());
  to_fill_.NotifyAll();
}

}  // namespace store
