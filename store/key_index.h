#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/commit_log.h"
#include "store/key_collector.h"
#include "store/key_run.h"
#include "store/log_reader.h"
#include "store/segment.h"

namespace store {

struct KeyIndexOptions {
  std::string directory;  // of the log
  LogIdentity log;
  bool build = true;  // false: nothing is added, and nothing can be found
  /// Entries in memory before they are written as a run; as many again while a stretch is read from the disk.
  size_t table_entries = size_t{64} << 10;
};

struct KeyIndexStats {
  uint64_t runs = 0;
  uint64_t bytes_missing = 0;  // of the log whose keys are not known yet
  uint64_t damaged_runs = 0;   // found since the start; they are made anew from the log
  uint64_t entered_late = 0;   // messages stored since the start that were not entered as they were appended, but read once more when their batch was closed
};

/// By which keys the messages of one log are found (docs/ARCHITECTURE.md). The newest are in memory, entered as they are stored; the others in sorted runs, each of which covers a stretch of the log within one segment. Together they cover all of the log, except for
/// holes: what was in memory when the process ended, files that are damaged or were never made. These are read from the log in the background. One shard.
class KeyIndex {
 public:
  /// `segments` and `log` outlive it.
  KeyIndex(KeyIndexOptions options, SegmentList& segments, CommitLog& log);
  ~KeyIndex();
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  /// Opens what is there and removes what does not belong to this log. Once, before anything is appended.
  core::Task<absl::Status> Load();
  void Start();
  /// Ends what runs, before the log ends.
  core::Task<void> Stop();
  core::Task<void> Close();

  /// The files of a segment that goes.
  core::Task<void> Forget(const Segment& segment);

  bool builds() const { return options_.build; }
  KeyIndexStats stats() const;

  /// `message` has just been added to the open batch as its last record: known at once where all before it is, else in its turn. No suspension.
  void NoteAppended(const Batch& open, const MessageDraft& message, core::WallMillis store_time);

  /// Held (one unit) by whoever uses runs: as long as it is, none is let go of.
  core::Semaphore& users() { return users_; }
  /// Where messages with one key may lie.
  struct Place {
    uint64_t begin = 0;  // of a stretch of the log
    uint64_t end = 0;
    core::WallMillis time_min = 0;
    core::WallMillis time_max = 0;
    bool in_order = false;
    KeyRun* run = nullptr;             // null: in memory, or a hole
    bool hole = false;                 // nothing is known of it yet
    std::vector<RecordRef> in_memory;  // in the order of the log
  };
  /// All places, the newest first, once all that is in the log now is known. kDeadlineExceeded: that takes longer. With a unit of users().
  core::Task<absl::StatusOr<std::vector<Place>>> Places(uint64_t hash, core::MonoTime deadline);
  /// A run could not be read: it is made anew.
  void NoteDamage(KeyRun& run, const absl::Status& status);
  /// How often places have become more; WaitForFill waits until they have since `fills`.
  uint64_t fills() const { return fills_; }
  core::Task<core::WaitResult> WaitForFill(uint64_t fills, core::MonoTime deadline);
  /// Where the last message lies whose keys are known, and its store time.
  struct Last {
    uint64_t position = 0;
    core::WallMillis time = 0;
  };
  Last last() const;

 private:
  using Runs = std::vector<std::unique_ptr<KeyRun>>;
  struct Hole {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t resume = 0;
    Segment* segment = nullptr;
  };

  // key_index.cc
  core::Task<absl::Status> LoadRun(uint64_t begin, uint64_t log_end);
  void BeginTail();
  core::Task<absl::Status> WriteRun(KeyCollector& from);
  core::Task<void> AddRun(std::unique_ptr<KeyRun> run);
  core::Task<void> LetGo(Runs runs);

  // key_follow.cc: the end of the log, from memory while it is there
  core::Task<void> FollowLoop();
  core::Task<absl::StatusOr<bool>> FollowSlice();
  bool EnterLate(const RecordRef& ref, std::span<const std::byte> record);
  bool EnterClosed();
  void EnterOpen(const Batch& open);
  core::Task<absl::Status> EnterFromDisk(Segment& segment);
  core::Task<absl::Status> EndSegment(Segment& segment);
  core::Task<absl::Status> SpillTail();
  void JumpToEnd();

  // key_fill.cc: the rest, from the disk
  core::Task<void> FillLoop();
  std::vector<Hole> Holes() const;
  core::Task<absl::Status> Fill(Hole hole);
  core::Task<void> DropDamaged();
  /// Runs of one segment that are to become one: how many from which on.
  std::optional<std::pair<size_t, size_t>> ToMerge() const;
  core::Task<absl::Status> Merge(size_t first, size_t count);
  core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> WriteMerged(std::vector<KeyRun*> sources, absl::Status& unread);

  const KeyIndexOptions options_;
  SegmentList& segments_;
  CommitLog& log_;
  Runs runs_;  // by place
  static constexpr uint64_t kUsersMax = 4;
  core::Semaphore users_{kUsersMax};

  core::Semaphore turn_{1};  // held while the end is followed
  KeyCollector tail_;
  uint64_t tail_segment_ = 0;          // the position of the segment in which it is
  uint32_t tail_row_ = 0;              // of the batch at tail_'s resume so many records were seen
  size_t tail_offset_ = 0;             // which end there in the batch
  uint64_t noted_batch_ = 0;           // of the last record that was appended
  uint32_t noted_rows_ = 0;            // records appended to it
  std::unique_ptr<LogReader> reader_;  // while the end is not in memory
  uint64_t read_below_ = 0;            // what it has of the log was written then

  core::Notifier to_fill_;
  core::Notifier filled_;
  uint64_t fills_ = 0;
  uint32_t waiting_for_fill_ = 0;
  uint32_t refused_ = 0;  // how often in a row the disk has refused a part of a hole
  uint64_t damaged_runs_ = 0;
  uint64_t appended_from_ = 0;  // where the log ended at the start
  uint64_t entered_late_ = 0;
  core::Scope scope_;
};

}  // namespace store
