#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/sealed_index.h"
#include "store/shard_store_impl.h"

namespace store {
namespace {

/// Source: RocketMQ 5.3.3, cleanResourceInterval.
constexpr absl::Duration kCheckInterval = absl::Seconds(10);
/// While appends are refused for lack of space.
constexpr absl::Duration kCheckIntervalFull = absl::Milliseconds(500);

}  // namespace

core::Task<void> ShardStoreImpl::RetentionLoop() {
  while (!scope_.stop_requested()) {
    absl::Status status = co_await CheckSpace();
    if (status.ok()) status = co_await DeleteSegments(false);
    if (status.ok() && retention_clock_.WantsSave()) status = co_await SaveRetentionClock();
    if (status.ok() && disk_used_ratio_ > options_.disk_used_ratio_max) status = co_await spares_.RemoveAll();
    if (!status.ok()) core::LogError("retention of log ", options_.log_number, ": ", status.ToString());
    core::Sleep pause(log_->refusal().ok() ? kCheckInterval : kCheckIntervalFull, scope_.stop_token());
    (void)co_await pause;
  }
}

core::Task<absl::Status> ShardStoreImpl::SaveRetentionClock() {
  retention_clock_.Saved();
  std::vector<MetaChange> changes;
  changes.push_back({MetaTable::kRetention, std::string(kRetentionClockKey), retention_clock_.Row()});
  co_return co_await meta_.Commit(std::move(changes));
}

core::Task<absl::Status> ShardStoreImpl::CheckSpace() {
  CO_ASSIGN_OR_RETURN(const core::SpaceInfo space, co_await core::fs::Space(options_.directory));
  if (space.total_bytes == 0) co_return absl::OkStatus();
  disk_space_ = space;
  disk_used_ratio_ = 1.0 - static_cast<double>(space.free_bytes) / static_cast<double>(space.total_bytes);
  const bool full = disk_used_ratio_ > options_.disk_used_ratio_refuse;
  if (full && log_->refusal().ok()) {
    core::LogError("the disk of ", options_.directory, " is ", static_cast<int>(disk_used_ratio_ * 100), " % full: messages are refused");
  } else if (!full && !log_->refusal().ok()) {
    core::LogInfo("the disk of ", options_.directory, " has room again");
  }
  log_->SetRefusal(full ? absl::ResourceExhaustedError(absl::StrCat("the disk is ", static_cast<int>(disk_used_ratio_ * 100), " % full"))
                        : absl::OkStatus());
  co_return absl::OkStatus();
}

bool ShardStoreImpl::InDeleteHour() const {
  const absl::Time now = absl::FromUnixMillis(core::Reactor::Current().wall_now());
  const int hour = options_.time_zone.At(now).cs.hour();
  return std::find(options_.delete_when_hours.begin(), options_.delete_when_hours.end(), hour) != options_.delete_when_hours.end();
}

core::Task<absl::Status> ShardStoreImpl::DeleteExpired() { co_return co_await DeleteSegments(true); }

core::Task<absl::Status> ShardStoreImpl::DeleteSegments(bool any_hour) {
  if (keepers_.size() < options_.keepers) co_return absl::OkStatus();
  const core::Semaphore::Hold turn = co_await deleting_.Take(1);
  retention_clock_.Observe(core::Reactor::Current().now(), log_->append_end());
  while (!scope_.stop_requested()) {
    Segment& oldest = segments_.front();
    if (&oldest == &log_->active() || oldest.sealing) break;
    if (oldest.end > log_->durable_end()) break;
    const bool expired = retention_clock_.Expired(oldest.end);
    const bool now = any_hour || InDeleteHour() || disk_used_ratio_ > options_.disk_used_ratio_max;
    if (!(expired && now) && !MustMakeRoom()) break;
    bool needed = false;
    for (SegmentKeeper* const keeper : keepers_) needed = needed || !(co_await keeper->LetGo(oldest.limit()));
    if (needed) break;
    if (oldest.sealing) break;  // it may have begun meanwhile
    CO_RETURN_IF_ERROR(co_await DeleteOldest(expired ? "has expired" : "makes room on a full disk, with messages that have not expired"));
    CO_RETURN_IF_ERROR(co_await CheckSpace());
  }
  co_return absl::OkStatus();
}

bool ShardStoreImpl::MustMakeRoom() const {
  return options_.delete_forcibly && disk_used_ratio_ > std::min(options_.disk_used_ratio_forcible, options_.disk_used_ratio_refuse);
}

// Every queue with messages in `segment`, maybe others.
core::Task<std::vector<core::QueueKey>> ShardStoreImpl::QueuesIn(const Segment& segment) {
  std::vector<core::QueueKey> keys;
  if (!segment.sealed) {
    for (const Queue* queue : segment.queues) keys.push_back(queue->key);
    co_return keys;
  }
  const absl::StatusOr<std::vector<SealedRow>> rows = co_await ReadSealedRows(options_.directory, identity_, segment);
  if (rows.ok()) {
    for (const SealedRow& row : *rows) keys.push_back({row.topic, row.queue_id});
    co_return keys;
  }
  // What can't be read must not stay for ever, and with it all that is newer. The queues know by themselves, there are just many of them.
  core::LogWarning("an index to be deleted can't be read, all queues are looked through: ", rows.status().ToString());
  queues_.ForEach([&](const Queue& queue) {
    if (!queue.runs.empty() && queue.runs.front().segment == &segment) keys.push_back(queue.key);
  });
  std::sort(keys.begin(), keys.end());  // the table's own order differs from run to run
  co_return keys;
}

core::Task<absl::Status> ShardStoreImpl::DeleteOldest(const char* why) {
  segments_.front().deleting = true;
  absl::Status status = co_await LetGoOfOldest();
  if (!status.ok()) {
    segments_.front().deleting = false;
    co_return status;
  }
  core::LogInfo("segment ", segments_.front().position, " of log ", options_.log_number, " ", why);
  co_return co_await RemoveFiles(segments_.PopFront());
}

/// Afterwards no queue has anything in it, and that is noted.
core::Task<absl::Status> ShardStoreImpl::LetGoOfOldest() {
  Segment& oldest = segments_.front();
  const std::vector<core::QueueKey> keys = co_await QueuesIn(oldest);
  // Queues must remember where they were: what is behind it may go with a power cut, or lie in damage.
  std::vector<MetaChange> floors;
  size_t looked_at = 0;
  for (const core::QueueKey& key : keys) {
    if (++looked_at % kQueueSlice == 0) {
      if (floors.empty()) {
        co_await core::Yield();
      } else {
        CO_RETURN_IF_ERROR(co_await meta_.Commit(std::exchange(floors, {})));
      }
    }
    const Queue* queue = FindQueue(key);
    if (queue == nullptr || queue->runs.empty()) continue;
    const auto rest = std::find_if(queue->runs.begin(), queue->runs.end(), [&](const Run& run) { return run.segment != &oldest; });
    if (rest == queue->runs.begin()) continue;
    if (rest == queue->runs.end()) {
      // Nothing else will say it. Written in any case: one that the metadata show may be one that they could not store.
      floors.push_back({MetaTable::kQueueFloors, QueueFloorKey(key), absl::StrCat(queue->next)});
    } else {
      RaiseFloor(key, rest->first, floors);
    }
  }
  // Or recovery would take a file that is missing for one that was let go.
  floors.push_back({MetaTable::kLogBegin, std::string(kLogBeginKey), absl::StrCat(oldest.limit())});
  CO_RETURN_IF_ERROR(co_await meta_.Commit(std::move(floors)));
  // Meanwhile its readers find part of the messages, and keep the files open.
  size_t let_go = 0;
  for (const core::QueueKey& key : keys) {
    if (++let_go % kQueueSlice == 0) co_await core::Yield();
    Queue* queue = FindQueue(key);
    if (queue == nullptr) continue;
    std::erase_if(queue->runs, [&](const Run& run) { return run.segment == &oldest; });
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> ShardStoreImpl::RemoveFiles(std::unique_ptr<Segment> segment) {
  co_await keys_->Forget(*segment);
  while (segment->pins > 0) (void)co_await segment->unpinned.Wait();
  read_cache_.Forget(*segment);
  const std::string path = SegmentPath(options_.directory, segment->position);
  const bool spare = spares_.Wants(*segment) && disk_used_ratio_ <= options_.disk_used_ratio_max;
  const std::string deleted = SegmentFilePath(options_.directory, segment->position, kDeletedSuffix);
  // Under its new name it is no segment any more, whenever a crash comes.
  absl::Status status = spare ? co_await spares_.Keep(*segment) : co_await core::fs::Rename(path, deleted);
  if (status.ok() && segment->sealed) status = co_await core::fs::Remove(SegmentIndexPath(options_.directory, segment->position));
  // Before the file is cut: under its old name it would be a damaged segment. Keep has done so. An index that comes back alone is removed at the start.
  if (status.ok() && !spare) status = co_await core::fs::SyncDirectory(options_.directory);
  const absl::Status closed = co_await segment->log.Close();
  const absl::Status index_closed = segment->index.is_open() ? co_await segment->index.Close() : absl::OkStatus();
  if (status.ok() && !spare) status = co_await RemoveLargeFile(deleted, segment->bytes);
  if (status.ok()) status = closed.ok() ? index_closed : closed;
  co_return status;
}

}  // namespace store
