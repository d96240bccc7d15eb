#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/time.h"
#include "store/due_entry.h"
#include "store/due_record.h"
#include "store/due_row.h"
#include "store/due_run.h"
#include "store/meta_store.h"
#include "store/shard_store.h"

namespace store {

struct DueIndexOptions {
  std::string directory;  // where its runs lie; of this index alone
  LogIdentity log;
  std::string_view topic = kDueTopic;  // the queue in which its waiting messages lie
  int32_t queue_id = 0;
  DueEvent (*read_event)(const ReplayedRecord&) = ReadDueEvent;  // what a record says
  DueKind kind = DueKind::kLater;
  /// Entries in memory before they are written as a run; four times as many are taken while that fails.
  size_t memory_entries = size_t{128} << 10;
  /// The log may have grown by so much since the last checkpoint: what a start reads again.
  uint64_t replay_bytes = uint64_t{64} << 20;
};

/// A run as far as it is not delivered yet.
struct DueRunCursor {
  std::unique_ptr<DueRun> run;
  uint64_t next = 0;                    // number of the first entry that is still there
  uint64_t taken_back_left = 0;         // of those
  std::optional<DueEntry> last_popped;  // since the merge under way has begun
  std::vector<DueEntry> window;         // entries from number window_begin on
  uint64_t window_begin = 0;

  bool exhausted() const { return next == run->header().entries; }
  uint64_t left() const { return run->header().entries - next; }
  bool InWindow(uint64_t number) const { return number >= window_begin && number < window_begin + window.size(); }
  const DueEntry& at(uint64_t number) const { return window[number - window_begin]; }
};

/// Looks for what waits below a position of the log, through all that waits.
struct DueScan {
  uint64_t below = 0;
  std::vector<DueEntry> found;   // by the last call
  uint64_t lowest = UINT64_MAX;  // position of what waits and was not found, so far
  DueEntry from = {.due = std::numeric_limits<core::WallMillis>::min()};
  bool done = false;
};

/// The messages of one log that wait for their time, by due time: memory for the newest, runs on disk for the rest (docs/ARCHITECTURE.md). The records in the
/// log are the truth: whoever appends one that waits, was delivered or takes one back tells the index at once, without a suspension in between. One shard.
class DueIndex {
 public:
  /// What is there, as the last checkpoint and the log behind it say. `meta` and `log` outlive the index.
  static core::Task<absl::StatusOr<std::unique_ptr<DueIndex>>> Open(DueIndexOptions options, MetaStore& meta,
                                                                    ShardStore& log);
  ~DueIndex();
  DueIndex(const DueIndex&) = delete;
  DueIndex& operator=(const DueIndex&) = delete;
  /// Closes the files. A checkpoint is the caller's to make before.
  core::Task<absl::Status> Close();

  /// More can't be taken: what is in memory could not be written for long. kResourceExhausted.
  absl::Status CheckRoom() const;
  void Insert(const DueEntry& entry);
  /// Takes back a message that waits. With the turn held.
  void TakeBack(const DueEntry& entry);

  /// Held by whoever delivers, takes back or copies on what waits, from looking at it until the index knows.
  core::Semaphore& turn() { return turn_; }
  /// When the next one is due; core::WallMillis' maximum when none waits. It may be one that was taken back.
  core::WallMillis NextDue() const;
  /// One of the next; not `waits`: it is only to be popped.
  struct Next {
    DueEntry entry;
    bool waits = true;
  };
  /// Of those due at `now` the first ones, by due time: at most `entries_max`, and of `bytes_max` together unless the first alone is larger. kDataLoss: a run is
  /// damaged, see Rebuild. With the turn held.
  core::Task<absl::StatusOr<std::vector<Next>>> Peek(core::WallMillis now, size_t entries_max, size_t bytes_max);
  /// Those come from Peek, in its order: it is delivered or needs not be. No suspension since the append.
  void Pop(const DueEntry& entry);
  /// The entry of the message at that due time and position, if it waits and is in memory.
  std::optional<DueEntry> FindInMemory(const DueEntry& of) const;
  /// All with this due time that wait. With the turn held.
  core::Task<absl::StatusOr<std::vector<DueEntry>>> Find(core::WallMillis due);
  /// Goes on with `scan` a little. With the turn held, which may be let go between the calls.
  core::Task<absl::Status> ScanOn(DueScan& scan);

  /// Messages that wait.
  uint64_t waiting() const;
  size_t runs() const { return runs_.size(); }
  uint64_t memory_entries() const { return memory_.size() + frozen_.size() - frozen_next_; }
  /// How often all of it was read from the log, since Open and with it, because the checkpoint or a run was damaged.
  uint64_t made_anew() const { return made_anew_; }
  bool WantsCheckpoint() const;
  /// Writes what is in memory as a run, merges runs, and notes how far all is, so that a start need not read the log before now. One at a time; without the turn.
  /// Where the disk has refused a part of the log, reads it again first, now and then.
  core::Task<absl::Status> Checkpoint();
  /// Everything anew from the log. With the turn held.
  core::Task<absl::Status> Rebuild();

 private:
  DueIndex(DueIndexOptions options, MetaStore& meta, ShardStore& log);
  using Runs = std::vector<std::unique_ptr<DueRunCursor>>;

  // due_recovery.cc
  core::Task<absl::Status> Load();
  core::Task<absl::Status> LoadRuns(const std::string& checkpoint);
  core::Task<absl::Status> ReadLog(uint64_t from);
  core::Task<absl::Status> ReadAgain();
  core::Task<uint64_t> FirstRecordFrom(uint64_t position);
  core::Task<absl::Status> RemoveStrayRuns();
  core::Task<void> DropRuns();

  /// Where nothing waits or has waited since the last checkpoint, a start begins to read at the first message that waits anew: there is nothing to note.
  bool WantsNote() const;
  core::Task<absl::Status> FillWindow(DueRunCursor& cursor);

  // due_checkpoint.cc
  core::Task<absl::Status> SpillMemory();
  core::Task<absl::Status> MergeRuns();
  core::Task<absl::Status> Merge(std::vector<DueRunCursor*> sources);
  core::Task<absl::Status> Commit(LogSpan span);
  std::string Describe(const LogSpan& span) const;
  core::Task<void> RemoveObsolete();

  const DueIndexOptions options_;
  MetaStore& meta_;
  ShardStore& log_;
  core::Semaphore turn_{1};
  absl::btree_set<DueEntry> memory_;
  uint64_t memory_taken_back_ = 0;
  /// What was in memory and is being written; those before frozen_next_ are done with.
  std::vector<DueEntry> frozen_;
  size_t frozen_next_ = 0;
  uint64_t frozen_taken_back_ = 0;  // of those that are left
  Runs runs_;
  std::vector<uint64_t> obsolete_;                // runs that only the last checkpoint names
  std::vector<std::unique_ptr<DueRun>> closing_;  // the same, still open
  uint64_t next_number_ = 1;
  uint64_t replay_from_ = 0;    // as the last checkpoint says
  uint64_t entered_below_ = 0;  // the same; for the start
  bool changed_ = false;        // since the last checkpoint
  uint64_t made_anew_ = 0;
  /// The log from here on was read, except what the disk refused: nothing is noted then, so that the next start reads it again.
  std::optional<uint64_t> unread_from_;
  core::MonoTime read_again_at_;
  absl::Duration read_again_pause_;
  /// Delivered before the crash, as the log behind the checkpoint says, and still in the runs. All of them are due by dead_until_.
  absl::flat_hash_set<uint64_t> dead_;
  core::WallMillis dead_until_ = 0;
};

}  // namespace store
