// The way of a batch from its last record to the disk, and what a flush makes of it.

#include <algorithm>
#include <utility>
#include <vector>

#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/commit_log.h"
#include "store/mutant.h"

namespace store {
namespace {

/// A second write goes out beside one under way only when it carries this much, a further one from this much times its rank on:
/// a busy device gets fewer and larger writes.
constexpr size_t kWorthWriting = size_t{32} << 10;

}  // namespace

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
  core::Reactor& reactor = core::Reactor::Current();
  const core::MonoTime begun = reactor.Clock();
  absl::Status status = co_await segment.log.WriteAt(batch.position - segment.position, batch.room.bytes(), durable);
  reactor.stages().Record(core::Stage::kWrite, begun, reactor.Clock());
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
      const core::MonoTime begun = core::Reactor::Current().Clock();
      const absl::Status synced = co_await segment->log.Sync();
      core::Reactor::Current().stages().Record(core::Stage::kFlush, begun, core::Reactor::Current().Clock());
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

}  // namespace store
