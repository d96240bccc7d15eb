#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/task.h"
#include "store/append_remains.h"
#include "store/commit_log.h"
#include "store/log_reader.h"
#include "store/mark_file.h"
#include "store/meta_store.h"
#include "store/queue.h"
#include "store/sealed_index.h"
#include "store/segment.h"
#include "store/spare_segments.h"

namespace store {

/// Builds segments and queues from what is on disk and finds where the log goes on. The rule:
///
/// - `mark` is the highest position known to have been flushed: the mark file's, and those in the headers of valid batches.
/// - A batch that is not valid below the mark is damage: what can be proven of it is kept, the rest is skipped and reported, nothing is cut.
/// - Where the log has no valid batch, the append buffer of the last run may have the one that continues it (AppendRemains): then it is written
///   to its place first.
/// - A batch that is not valid at or above the mark, with no valid batch behind it whose mark lies above it, is a torn tail: the log is cut
///   there. Batches behind it that are valid but of which no later mark speaks were never acknowledged as durable, nor could they be before
///   the torn one: writes are several at a time and a power cut keeps any of them.
class Recovery {
 public:
  Recovery(const StoreOptions& options, LogIdentity identity, MetaStore& meta, SegmentList& segments, SpareSegments& spares,
           QueueTable& queues, MarkFile& mark_file);

  core::Task<absl::Status> Run();

  const LogTail& tail() const { return tail_; }
  uint64_t damaged_records() const { return damaged_records_; }
  uint64_t damaged_bytes() const { return damaged_bytes_; }

 private:
  core::Task<absl::Status> OpenSegments();
  core::Task<absl::StatusOr<std::unique_ptr<Segment>>> OpenWithoutHeader(uint64_t position, bool last);
  void LoadSealed(Segment& segment, const std::vector<SealedRow>& rows);
  core::Task<bool> Scan(size_t index);
  core::Task<absl::StatusOr<BatchHeader>> HeaderAt(Segment& segment, uint64_t position);
  bool Continues(const BatchHeader& header) const;
  core::Task<bool> ContinuesIn(size_t index);
  core::Task<bool> TakeOver(Segment& segment, uint64_t position);
  core::Task<bool> DurableBeyond(size_t index, uint64_t position);
  core::Task<uint64_t> SkipDamage(Segment& segment, uint64_t position, BatchHeader& found);
  void TakeBatch(Segment& segment, const BatchView& batch);
  void Enter(Segment& segment, const TableEntry& row, std::span<const std::byte> record, uint64_t position);
  void NoteLost(uint64_t position, uint64_t records);
  void NoteHolesAtTheEnd();
  core::Task<absl::Status> CutAfter(size_t index);
  core::Task<absl::Status> SettleFloors();
  absl::Status SettleLost(std::vector<MetaChange>& changes);
  int64_t FirstFree(const Queue& queue, int64_t floor) const;
  core::Task<absl::Status> SyncAll();
  core::Task<absl::Status> WriteAgain(Segment& segment, uint64_t end);
  core::Task<absl::Status> WriteEndMarker();

  const StoreOptions& options_;
  const LogIdentity identity_;
  MetaStore& meta_;
  SegmentList& segments_;
  SpareSegments& spares_;
  QueueTable& queues_;
  MarkFile& mark_file_;
  uint64_t mark_;
  std::optional<uint64_t> begin_;  // as the metadata say: below it segments may be gone. Folders of earlier versions do not
  uint64_t gone_before_ = 0;       // so many bytes from there to the oldest segment, whose messages no floor takes into account yet
  /// Segment files that are missing between others: where they began, and where those behind them do.
  std::vector<std::pair<uint64_t, uint64_t>> holes_;
  const uint64_t clean_end_;  // where a log that was closed in order ends: nothing was ever written behind it
  std::map<std::string, uint64_t, std::less<>> dropped_;  // topic -> log position
  LogTail tail_;
  /// Whether tail_.previous_crc says what the next batch must continue: not before the first batch, not behind lost ones.
  enum class Chain { kBegin, kKnown, kLost };
  Chain chain_ = Chain::kBegin;
  LogReader reader_;
  std::unique_ptr<AppendRemains> remains_;
  uint64_t taken_over_ = 0;    // batches from remains_
  uint64_t taken_over_position_ = 0;  // the last one
  absl::Status failure_;
  /// Ranges that were lost with their record tables, by log position, and how many records: which queues they held nobody knows. Queues with a record
  /// at or behind one have lost none there that their offsets do not show.
  std::map<uint64_t, uint64_t> lost_;
  absl::flat_hash_map<uint64_t, int64_t> floors_by_hash_;  // from rows whose records are damaged
  absl::flat_hash_map<const Queue*, uint64_t> last_seen_;  // log position of a queue's last record, or of one before it
  uint64_t damaged_records_ = 0;
  uint64_t damaged_bytes_ = 0;
};

}  // namespace store
