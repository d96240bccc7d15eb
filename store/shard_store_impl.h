#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/scope.h"
#include "store/commit_log.h"
#include "store/key_index.h"
#include "store/queue.h"
#include "store/read_cache.h"
#include "store/retention_clock.h"
#include "store/sealed_index.h"
#include "store/segment.h"
#include "store/shard_store.h"

namespace store {

/// ShardStore on a CommitLog. Split by what it does: shard_store_impl.cc opens, closes and appends; fetch.cc and find_by_key.cc read; sealer.cc,
/// retention.cc and queue_floors.cc are the work beside it.
class ShardStoreImpl final : public ShardStore {
 public:
  ShardStoreImpl(StoreOptions options, MetaStore& meta);
  ~ShardStoreImpl() override;
  core::Task<absl::Status> Recover();
  core::Task<absl::Status> SettleDropped(uint64_t log_end);

  core::Task<absl::Status> Close() override;
  core::Task<absl::StatusOr<AppendResult>> Append(std::span<const MessageDraft> drafts, std::optional<Durability> durability) override;
  std::optional<BegunAppend> BeginAppend(const MessageDraft& draft, std::optional<Durability> durability) override;
  core::Task<absl::StatusOr<BegunAppend>> BeginAppendInTurn(const MessageDraft& draft, std::optional<Durability> durability,
                                                                    Admission admission) override;
  core::Task<absl::Status> EndAppend(BegunAppend append) override;
  core::Task<FetchResult> Fetch(FetchRequest request) override;
  core::Task<core::WaitResult> WaitForMessage(core::QueueKey queue, core::LogicalOffset from, core::MonoTime deadline,
                                              core::StopToken stop) override;
  core::LogicalOffset MinOffset(const core::QueueKey& queue) const override;
  core::LogicalOffset MaxOffset(const core::QueueKey& queue) const override;
  core::Task<core::WallMillis> StoreTimeOf(core::QueueKey queue, core::LogicalOffset offset) override;
  core::Task<core::LogicalOffset> OffsetByTime(core::QueueKey queue, core::WallMillis timestamp, bool upper) override;
  core::Task<absl::StatusOr<core::Slice>> ReadRecord(core::PhysicalOffset position) override;
  core::Task<absl::StatusOr<core::Slice>> ReadRecord(RecordRef ref) override;
  core::Task<absl::StatusOr<KeyQueryResult>> FindByKey(KeyQuery query) override;
  LogSpan Span() const override;
  core::Task<absl::Status> Flush() override;
  core::Task<absl::StatusOr<uint64_t>> Replay(uint64_t from, std::function<void(const ReplayedRecord&)> show) override;
  void AddKeeper(SegmentKeeper* keeper) override { keepers_.push_back(keeper); }
  core::Task<absl::Status> DropTopic(std::string topic) override;
  std::vector<std::string> Topics() const override;
  StoreStats Stats() const override;
  bool OffsetInMemory(const core::QueueKey& queue, core::LogicalOffset offset) const override;
  core::Task<absl::Status> DeleteExpired() override;

 private:
  /// Gives the checked and admitted drafts, of `bytes` as records, their places. The batch whose promise has to be waited for; null when it holds already.
  Batch* Enter(std::span<const MessageDraft> drafts, uint64_t bytes, std::optional<Durability> durability, AppendResult& result);
  /// One draft, admitted with `room`.
  BegunAppend Begin(const MessageDraft& draft, uint64_t bytes, core::Semaphore::Hold room, std::optional<Durability> durability);
  bool Dropping(std::string_view topic) const { return !dropping_.empty() && dropping_.contains(topic); }

  /// Consecutive entries of a queue, copied out so that nothing points into what may change.
  struct Entries {
    static constexpr size_t kMax = 64;
    int64_t first = 0;
    size_t count = 0;
    int64_t gap_end = 0;  // with count 0: no message before this offset (damaged ones, or none at all)
    IndexEntry entry[kMax];
  };

  // fetch.cc
  /// Brings the entries of the sealed run that begins at `first` back into memory, from the log. False when they are not all there.
  core::Task<bool> RestoreRun(core::QueueKey key, int64_t first);
  core::Task<void> LoadEntries(const core::QueueKey& key, uint64_t hash, int64_t from, int64_t limit, Entries& into);
  bool CopyEntries(Queue& queue, int64_t from, int64_t limit, Entries& into) const;
  core::Task<absl::StatusOr<core::Slice>> LoadRecord(IndexEntry entry);
  /// The same of what has been read from the disk already; empty where LoadRecord is needed.
  core::Slice ReadyRecord(const IndexEntry& entry);
  /// How far the segment's file is written.
  uint64_t WrittenIn(const Segment& segment) const;
  core::Task<core::WallMillis> LoadStoreTime(core::QueueKey key, int64_t offset);
  Queue* FindQueue(const core::QueueKey& key) const { return queues_.Find(QueueName(key)); }
  void NoteDamage(const IndexEntry& entry, const core::QueueKey& key, int64_t offset, const absl::Status& status);

  // find_by_key.cc
  struct KeySearch;
  /// Goes through all places. False: there is a hole that has to be filled first.
  core::Task<absl::StatusOr<bool>> SearchPlaces(KeySearch& search);
  core::Task<absl::StatusOr<bool>> SearchPlace(KeySearch& search, KeyIndex::Place& place);
  core::Task<absl::StatusOr<uint64_t>> FirstStoredBehind(KeySearch& search, KeyIndex::Place& place, KeyRun::Range& range);
  core::Task<absl::StatusOr<core::Slice>> ReadForKey(KeySearch& search, RecordRef ref);
  core::Task<absl::StatusOr<RecordRef>> RecordAt(KeyIndex::Place& place, KeyRun::Range& range, uint64_t number);
  bool ServesRecord(const RecordView& record, uint64_t position) const;

  // sealer.cc
  core::Task<void> SealLoop();
  core::Task<absl::Status> Seal(Segment& segment);
  /// The rows of its directory, but for the entries' numbers, in their order.
  core::Task<std::vector<SealedRow>> RowsOf(const Segment& segment);
  Segment* NextToSeal() const;

  // queue_floors.cc
  /// Adds to `changes` that offsets of the queue below `floor` are not to be given out again, unless that is noted already.
  void RaiseFloor(const core::QueueKey& key, int64_t floor, std::vector<MetaChange>& changes) const;
  /// The queue got its first message: it will be noted.
  void NoteNewQueue(const Queue& queue);
  core::Task<absl::Status> NoteNewQueues();
  core::Task<void> NewQueuesLoop();
  /// Queues looked at between two chances for everyone else: there may be 100,000.
  static constexpr size_t kQueueSlice = 1024;
  /// Notes what has been given out in `segment`, which is not sealed yet and to which nothing more is written.
  core::Task<void> NoteFloors(const Segment& segment);

  // retention.cc
  core::Task<void> RetentionLoop();
  core::Task<absl::Status> CheckSpace();
  core::Task<absl::Status> SaveRetentionClock();
  core::Task<absl::Status> DeleteSegments(bool any_hour);
  /// The oldest segment must go although its messages have not expired.
  bool MustMakeRoom() const;
  core::Task<std::vector<core::QueueKey>> QueuesIn(const Segment& segment);
  core::Task<absl::Status> DeleteOldest(const char* why);
  core::Task<absl::Status> LetGoOfOldest();
  core::Task<absl::Status> RemoveFiles(std::unique_ptr<Segment> segment);
  bool InDeleteHour() const;

  core::Task<absl::Status> DropQueues(const std::string& topic);
  void BuryDropped();
  core::Task<AppendBuffer::Ref> MakeAppendBuffer(uint32_t epoch);
  core::Task<absl::Status> CloseSegments();

  const StoreOptions options_;
  MetaStore& meta_;
  LogIdentity identity_;
  SegmentList segments_;
  SpareSegments spares_;
  QueueTable queues_;
  /// Dropped queues to which an open batch or a waiter still points.
  std::vector<std::unique_ptr<Queue>> dropped_;
  std::set<std::string, std::less<>> dropping_;  // topics that DropTopic is at work on
  std::set<std::string> drop_failed_;  // of these, those whose last try has failed
  std::unique_ptr<CommitLog> log_;
  std::unique_ptr<KeyIndex> keys_;
  ReadCache read_cache_;
  core::Semaphore restoring_{1};
  core::Semaphore deleting_{1};
  RetentionClock retention_clock_;
  core::SpaceInfo disk_space_;
  double disk_used_ratio_ = 0;
  std::deque<core::QueueKey> new_queues_;  // that are not noted yet
  core::Notifier new_queue_;
  uint64_t damaged_records_ = 0;
  uint64_t damaged_bytes_ = 0;
  bool closing_ = false;
  std::vector<SegmentKeeper*> keepers_;
  core::Scope scope_;
};

}  // namespace store
