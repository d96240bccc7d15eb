#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/append_buffer.h"
#include "store/batch.h"
#include "store/log_options.h"
#include "store/mark_file.h"
#include "store/queue.h"
#include "store/segment.h"
#include "store/shard_store.h"
#include "store/spare_segments.h"
#include "store/tail_cache.h"

namespace store {

/// A batch from its first record until it is written and its promise holds.
struct Batch {
  uint64_t number = 0;  // counts batches of this run
  Segment* segment = nullptr;
  uint64_t position = 0;
  core::Slice room;  // from the batch's first byte to the end of its chunk; cut to its size when closed
  size_t payload_bytes = 0;
  std::vector<TableEntry> table;
  core::WallMillis first_store_time = 0;
  core::WallMillis last_store_time = 0;
  /// The promise to its records holds from Settle on: they lie in the append buffer, and all of the log before them is written or lies there.
  bool kept = false;
  core::MonoTime due;        // kept: to be written by then
  bool needs_flush = false;  // holds a message whose promise is power loss, in a log that is not flushed at each write
  bool written = false;
  core::MonoTime opened;

  /// The queues with messages in here, and what becomes visible with them.
  struct Touched {
    Queue* queue;
    int64_t visible;
  };
  std::vector<Touched> touched;

  core::Notifier done;
  uint32_t waiting = 0;
  bool finished = false;
  bool late = false;  // not finished after 5 s; whoever waits is told so
  absl::Status status;

  uint64_t bytes() const { return BatchBytes(payload_bytes, table.size()); }
  uint64_t end() const { return position + room.size(); }  // once closed
};

/// Where recovery left off: what the first batch of this run continues.
struct LogTail {
  uint64_t position = 0;  // of the next batch; within the last segment
  uint32_t previous_crc = 0;
  uint32_t epoch = 1;
  uint64_t records = 0;
  core::WallMillis last_store_time = 0;
};

/// The writing side of one log: batches are filled by appends and written in order; what is not kept by the append buffer is written at the end
/// of the tick and acknowledged, in order, when it is. One shard.
class CommitLog {
 public:
  /// `segments` has at least the one that `tail` lies in. `queues` outlive the log. `append` may be null: then what is appended is acknowledged
  /// once it is written.
  CommitLog(const StoreOptions& options, LogIdentity identity, SegmentList& segments, SpareSegments& spares, LogTail tail,
            MarkFile mark_file, AppendBuffer::Ref append);
  ~CommitLog();

  void Start();
  /// Waits until all is written and flushed, then ends the tasks.
  core::Task<absl::Status> Stop();

  /// Room for `bytes` of records, held until the append returns. Waits in call order; an error says why nothing can be appended. kAborted: there
  /// was no room for 5 s.
  core::Task<absl::StatusOr<core::Semaphore::Hold>> Admit(uint64_t bytes, uint64_t records, Admission admission = Admission::kOrdinary);
  /// The same at once; empty when it must wait or fail (Admit says which).
  core::Semaphore::Hold TryAdmit(uint64_t bytes, uint64_t records, Admission admission = Admission::kOrdinary);

  /// The batch that takes `bytes` of records of an admitted append. No suspension between this and the last Add.
  Batch& Open(uint64_t bytes, uint64_t records);
  core::WallMillis StoreTime();
  uint64_t PositionIn(const Batch& batch) const { return batch.position + kBatchHeaderBytes + batch.payload_bytes; }
  std::byte* PlaceIn(const Batch& batch) const { return batch.room.data() + kBatchHeaderBytes + batch.payload_bytes; }
  /// Enters the record that was written to PlaceIn. Returns its CRC32C.
  uint32_t Add(Batch& batch, Queue& queue, uint32_t bytes, int64_t queue_offset, int64_t tags_code, core::WallMillis store_time);
  /// Ends an append: what was added to `queue` counts as a whole. True: the promise to it holds already and readers see it; otherwise
  /// Acknowledged must be called, once, at any time.
  bool Settle(Batch& batch, Queue& queue, bool synced);
  /// Waits for the promise to what Settle left open; then the batch may be gone.
  core::Task<absl::Status> Acknowledged(Batch& batch);

  /// No more appends: `why` is told to those who come.
  void Fence(const absl::Status& why);
  const absl::Status& failure() const { return failure_; }
  /// Refuses appends while not OK (disk nearly full).
  void SetRefusal(absl::Status refusal);
  const absl::Status& refusal() const { return refusal_; }

  /// [position, position + length) if it is still in memory, else empty.
  core::Slice InMemory(uint64_t position, size_t length) const;
  const LogIdentity& identity() const { return identity_; }
  uint64_t append_end() const { return open_ != nullptr ? open_->position + open_->bytes() : next_position_; }
  /// A batch begins here: the open one, or the next.
  uint64_t batch_begin() const { return open_ != nullptr ? open_->position : next_position_; }
  /// All records so far lie below, all to come at or above.
  uint64_t next_record() const { return open_ != nullptr ? PositionIn(*open_) : next_position_; }
  uint64_t written_end() const { return written_end_; }
  uint64_t durable_end() const { return durable_end_; }
  Segment& active() const { return *active_; }
  bool idle() const { return open_ == nullptr && closed_.empty() && flights_.empty() && fresh_.empty(); }
  uint64_t messages_appended() const { return messages_appended_; }
  uint64_t bytes_appended() const { return bytes_appended_; }
  uint64_t writes() const { return writes_; }
  uint64_t flushes() const { return flushes_; }
  /// A segment was left behind: its last batch is closed. Woken when that changes.
  core::Notifier& rolled() { return rolled_; }
  /// Woken when a batch is closed: from then on it lies whole in memory, until it is written and its memory is needed.
  core::Notifier& batch_closed() { return batch_closed_; }
  /// The one that is being filled, or null: good until the next suspension.
  const Batch* open_batch() const { return open_; }
  /// Waits until everything below `position` is on stable storage.
  core::Task<absl::Status> FlushTo(uint64_t position);

 private:
  bool Fits(uint64_t bytes, uint64_t records) const;
  /// Why nothing can be appended at all; OK when it can.
  absl::Status Refused(Admission admission) const {
    return failure_.ok() && admission == Admission::kOrdinary ? refusal_ : failure_;
  }
  bool WantsNextSegment() const;
  /// Somebody waits for it.
  void HurryNextSegment();
  bool LeavesReservedBlocks() const;
  bool synced() const { return options_.durability == Durability::kSynced; }
  void CloseOpen();
  void Roll();
  Batch& FindRoom(uint64_t bytes, uint64_t records, bool slow);
  Batch& NewBatch(uint64_t bytes, uint64_t records, bool slow);
  void Recycle(Batch& batch);
  void Submit(Batch& batch);
  void Finish(Batch& batch, absl::Status status);
  void Advance();
  void Hold(Batch& batch);
  bool DiskIsSlow() const;
  bool WorthWriting() const;
  core::Task<void> AnnounceLoop();
  core::Task<void> WriteLoop();
  core::Task<void> WriteOne(Batch& batch);
  core::Task<void> FlushLoop();
  core::Task<absl::Status> FlushOnce();
  bool NoteLate(Batch& batch);
  core::Task<void> WatchLoop();
  core::Task<void> PrepareLoop();

  const StoreOptions options_;
  const LogIdentity identity_;
  SegmentList& segments_;
  SpareSegments& spares_;
  Segment* active_;
  std::unique_ptr<Segment> prepared_;  // the one after active_, ready to be written

  // Appending.
  core::Semaphore budget_;
  core::Semaphore turn_{1};
  uint32_t blocked_ = 0;
  core::Notifier room_;  // a segment is ready, or appending failed
  uint64_t next_position_;
  uint32_t previous_crc_;
  const uint32_t epoch_;
  uint64_t records_;
  core::WallMillis last_store_time_;
  uint64_t batch_number_ = 0;
  Batch* open_ = nullptr;
  AppendBuffer::Ref append_;
  core::Slice chunk_;            // what is left of the current chunk
  bool chunk_is_kept_ = false;   // it is the append buffer's
  uint32_t held_ = 0;            // batches that are not finished and not kept
  std::vector<Queue*> fresh_;    // with new messages that waiters have not been told of
  core::Notifier announce_;

  // Writing. Batches go from open_ to closed_ to flights_ to done.
  std::deque<Batch*> closed_;
  std::deque<Batch*> flights_;
  size_t written_flights_ = 0;  // at the front of flights_
  size_t unwritten_ = 0;
  uint64_t written_end_;
  uint64_t durable_end_;
  struct Unflushed {
    uint64_t end;
    core::MonoTime opened;
  };
  std::deque<Unflushed> unflushed_;  // closed batches above durable_end_
  TailCache tail_cache_;
  std::vector<std::unique_ptr<Batch>> batches_;
  std::vector<Batch*> free_batches_;
  core::Notifier work_;
  core::Notifier dirty_;
  core::Notifier flush_now_;
  core::Notifier flushed_;
  core::Notifier watch_;
  core::Notifier prepare_;
  core::Notifier rolled_;
  core::Notifier batch_closed_;
  uint64_t flush_wanted_ = 0;  // somebody waits for this position
  MarkFile mark_file_;
  uint64_t recorded_mark_;

  absl::Status failure_;               // final
  absl::Status refusal_;               // the disk is too full for more
  absl::Status prepare_failure_;       // why there is no next segment yet
  bool prepare_wanted_ = false;        // somebody waits for the next segment
  core::StopSource* hurry_ = nullptr;  // while it is made: ends the writing of its blocks
  bool stopping_ = false;
  uint64_t messages_appended_ = 0;
  uint64_t bytes_appended_ = 0;
  uint64_t writes_ = 0;
  uint64_t flushes_ = 0;

  core::Scope scope_;
};

}  // namespace store
