#include "store/commit_log.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/record.h"

namespace store {
namespace {

constexpr size_t kChunkBytes = kBatchBytesMax;
/// A batch is not begun in less: what is left of a chunk then is given up.
constexpr size_t kChunkRestMin = size_t{64} << 10;
constexpr absl::Duration kLateAfter = absl::Seconds(5);
constexpr absl::Duration kWatchInterval = absl::Milliseconds(500);
constexpr absl::Duration kSegmentRetry = absl::Milliseconds(500);
/// A log that has got so much in a segment will need the next one: where writing its blocks takes as long as filling this one, it begins then.
constexpr uint64_t kInUseBytes = uint64_t{256} << 10;
/// Small steps back of the wall clock do not show in store times; larger ones do.
constexpr core::WallMillis kClockStepBackMax = 60'000;

/// Asks for the memory into which the next record will be copied: chunks are used in turn and long out of the cache then, and a processor that has to fetch
/// each line that it overwrites waits with a full store buffer. The next record is taken to be as long as this one.
void PrepareToStore(const std::byte* at, size_t bytes) {
  constexpr size_t kBytesMax = 2048;
  constexpr size_t kLine = 64;
  for (size_t i = 0; i < std::min(bytes, kBytesMax); i += kLine) __builtin_prefetch(at + i, 1, 3);
}

}  // namespace

CommitLog::CommitLog(const StoreOptions& options, LogIdentity identity, SegmentList& segments, SpareSegments& spares, LogTail tail,
                     MarkFile mark_file, AppendBuffer::Ref append)
    : options_(options),
      identity_(identity),
      segments_(segments),
      spares_(spares),
      active_(&segments.back()),
      budget_(std::max(options.append_buffer_bytes / 2, size_t{1} << 20)),
      next_position_(tail.position),
      previous_crc_(tail.previous_crc),
      epoch_(tail.epoch),
      records_(tail.records),
      last_store_time_(tail.last_store_time),
      append_(std::move(append)),
      written_end_(tail.position),
      durable_end_(tail.position),
      mark_file_(std::move(mark_file)),
      recorded_mark_(mark_file_.mark()) {
  CORE_ASSERT(active_->position < tail.position && tail.position <= active_->limit());
}

CommitLog::~CommitLog() = default;

void CommitLog::Start() {
  if (append_ != nullptr) {
    scope_.Spawn(append_->PrepareChunks());
    scope_.Spawn(append_->KeepPresent());
  }
  scope_.Spawn(AnnounceLoop());
  scope_.Spawn(WriteLoop());
  scope_.Spawn(FlushLoop());
  scope_.Spawn(WatchLoop());
  scope_.Spawn(PrepareLoop());
}

// --- Admission.

bool CommitLog::Fits(uint64_t bytes, uint64_t records) const {
  return append_end() + BatchBytes(bytes, records) <= active_->limit() || prepared_ != nullptr;
}

core::Semaphore::Hold CommitLog::TryAdmit(uint64_t bytes, uint64_t records, Admission admission) {
  if (blocked_ > 0 || !Refused(admission).ok() || stopping_ || !Fits(bytes, records)) return {};
  if (BatchBytes(bytes, records) > options_.segment_bytes - kBlock || bytes > kAppendBytesMax) return {};
  return budget_.TryTake(bytes);
}

core::Task<absl::StatusOr<core::Semaphore::Hold>> CommitLog::Admit(uint64_t bytes, uint64_t records, Admission admission) {
  if (BatchBytes(bytes, records) > options_.segment_bytes - kBlock || bytes > kAppendBytesMax) {
    co_return absl::InvalidArgumentError(absl::StrCat("one append of ", bytes, " bytes is too large for this log"));
  }
  // One at a time from here on, in call order; TryAdmit gives way to whoever waits.
  ++blocked_;
  // Whoever sent it has given up by then: stored later, it would only be there twice.
  const core::MonoTime deadline = core::Reactor::Current().now() + kLateAfter;
  const absl::Status too_long = absl::AbortedError("the disk is too slow: the message waited 5 s to be stored and was not");
  core::Semaphore::Hold turn = co_await turn_.Take(1, deadline);
  core::Semaphore::Hold hold;
  absl::Status refused = Refused(admission);
  if (refused.ok()) {
    if (turn) hold = co_await budget_.Take(bytes, deadline);
    refused = Refused(admission);
    if (refused.ok() && !hold) refused = too_long;
  }
  while (refused.ok() && !stopping_ && !Fits(bytes, records)) {
    HurryNextSegment();
    if (!prepare_failure_.ok()) {
      refused = prepare_failure_;
      break;
    }
    const core::WaitResult waited = co_await room_.Wait(deadline);
    refused = Refused(admission);
    if (refused.ok() && waited == core::WaitResult::kTimeout) refused = too_long;
  }
  --blocked_;
  if (refused.ok() && stopping_) refused = absl::UnavailableError("the log is closing");
  if (!refused.ok()) co_return refused;
  co_return hold;
}

// --- Filling the open batch.

Batch& CommitLog::Open(uint64_t bytes, uint64_t records) {
  const bool slow = DiskIsSlow();
  Batch& batch = FindRoom(bytes, records, slow);
  CORE_DEBUG_ASSERT(!slow || !batch.kept);
  if (slow && options_.durability != Durability::kSynced) batch.needs_flush = true;
  return batch;
}

Batch& CommitLog::FindRoom(uint64_t bytes, uint64_t records, bool slow) {
  if (open_ != nullptr) {
    const uint64_t grown = BatchBytes(open_->payload_bytes + bytes, open_->table.size() + records);
    const bool rows_fit = !open_->kept || open_->table.size() + records <= kAppendRowsMax;
    const bool may_block = chunk_is_kept_ && slow;
    if (!may_block && rows_fit && grown <= open_->room.size() && grown <= kBatchBytesMax && open_->position + grown <= active_->limit()) return *open_;
    CloseOpen();
  }
  if (next_position_ + BatchBytes(bytes, records) > active_->limit() || LeavesReservedBlocks()) Roll();
  return NewBatch(bytes, records, slow);
}

Batch& CommitLog::NewBatch(uint64_t bytes, uint64_t records, bool slow) {
  if (free_batches_.empty()) {
    batches_.push_back(std::make_unique<Batch>());
    free_batches_.push_back(batches_.back().get());
  }
  Batch& batch = *free_batches_.back();
  free_batches_.pop_back();
  const uint64_t need = BatchBytes(bytes, records);
  if (chunk_is_kept_ && slow) chunk_ = {};
  const bool too_little = chunk_.size() < std::max<uint64_t>(need, kChunkRestMin);
  if (append_ != nullptr && !slow && (too_little || !chunk_is_kept_) && need <= append_->chunk_bytes()) {
    if (core::Slice chunk = append_->TakeChunk(); !chunk.empty()) {
      chunk_ = std::move(chunk);
      chunk_is_kept_ = true;
    }
  }
  if (chunk_.size() < need || (too_little && !chunk_is_kept_)) {
    chunk_ = core::Reactor::Current().buffers().Allocate(std::max<uint64_t>(need, kChunkBytes));
    chunk_is_kept_ = false;
  }
  batch.number = ++batch_number_;
  batch.opened = core::Reactor::Current().now();
  batch.segment = active_;
  batch.position = next_position_;
  batch.room = chunk_;
  batch.kept = chunk_is_kept_ && held_ == 0 && records <= kAppendRowsMax && append_->attached();
  if (batch.kept) {
    batch.due = batch.opened + kKeptWriteDelay;
    append_->Begin({batch.position, previous_crc_, records_}, batch.room.data());
  } else {
    ++held_;
  }
  open_ = &batch;
  work_.NotifyAll();
  watch_.NotifyAll();
  return batch;
}

core::WallMillis CommitLog::StoreTime() {
  const core::WallMillis now = core::Reactor::Current().wall_now();
  if (now >= last_store_time_ || last_store_time_ - now > kClockStepBackMax) last_store_time_ = now;
  return last_store_time_;
}

uint32_t CommitLog::Add(Batch& batch, Queue& queue, uint32_t bytes, int64_t queue_offset, int64_t tags_code, core::WallMillis store_time) {
  const uint32_t crc = Crc32c({PlaceIn(batch), bytes});
  batch.payload_bytes += bytes;
  if (batch.table.empty()) batch.first_store_time = store_time;
  batch.last_store_time = store_time;
  // Field by field: a load of a row that was just stored in other pieces waits until the record before it has left the store buffer.
  TableEntry& row = batch.table.emplace_back();
  row.bytes = bytes;
  row.crc = crc;
  row.queue_hash = queue.hash;
  row.queue_offset = queue_offset;
  row.tags_code = tags_code;
  if (batch.kept) append_->SetRow(batch.table.size() - 1, row);
  if (queue.touched_by != batch.number) {
    queue.touched_by = batch.number;
    queue.touched_slot = static_cast<uint32_t>(batch.touched.size());
    batch.touched.push_back({&queue, 0});
  }
  batch.touched[queue.touched_slot].visible = queue_offset + 1;
  batch.segment->NoteTime(store_time);
  PrepareToStore(PlaceIn(batch), bytes);
  ++messages_appended_;
  bytes_appended_ += bytes;
  return crc;
}

bool CommitLog::Settle(Batch& batch, Queue& queue, bool synced) {
  if (synced && options_.durability != Durability::kSynced) {
    batch.needs_flush = true;
    Hold(batch);
  }
  if (batch.kept && !append_->Publish(batch.table.size())) Hold(batch);
  if (!batch.kept) {
    ++batch.waiting;
    work_.NotifyAll();
    return false;
  }
  queue.visible = queue.next;
  if (queue.waiting > 0) {
    fresh_.push_back(&queue);
    announce_.NotifyAll();
  }
  if (batch.bytes() >= kKeptWriteBytes) work_.NotifyAll();
  return true;
}

/// A record is older without a flush than ASYNC_FLUSH may lose. Then whoever appends waits for the flush, and not in the append buffer: a store there
/// could wait as well, with all of the shard, as one to a page that the kernel has written back in the meantime is a page fault, which goes
/// through the file system's journal.
bool CommitLog::DiskIsSlow() const {
  if (unflushed_.empty() && open_ == nullptr) return false;
  const core::MonoTime oldest = unflushed_.empty() ? open_->opened : unflushed_.front().opened;
  return core::Reactor::Current().now() - oldest > kUnflushedAgeMax;
}

/// From here on its records, and all behind them, are acknowledged when it is finished.
void CommitLog::Hold(Batch& batch) {
  if (!batch.kept) return;
  batch.kept = false;
  ++held_;
}

/// Tells waiters once a tick, so that they find all that came in it.
core::Task<void> CommitLog::AnnounceLoop() {
  while (!stopping_) {
    if (fresh_.empty()) {
      (void)co_await announce_.Wait();
      continue;
    }
    co_await core::EndOfTick();
    for (Queue* queue : fresh_) queue->changed.NotifyAll();
    fresh_.clear();
  }
  for (Queue* queue : fresh_) queue->changed.NotifyAll();
  fresh_.clear();
}

core::Task<absl::Status> CommitLog::Acknowledged(Batch& batch) {
  while (!batch.finished && !batch.late) (void)co_await batch.done.Wait();
  absl::Status status = batch.finished ? batch.status : absl::DeadlineExceededError("the disk took more than 5 s to store the message");
  if (--batch.waiting == 0 && batch.finished) Recycle(batch);
  co_return status;
}

void CommitLog::CloseOpen() {
  Batch& batch = *std::exchange(open_, nullptr);
  const uint64_t bytes = batch.bytes();
  batch.room = batch.room.Sub(0, bytes);
  chunk_.RemovePrefix(bytes);
  if (chunk_.empty()) chunk_ = {};
  BatchHeader header{.previous_crc = previous_crc_,
                     .epoch = epoch_,
                     .position = batch.position,
                     .payload_bytes = static_cast<uint32_t>(batch.payload_bytes),
                     .mark = durable_end_,
                     .first_store_time = batch.first_store_time,
                     .last_store_time = batch.last_store_time,
                     .records_before = records_};
  EncodeBatch(identity_, header, batch.table, {batch.room.data(), batch.room.size()});
  previous_crc_ = header.crc;
  records_ += batch.table.size();
  next_position_ = batch.end();
  if (batch.needs_flush) flush_wanted_ = std::max(flush_wanted_, batch.end());
  unflushed_.push_back({batch.end(), batch.opened});
  tail_cache_.Add(batch.position, batch.room);
  closed_.push_back(&batch);
  batch_closed_.NotifyAll();
  if (WantsNextSegment()) prepare_.NotifyAll();
}

bool CommitLog::WantsNextSegment() const {
  const uint64_t used = append_end() - active_->position;
  return prepared_ == nullptr &&
         (prepare_wanted_ || used > (synced() ? std::min(kInUseBytes, active_->bytes / 2) : active_->bytes / 2));
}

void CommitLog::HurryNextSegment() {
  prepare_wanted_ = true;
  if (hurry_ != nullptr) hurry_->RequestStop();
  prepare_.NotifyAll();
}

/// A log's first segment is only reserved, so that the store is open at once. One that flushes each write leaves it early.
bool CommitLog::LeavesReservedBlocks() const { return synced() && active_->reserved_only && prepared_ != nullptr; }

void CommitLog::Roll() {
  CORE_ASSERT(prepared_ != nullptr && open_ == nullptr);
  active_->end = next_position_;
  active_->last_crc = previous_crc_;
  active_->last_epoch = epoch_;
  active_->records_end = records_;
  segments_.PushBack(std::move(prepared_));
  active_ = &segments_.back();
  next_position_ = active_->data_begin();
  prepare_wanted_ = false;
  rolled_.NotifyAll();
}

// --- Beside it all.

/// False when it is younger than that, as are all behind it.
bool CommitLog::NoteLate(Batch& batch) {
  if (batch.opened > core::Reactor::Current().now() - kLateAfter) return false;
  if (!std::exchange(batch.late, true)) batch.done.NotifyAll();
  return true;
}

core::Task<void> CommitLog::WatchLoop() {
  while (!stopping_) {
    if (open_ == nullptr && closed_.empty() && flights_.empty()) {
      (void)co_await watch_.Wait();
      continue;
    }
    core::Sleep pause(kWatchInterval, scope_.stop_token());
    (void)co_await pause;
    bool late = true;
    for (Batch* batch : flights_) late = late && NoteLate(*batch);
    for (Batch* batch : closed_) late = late && NoteLate(*batch);
    if (late && open_ != nullptr) NoteLate(*open_);
  }
}

core::Task<void> CommitLog::PrepareLoop() {
  while (!stopping_) {
    if (!WantsNextSegment()) {
      (void)co_await prepare_.Wait();
      continue;
    }
    core::StopSource hurry;
    hurry_ = &hurry;
    if (prepare_wanted_) hurry.RequestStop();
    absl::StatusOr<std::unique_ptr<Segment>> made = co_await spares_.NewSegment(
        identity_, active_->limit(), synced() ? SegmentBlocks::kWritten : SegmentBlocks::kReserved, hurry.token());
    hurry_ = nullptr;
    if (made.ok()) {
      prepared_ = std::move(made).value();
      prepare_failure_ = absl::OkStatus();
      room_.NotifyAll();
      continue;
    }
    if (prepare_failure_.ok()) core::LogError("log ", identity_.log_number, ": no next segment: ", made.status().ToString());
    prepare_failure_ = absl::IsResourceExhausted(made.status()) ? made.status() : absl::UnavailableError(made.status().message());
    room_.NotifyAll();
    core::Sleep retry(kSegmentRetry, scope_.stop_token());
    (void)co_await retry;
  }
}

core::Task<absl::Status> CommitLog::Stop() {
  absl::Status status = co_await FlushTo(append_end());
  stopping_ = true;
  if (hurry_ != nullptr) hurry_->RequestStop();
  scope_.RequestStop();
  if (append_ != nullptr) append_->Stop();
  announce_.NotifyAll();
  work_.NotifyAll();
  dirty_.NotifyAll();
  flush_now_.NotifyAll();
  watch_.NotifyAll();
  prepare_.NotifyAll();
  room_.NotifyAll();
  co_await scope_.Join();
  if (status.ok() && failure_.ok()) {
    status = co_await mark_file_.RecordClosed(durable_end_);
    // The log has everything: nothing to take over at the next start.
    if (status.ok() && append_ != nullptr) status = co_await core::fs::Remove(AppendBufferPath(options_.directory));
  }
  const absl::Status closed = co_await mark_file_.Close();
  if (status.ok()) status = closed;
  if (prepared_ != nullptr) {
    const absl::Status prepared_closed = co_await prepared_->log.Close();
    if (status.ok()) status = prepared_closed;
  }
  co_return status;
}

}  // namespace store
