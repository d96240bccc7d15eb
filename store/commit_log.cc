#include "store/commit_log.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/mutant.h"
#include "store/record.h"

namespace store {
namespace {

constexpr size_t kChunkBytes = kBatchBytesMax;
/// A batch is not begun in less: what is left of a chunk then is given up.
constexpr size_t kChunkRestMin = size_t{64} << 10;
constexpr absl::Duration kLateAfter = absl::Seconds(5);
constexpr absl::Duration kWatchInterval = absl::Milliseconds(500);
constexpr absl::Duration kPrepareRetry = absl::Milliseconds(500);
/// A second write goes out beside one under way only when it carries this much, a further one from this much times its rank on:
/// a busy device gets fewer and larger writes.
constexpr size_t kWorthWriting = size_t{32} << 10;
/// Small steps back of the wall clock do not show in store times; larger ones do.
constexpr core::WallMillis kClockStepBackMax = 60'000;

}  // namespace

CommitLog::CommitLog(const StoreOptions& options, LogIdentity identity, SegmentList& segments, LogTail tail, MarkFile mark_file,
                     AppendBuffer::Ref append)
    : options_(options),
      identity_(identity),
      segments_(segments),
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
  if (append_ != nullptr) scope_.Spawn(append_->PrepareChunks());
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

core::Semaphore::Hold CommitLog::TryAdmit(uint64_t bytes, uint64_t records) {
  if (blocked_ > 0 || !Refused().ok() || stopping_ || !Fits(bytes, records)) return {};
  if (BatchBytes(bytes, records) > options_.segment_bytes - kBlock || bytes > kAppendBytesMax) return {};
  return budget_.TryTake(bytes);
}

core::Task<absl::StatusOr<core::Semaphore::Hold>> CommitLog::Admit(uint64_t bytes, uint64_t records) {
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
  absl::Status refused = Refused();
  if (refused.ok()) {
    if (turn) hold = co_await budget_.Take(bytes, deadline);
    refused = Refused();
    if (refused.ok() && !hold) refused = too_long;
  }
  while (refused.ok() && !stopping_ && !Fits(bytes, records)) {
    prepare_wanted_ = true;
    prepare_.NotifyAll();
    if (!prepare_failure_.ok()) {
      refused = prepare_failure_;
      break;
    }
    const core::WaitResult waited = co_await room_.Wait(deadline);
    refused = Refused();
    if (refused.ok() && waited == core::WaitResult::kTimeout) refused = too_long;
  }
  --blocked_;
  if (refused.ok() && stopping_) refused = absl::UnavailableError("the log is closing");
  if (!refused.ok()) co_return refused;
  co_return hold;
}

// --- Filling the open batch.

Batch& CommitLog::Open(uint64_t bytes, uint64_t records) {
  if (open_ != nullptr) {
    const uint64_t grown = BatchBytes(open_->payload_bytes + bytes, open_->table.size() + records);
    const bool rows_fit = !open_->kept || open_->table.size() + records <= kAppendRowsMax;
    if (rows_fit && grown <= open_->room.size() && grown <= kBatchBytesMax && open_->position + grown <= active_->limit()) return *open_;
    CloseOpen();
  }
  if (next_position_ + BatchBytes(bytes, records) > active_->limit()) Roll();
  return NewBatch(bytes, records);
}

Batch& CommitLog::NewBatch(uint64_t bytes, uint64_t records) {
  if (free_batches_.empty()) {
    batches_.push_back(std::make_unique<Batch>());
    free_batches_.push_back(batches_.back().get());
  }
  Batch& batch = *free_batches_.back();
  free_batches_.pop_back();
  const uint64_t need = BatchBytes(bytes, records);
  const bool too_little = chunk_.size() < std::max<uint64_t>(need, kChunkRestMin);
  if (append_ != nullptr && (too_little || !chunk_is_kept_) && need <= append_->chunk_bytes()) {
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
  ++messages_appended_;
  bytes_appended_ += bytes;
  return crc;
}

bool CommitLog::Settle(Batch& batch, Queue& queue, bool synced) {
  if ((synced || UnflushedAge(batch) > kUnflushedAgeMax) && options_.durability != Durability::kSynced) {
    batch.needs_flush = true;
    Hold(batch);
  }
  if (batch.kept && !append_->Publish(batch.table.size())) Hold(batch);
  if (!batch.kept) return false;
  queue.visible = queue.next;
  if (queue.waiting > 0) {
    fresh_.push_back(&queue);
    announce_.NotifyAll();
  }
  if (batch.bytes() >= kKeptWriteBytes) work_.NotifyAll();
  return true;
}

absl::Duration CommitLog::UnflushedAge(const Batch& newest) const {
  return core::Reactor::Current().now() - (unflushed_.empty() ? newest.opened : unflushed_.front().opened);
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
  ++batch.waiting;
  work_.NotifyAll();
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
  if (WantsNextSegment()) prepare_.NotifyAll();
}

bool CommitLog::WantsNextSegment() const {
  return prepared_ == nullptr && (prepare_wanted_ || append_end() - active_->position > active_->bytes / 2);
}

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

// --- Writing.

bool CommitLog::WorthWriting() const {
  if (unwritten_ >= kWritesInFlightMax) return false;
  if (open_->kept && (open_->bytes() >= kKeptWriteBytes || core::Reactor::Current().now() >= open_->due)) return true;
  const bool awaited = !open_->kept || flush_wanted_ > open_->position;
  return awaited && open_->bytes() >= unwritten_ * kWorthWriting;
}

core::Slice CommitLog::InMemory(uint64_t position, size_t length) const {
  if (open_ == nullptr || position < open_->position) return tail_cache_.Find(position, length);
  const uint64_t offset = position - open_->position;
  const uint64_t filled = kBatchHeaderBytes + open_->payload_bytes;
  if (offset >= filled || length > filled - offset) return {};
  return open_->room.Sub(offset, length);
}

core::Task<void> CommitLog::WriteLoop() {
  for (;;) {
    while (open_ == nullptr && closed_.empty()) {
      if (stopping_) co_return;
      (void)co_await work_.Wait();
    }
    co_await core::EndOfTick();  // whatever else arrives in this tick joins the batch
    while (!closed_.empty() && unwritten_ < kWritesInFlightMax) {
      Batch& batch = *closed_.front();
      closed_.pop_front();
      Submit(batch);
    }
    if (closed_.empty() && open_ != nullptr && WorthWriting()) {
      CloseOpen();
      Batch& batch = *closed_.front();
      closed_.pop_front();
      Submit(batch);
    }
    // What is left waits for a write to end or for more to arrive, which call work_, or for its time.
    if (open_ != nullptr || !closed_.empty()) {
      const bool timed = closed_.empty() && open_->kept && unwritten_ < kWritesInFlightMax;
      (void)co_await work_.Wait(timed ? open_->due : core::MonoTime::Max());
    }
  }
}

void CommitLog::Submit(Batch& batch) {
  flights_.push_back(&batch);
  ++unwritten_;
  ++writes_;
  ++batch.waiting;  // WriteOne's own hold
  scope_.Spawn(WriteOne(batch));
}

core::Task<void> CommitLog::WriteOne(Batch& batch) {
  Segment& segment = *batch.segment;
  const bool durable = options_.durability == Durability::kSynced && kMutant != Mutant::kAckBeforeFlush;
  absl::Status status = co_await segment.log.WriteAt(batch.position - segment.position, batch.room.bytes(), durable);
  --unwritten_;
  if (status.ok() || kMutant == Mutant::kIgnoreFlushErrors) {
    batch.written = true;
    if (!durable) segment.needs_sync = true;
    if (failure_.ok()) Advance();
  } else {
    Fence(status);
  }
  if (--batch.waiting == 0 && batch.finished) Recycle(batch);
  work_.NotifyAll();
}

void CommitLog::Advance() {
  while (written_flights_ < flights_.size() && flights_[written_flights_]->written) {
    written_end_ = flights_[written_flights_]->end();
    ++written_flights_;
  }
  if (options_.durability == Durability::kSynced && durable_end_ != written_end_) {
    durable_end_ = written_end_;
    flushed_.NotifyAll();
  }
  while (!unflushed_.empty() && unflushed_.front().end <= durable_end_) unflushed_.pop_front();
  while (written_flights_ > 0) {
    Batch& batch = *flights_.front();
    if (batch.needs_flush && durable_end_ < batch.end()) break;
    flights_.pop_front();
    --written_flights_;
    Finish(batch, absl::OkStatus());
  }
  const size_t unwritten_bytes = budget_.capacity() - budget_.available();
  // Half of the append buffer at most is kept for readers: the other half takes what arrives. Nothing, when readers hold on to the rest.
  const size_t tail_bytes = append_ == nullptr ? options_.append_buffer_bytes : append_->scarce() ? 0 : append_->bytes() / 2;
  tail_cache_.Trim(tail_bytes - std::min(tail_bytes, unwritten_bytes), written_end_);
  if (written_end_ > durable_end_ || recorded_mark_ < durable_end_) dirty_.NotifyAll();
  if (flush_wanted_ > durable_end_ || written_end_ - durable_end_ >= kUnflushedBytesMax) flush_now_.NotifyAll();
}

void CommitLog::Finish(Batch& batch, absl::Status status) {
  if (status.ok()) {
    for (const Batch::Touched& touched : batch.touched) {
      if (touched.queue->dropped || touched.visible <= touched.queue->visible) continue;
      touched.queue->visible = touched.visible;
      touched.queue->changed.NotifyAll();
    }
  }
  if (!batch.kept) --held_;
  batch.status = std::move(status);
  batch.finished = true;
  batch.done.NotifyAll();
  if (batch.waiting == 0) Recycle(batch);
}

void CommitLog::Recycle(Batch& batch) {
  constexpr size_t kTableKept = 16384;
  if (batch.table.capacity() > kTableKept) batch.table = {};
  if (batch.touched.capacity() > kTableKept) batch.touched = {};
  batch.table.clear();
  batch.touched.clear();
  batch.room = {};
  batch.segment = nullptr;
  batch.payload_bytes = 0;
  batch.kept = batch.needs_flush = batch.written = batch.finished = batch.late = false;
  batch.status = absl::OkStatus();
  free_batches_.push_back(&batch);
}

void CommitLog::Fence(const absl::Status& why) {
  if (!failure_.ok()) return;
  failure_ = absl::UnavailableError(core::StrCat("log ", identity_.log_number, " takes no more messages: ", core::ToStd(why.message())));
  core::LogError("log ", identity_.log_number, " is fenced after a failed write or flush: ", why.ToString());
  const absl::Status unsure = absl::DeadlineExceededError(core::StrCat("the message could not be stored durably: ", core::ToStd(why.message())));
  // What is visible stays readable: from here on from memory only.
  if (open_ != nullptr) CloseOpen();
  std::vector<Batch*> lost(flights_.begin(), flights_.end());
  lost.insert(lost.end(), closed_.begin(), closed_.end());
  flights_.clear();
  closed_.clear();
  written_flights_ = 0;
  for (Batch* batch : lost) Finish(*batch, unsure);
  room_.NotifyAll();
  dirty_.NotifyAll();
  flush_now_.NotifyAll();
  flushed_.NotifyAll();
  work_.NotifyAll();
}

void CommitLog::SetRefusal(absl::Status refusal) {
  refusal_ = std::move(refusal);
  room_.NotifyAll();
}

// --- Flushing.

core::Task<void> CommitLog::FlushLoop() {
  for (;;) {
    while (failure_.ok() && written_end_ == durable_end_ && recorded_mark_ == durable_end_) {
      if (stopping_ && open_ == nullptr && closed_.empty() && flights_.empty()) co_return;
      (void)co_await dirty_.Wait();
    }
    if (!failure_.ok()) co_return;
    const bool wanted = flush_wanted_ > durable_end_ || written_end_ - durable_end_ >= kUnflushedBytesMax;
    const bool urgent = (wanted && written_end_ > durable_end_) || (stopping_ && idle());
    if (!urgent) (void)co_await flush_now_.Wait(core::Reactor::Current().now() + options_.flush_interval);
    if (!failure_.ok()) co_return;
    const absl::Status status = co_await FlushOnce();
    if (!status.ok()) {
      Fence(status);
      co_return;
    }
  }
}

core::Task<absl::Status> CommitLog::FlushOnce() {
  const uint64_t target = written_end_;
  if (target > durable_end_) {
    std::vector<Segment*> dirty;
    for (size_t i = segments_.size(); i-- > 0 && segments_.at(i).limit() > durable_end_;) {
      if (segments_.at(i).needs_sync) dirty.push_back(&segments_.at(i));
    }
    for (Segment* segment : dirty) {
      segment->needs_sync = false;  // a write that ends from now on sets it again
      const absl::Status synced = co_await segment->log.Sync();
      if (!synced.ok() && kMutant != Mutant::kIgnoreFlushErrors) co_return synced;
    }
    ++flushes_;
    if (!failure_.ok()) co_return absl::OkStatus();
    durable_end_ = std::max(durable_end_, target);
    flushed_.NotifyAll();
    Advance();
  }
  // While batches go on to be written they carry the mark themselves; once in each segment it is recorded too, to tell that its file is missing.
  if (recorded_mark_ != durable_end_ && (idle() || recorded_mark_ <= active_->position)) {
    const uint64_t mark = durable_end_;
    CO_RETURN_IF_ERROR(co_await mark_file_.Record(mark));
    recorded_mark_ = mark;
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> CommitLog::FlushTo(uint64_t position) {
  flush_wanted_ = std::max(flush_wanted_, position);
  while (durable_end_ < position && failure_.ok()) {
    work_.NotifyAll();
    dirty_.NotifyAll();
    flush_now_.NotifyAll();
    (void)co_await flushed_.Wait();
  }
  co_return durable_end_ >= position ? absl::OkStatus() : failure_;
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
    absl::StatusOr<std::unique_ptr<Segment>> made =
        co_await CreateSegment(options_.directory, identity_, active_->limit(), options_.segment_bytes);
    if (made.ok()) {
      prepared_ = std::move(made).value();
      prepare_failure_ = absl::OkStatus();
      room_.NotifyAll();
      continue;
    }
    if (prepare_failure_.ok()) core::LogError("log ", identity_.log_number, ": no next segment: ", made.status().ToString());
    prepare_failure_ = absl::IsResourceExhausted(made.status()) ? made.status() : absl::UnavailableError(made.status().message());
    room_.NotifyAll();
    core::Sleep retry(kPrepareRetry, scope_.stop_token());
    (void)co_await retry;
  }
}

core::Task<absl::Status> CommitLog::Stop() {
  absl::Status status = co_await FlushTo(append_end());
  stopping_ = true;
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
