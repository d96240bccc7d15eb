#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/log_options.h"
#include "store/message.h"
#include "store/meta_store.h"
#include "store/record.h"

namespace store {

struct StoreOptions {
  std::string directory;  // of this shard's log; made when missing
  uint32_t log_number = 0;
  StoreId store_id;  // the data folder's (Manifest); what was written under another one is refused
  uint64_t segment_bytes = kSegmentBytesDefault;
  Durability durability = Durability::kAsync;
  /// Memory for batches not yet written plus the tail kept for readers.
  size_t append_buffer_bytes = size_t{64} << 20;
  size_t read_cache_bytes = size_t{32} << 20;
  absl::Duration flush_interval = absl::Milliseconds(20);  // kAsync: between device flushes
  // Retention. Source: MessageStoreConfig.
  std::vector<int> delete_when_hours = {4};
  absl::TimeZone time_zone = absl::UTCTimeZone();  // of these hours
  absl::Duration reserved_time = absl::Hours(72);
  double disk_used_ratio_max = 0.75;    // above: expired segments go at any hour
  bool delete_forcibly = false;         // with this, above the next one: the oldest segments go, expired or not
  double disk_used_ratio_forcible = 0.85;
  double disk_used_ratio_refuse = 0.90; // above: sends are refused until there is room again
  size_t keepers = 0;  // no segment goes before that many were added
  bool key_index = true;  // messages are found by their keys
  size_t key_table_entries = size_t{64} << 10;  // of the key index in memory, 24 bytes each; twice as many while files of it are made anew
};

struct StoreStats {
  uint64_t log_begin = 0;  // byte positions in the log
  uint64_t log_end = 0;
  uint64_t durable_end = 0;
  uint64_t segments = 0;
  uint64_t segments_reused = 0;  // since the start: made of the files of expired ones
  uint64_t messages_appended = 0;
  uint64_t bytes_appended = 0;
  uint64_t writes = 0;
  uint64_t flushes = 0;
  core::WallMillis earliest_store_time = -1;
  double disk_used_ratio = 0;
  uint64_t disk_total_bytes = 0;
  uint64_t disk_free_bytes = 0;
  std::string failure;  // why the log takes no more writes, or empty
  uint64_t damaged_records = 0;  // found and never served, since the start
  uint64_t damaged_bytes = 0;    // ranges of the log that recovery skipped
  uint64_t key_files = 0;        // of the key index
  uint64_t key_files_damaged = 0;  // since the start; made anew from the log
  uint64_t key_entered_late = 0;   // as KeyIndexStats::entered_late
  uint64_t key_bytes_missing = 0;  // of the log, whose messages are not found by their keys yet
};

struct Batch;  // store/commit_log.h

/// An append that BeginAppend has begun: the message has its place.
struct BegunAppend {
  core::LogicalOffset queue_offset;
  core::PhysicalOffset position;
  RecordRef record;
  Batch* pending = nullptr;  // its promise does not hold yet: EndAppend waits for it
  core::Semaphore::Hold room;
};

/// Who needs messages of a log longer than retention lets them be.
class SegmentKeeper {
 public:
  virtual ~SegmentKeeper() = default;
  /// Before the oldest segment, which ends at `end`, goes. May append to the log what is to stay. False: it is kept for now and asked for again.
  virtual core::Task<bool> LetGo(uint64_t end) = 0;
};

/// What Replay shows of a record; valid during the call.
struct ReplayedRecord {
  const RecordView& view;
  RecordRef ref;
};

/// Positions in a log.
struct LogSpan {
  uint64_t begin = 0;  // what lies below is gone
  uint64_t batch = 0;  // where the open batch begins, or the next
  uint64_t next = 0;   // all records so far lie below, all to come at or above
};

/// One shard's messages: its commit log, queue indexes, retention. Everything on the owning shard.
class ShardStore {
 public:
  /// Recovers what is there or starts empty. `meta` outlives the store and is this shard's.
  static core::Task<absl::StatusOr<std::unique_ptr<ShardStore>>> Open(StoreOptions options, MetaStore& meta);
  virtual ~ShardStore() = default;
  /// Writes and flushes everything, seals what can be, closes the files.
  virtual core::Task<absl::Status> Close() = 0;

  /// Appends messages of one queue as one unit: consecutive offsets, all or nothing, in call order. May not suspend: who appends in a loop
  /// yields now and then. Returns once the promise of `durability`
  /// (default: the store's) holds. Waits while the append buffer is full. kInvalidArgument: too large; kResourceExhausted: the disk
  /// is full; kUnavailable: a write or flush has failed and the log takes no more (fenced); kDeadlineExceeded: it was not
  /// durable after 5 s, and may be later; kAborted: there was no room for it for 5 s, and it is not stored.
  virtual core::Task<absl::StatusOr<AppendResult>> Append(std::span<const MessageDraft> drafts,
                                                           std::optional<Durability> durability = std::nullopt) = 0;
  /// Append of one message as far as it goes without waiting, and without a coroutine. Nothing has happened when it returns nothing: there is
  /// no room now, or the message is refused; Append waits, or says why.
  virtual std::optional<BegunAppend> BeginAppend(const MessageDraft& draft, std::optional<Durability> durability = std::nullopt) = 0;
  /// The same, waiting for room in its turn. Whoever awaits it goes on at once with the append: nothing runs in between. Errors as of Append, of which
  /// nothing was stored.
  virtual core::Task<absl::StatusOr<BegunAppend>> BeginAppendInTurn(const MessageDraft& draft, std::optional<Durability> durability = std::nullopt,
                                                                            Admission admission = Admission::kOrdinary) = 0;
  /// Waits for the promise to what is `pending`; called exactly once for it. Errors as of Append.
  virtual core::Task<absl::Status> EndAppend(BegunAppend append) = 0;

  virtual core::Task<FetchResult> Fetch(FetchRequest request) = 0;
  /// Waits until a message at or beyond `from` is visible in the queue (which need not exist yet).
  virtual core::Task<core::WaitResult> WaitForMessage(core::QueueKey queue, core::LogicalOffset from,
                                                       core::MonoTime deadline, core::StopToken stop) = 0;

  /// 0 for a queue that holds nothing.
  virtual core::LogicalOffset MinOffset(const core::QueueKey& queue) const = 0;
  virtual core::LogicalOffset MaxOffset(const core::QueueKey& queue) const = 0;  // visible
  /// Store time of the message at `offset`; -1 when there is none.
  virtual core::Task<core::WallMillis> StoreTimeOf(core::QueueKey queue, core::LogicalOffset offset) = 0;
  /// LOWER: the first offset whose store time is >= `timestamp`, max when there is none. UPPER (`upper`): the last offset whose
  /// store time is <= `timestamp`, 0 when there is none. Source: RocketMQ 5.3.3 ConsumeQueue.getOffsetInQueueByTime, BoundaryType.
  virtual core::Task<core::LogicalOffset> OffsetByTime(core::QueueKey queue, core::WallMillis timestamp, bool upper) = 0;
  /// The record that begins at `position`; kNotFound when none does (checked against the record, never trusted).
  virtual core::Task<absl::StatusOr<core::Slice>> ReadRecord(core::PhysicalOffset position) = 0;

  /// The record at a place that Append or Replay has told, also one that readers do not see yet. kNotFound: it is gone; kDataLoss: it is damaged.
  virtual core::Task<absl::StatusOr<core::Slice>> ReadRecord(RecordRef ref) = 0;
  /// Messages by a key, of all that readers may see. What has just been stored, or must be read from the log first as files of the index are missing, is waited
  /// for: kUnavailable after 3 s, rather than an answer that lacks messages. kFailedPrecondition: there is no key index; kResourceExhausted: too many
  /// records had to be looked at.
  virtual core::Task<absl::StatusOr<KeyQueryResult>> FindByKey(KeyQuery query) = 0;
  virtual LogSpan Span() const = 0;
  /// Makes all that was appended so far durable.
  virtual core::Task<absl::Status> Flush() = 0;
  /// Shows every record at or above `from` that is written by now, in the order of the log, also those of deleted topics; what is damaged or gone is left out. Yields now and then. `from`: LogSpan::batch
  /// of any time, or the position of a record. The end of what was shown is a LogSpan::batch, too. kUnavailable: so is what the disk has refused to read, and might read another time.
  virtual core::Task<absl::StatusOr<uint64_t>> Replay(uint64_t from, std::function<void(const ReplayedRecord&)> show) = 0;
  /// Segments go when all keepers agree, and not before as many were added as StoreOptions::keepers says. They outlive the store; whoever is asked just now is
  /// waited for by Close.
  virtual void AddKeeper(SegmentKeeper* keeper) = 0;

  /// Forgets the topic's queues, durably: a topic of that name made later starts at offset 0. Until it returns, appends to the topic
  /// are refused (kUnavailable). An error: the queues may be there again after a restart; call it again.
  virtual core::Task<absl::Status> DropTopic(std::string topic) = 0;
  /// Topics that have queues here.
  virtual std::vector<std::string> Topics() const = 0;
  virtual StoreStats Stats() const = 0;
  virtual bool OffsetInMemory(const core::QueueKey& queue, core::LogicalOffset offset) const = 0;
  /// Runs the retention rules now, whatever the hour (request 329).
  virtual core::Task<absl::Status> DeleteExpired() = 0;
};

}  // namespace store
