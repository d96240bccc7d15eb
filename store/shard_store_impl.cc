#include "store/shard_store_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/mutant.h"
#include "store/record.h"
#include "store/recovery.h"

namespace store {

core::Task<absl::StatusOr<std::unique_ptr<ShardStore>>> ShardStore::Open(StoreOptions options, MetaStore& meta) {
  if (options.log_number > kLogNumberMax) co_return absl::InvalidArgumentError(absl::StrCat("log number ", options.log_number));
  if (options.segment_bytes < kSegmentBytesMin || options.segment_bytes > kSegmentBytesMax || options.segment_bytes % kBlock != 0) {
    co_return absl::InvalidArgumentError(absl::StrCat("a segment of ", options.segment_bytes, " bytes: ", kSegmentBytesMin, " to ",
                                                      kSegmentBytesMax, " in whole blocks of ", kBlock, " are possible"));
  }
  auto store = std::make_unique<ShardStoreImpl>(std::move(options), meta);
  CO_RETURN_IF_ERROR(co_await store->Recover());
  std::unique_ptr<ShardStore> opened = std::move(store);
  co_return opened;
}

ShardStoreImpl::ShardStoreImpl(StoreOptions options, MetaStore& meta)
    : options_(std::move(options)),
      meta_(meta),
      identity_{options_.store_id, options_.log_number},
      spares_(options_.directory, options_.segment_bytes),
      read_cache_(options_.read_cache_bytes),
      retention_clock_(options_.reserved_time) {}

ShardStoreImpl::~ShardStoreImpl() = default;

core::Task<absl::Status> ShardStoreImpl::Recover() {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(options_.directory));
  CO_RETURN_IF_ERROR(co_await spares_.Load());
  CO_ASSIGN_OR_RETURN(MarkFile mark_file, co_await MarkFile::Open(options_.directory, identity_));
  Recovery recovery(options_, identity_, meta_, segments_, spares_, queues_, mark_file);
  const absl::Status status = co_await recovery.Run();
  if (!status.ok()) {
    (void)co_await mark_file.Close();
    (void)co_await CloseSegments();
    co_return status;
  }
  if constexpr (kMutant == Mutant::kReuseOffsets) {
    queues_.ForEach([](Queue& queue) { queue.next = std::max(queue.min(), queue.next - 1); });
  }
  damaged_records_ = recovery.damaged_records();
  damaged_bytes_ = recovery.damaged_bytes();
  if (const absl::Status settled = co_await SettleDropped(recovery.tail().position); !settled.ok()) {
    (void)co_await mark_file.Close();
    (void)co_await CloseSegments();
    co_return settled;
  }
  AppendBuffer::Ref append = co_await MakeAppendBuffer(recovery.tail().epoch);
  log_ = std::make_unique<CommitLog>(options_, identity_, segments_, spares_, recovery.tail(), std::move(mark_file), std::move(append));
  KeyIndexOptions keys{.directory = options_.directory, .log = identity_, .build = options_.key_index, .table_entries = options_.key_table_entries};
  keys_ = std::make_unique<KeyIndex>(std::move(keys), segments_, *log_);
  if (const absl::Status loaded = co_await keys_->Load(); !loaded.ok()) {
    co_await keys_->Close();
    (void)co_await log_->Stop();
    (void)co_await CloseSegments();
    co_return loaded;
  }
  log_->Start();
  keys_->Start();
  if (const std::string* row = meta_.Find(MetaTable::kRetention, kRetentionClockKey); row != nullptr) {
    if (const absl::Status loaded = retention_clock_.Load(*row); !loaded.ok()) core::LogError("log ", options_.log_number, ": ", core::ToStd(loaded.message()));
  }
  retention_clock_.Observe(core::Reactor::Current().now(), log_->append_end());
  scope_.Spawn(SealLoop());
  scope_.Spawn(RetentionLoop());
  scope_.Spawn(NewQueuesLoop());
  co_return absl::OkStatus();
}

/// Null for a log that is flushed at each write, and where none can be made: it costs speed, no promise.
core::Task<AppendBuffer::Ref> ShardStoreImpl::MakeAppendBuffer(uint32_t epoch) {
  if (options_.durability != Durability::kSynced) {
    absl::StatusOr<AppendBuffer::Ref> made = co_await AppendBuffer::Create(options_.directory, identity_, epoch, options_.append_buffer_bytes);
    if (made.ok()) co_return std::move(made).value();
    core::LogWarning("log ", identity_.log_number, " has no append buffer, so each message waits for its write: ", made.status().ToString());
  }
  (void)co_await core::fs::Remove(AppendBufferPath(options_.directory));  // of an earlier run; recovery has taken over what it had
  co_return nullptr;
}

/// A topic was dropped up to where the log ended then. What a power cut has taken of that log since, new messages take the place of: they must
/// not count as dropped when the log is read the next time.
core::Task<absl::Status> ShardStoreImpl::SettleDropped(uint64_t log_end) {
  std::vector<MetaChange> changes;
  for (const auto& [topic, position] : meta_.All(MetaTable::kDroppedTopics)) {
    uint64_t dropped = 0;
    if (absl::SimpleAtoi(position, &dropped) && dropped > log_end)
      changes.push_back({MetaTable::kDroppedTopics, topic, absl::StrCat(log_end)});
  }
  co_return co_await meta_.Commit(std::move(changes));
}

core::Task<absl::StatusOr<AppendResult>> ShardStoreImpl::Append(std::span<const MessageDraft> drafts, std::optional<Durability> durability) {
  if (drafts.empty()) co_return absl::InvalidArgumentError("nothing to append");
  const MessageDraft& first = drafts.front();
  uint64_t bytes = 0;
  for (const MessageDraft& draft : drafts) {
    CO_RETURN_IF_ERROR(CheckDraft(draft));
    if (draft.queue_id != first.queue_id || draft.topic != first.topic) {
      co_return absl::InvalidArgumentError("one append goes to one queue");
    }
    bytes += RecordBytes(draft);
  }
  core::Semaphore::Hold room = log_->TryAdmit(bytes, drafts.size());
  if (!room) {
    CO_ASSIGN_OR_RETURN(room, co_await log_->Admit(bytes, drafts.size()));
  }

  if (Dropping(first.topic)) co_return absl::UnavailableError(core::StrCat("the topic ", first.topic, " is being deleted; send again"));
  AppendResult result;
  if (Batch* pending = Enter(drafts, bytes, durability, result); pending != nullptr) {
    CO_RETURN_IF_ERROR(co_await log_->Acknowledged(*pending));
  }
  co_return result;
}

std::optional<BegunAppend> ShardStoreImpl::BeginAppend(const MessageDraft& draft, std::optional<Durability> durability) {
  if (!CheckDraft(draft).ok() || Dropping(draft.topic)) return std::nullopt;
  const uint64_t bytes = RecordBytes(draft);
  core::Semaphore::Hold room = log_->TryAdmit(bytes, 1);
  if (!room) return std::nullopt;
  return Begin(draft, bytes, std::move(room), durability);
}

core::Task<absl::StatusOr<BegunAppend>> ShardStoreImpl::BeginAppendInTurn(const MessageDraft& draft, std::optional<Durability> durability,
                                                                              Admission admission) {
  CO_RETURN_IF_ERROR(CheckDraft(draft));
  const uint64_t bytes = RecordBytes(draft);
  core::Semaphore::Hold room = log_->TryAdmit(bytes, 1, admission);
  if (!room) {
    CO_ASSIGN_OR_RETURN(room, co_await log_->Admit(bytes, 1, admission));
  }
  if (Dropping(draft.topic)) co_return absl::UnavailableError(core::StrCat("the topic ", draft.topic, " is being deleted; send again"));
  co_return Begin(draft, bytes, std::move(room), durability);
}

BegunAppend ShardStoreImpl::Begin(const MessageDraft& draft, uint64_t bytes, core::Semaphore::Hold room, std::optional<Durability> durability) {
  BegunAppend begun;
  AppendResult result;
  begun.pending = Enter({&draft, 1}, bytes, durability, result);
  begun.queue_offset = result.first_queue_offset;
  begun.position = result.positions.front();
  begun.record = result.last;
  if (begun.pending != nullptr) begun.room = std::move(room);
  return begun;
}

core::Task<absl::Status> ShardStoreImpl::EndAppend(BegunAppend append) { co_return co_await log_->Acknowledged(*append.pending); }

/// No suspension in here: offsets, positions and times are given out in one go.
Batch* ShardStoreImpl::Enter(std::span<const MessageDraft> drafts, uint64_t bytes, std::optional<Durability> durability, AppendResult& result) {
  Queue& queue = queues_.FindOrMake(QueueName(drafts.front().topic, drafts.front().queue_id));
  Batch& batch = log_->Open(bytes, drafts.size());
  result.first_queue_offset = core::LogicalOffset(queue.next);
  result.store_timestamp = log_->StoreTime();
  for (const MessageDraft& draft : drafts) {
    const uint64_t position = log_->PositionIn(batch);
    const RecordPlace place{core::LogicalOffset(queue.next), MakePhysicalOffset(options_.log_number, position), result.store_timestamp};
    const auto record_bytes = static_cast<uint32_t>(RecordBytes(draft));
    EncodeRecord(draft, place, log_->PlaceIn(batch));
    const uint32_t crc = log_->Add(batch, queue, record_bytes, queue.next, draft.tags_code, result.store_timestamp);
    keys_->NoteAppended(batch, draft, result.store_timestamp);
    queue.Add(*batch.segment, queue.next, {position, record_bytes, crc, draft.tags_code}, result.store_timestamp);
    result.positions.push_back(place.position);
    result.last = {position, record_bytes, crc};
  }
  if (result.first_queue_offset.value() == 0) NoteNewQueue(queue);
  const bool synced = durability.value_or(options_.durability) == Durability::kSynced;
  Batch* pending = log_->Settle(batch, queue, synced) ? nullptr : &batch;
  if constexpr (kMutant == Mutant::kSwapMessages) {
    // Two neighbours in a queue at each other's places, as their senders see it.
    result.first_queue_offset = core::LogicalOffset(result.first_queue_offset.value() ^ 1);
  }
  return pending;
}

core::Task<absl::Status> ShardStoreImpl::DropTopic(std::string topic) {
  // Where a try has failed the next start has the old messages again: until another one has succeeded the topic takes none, whose offsets would be theirs.
  if (drop_failed_.erase(topic) == 0 && !dropping_.insert(topic).second)
    co_return absl::UnavailableError(core::StrCat("the topic ", topic, " is being deleted already"));
  const absl::Status status = co_await DropQueues(topic);
  if (status.ok()) {
    dropping_.erase(topic);
  } else {
    drop_failed_.insert(topic);
  }
  co_return status;
}

core::Task<absl::Status> ShardStoreImpl::DropQueues(const std::string& topic) {
  const uint64_t position = log_->next_record();
  std::vector<core::QueueKey> keys;
  queues_.ForEach([&](const Queue& queue) {
    if (queue.key.topic == topic) keys.push_back(queue.key);
  });
  std::sort(keys.begin(), keys.end());  // the table's own order differs from run to run
  for (const core::QueueKey& key : keys) {
    std::unique_ptr<Queue> queue = queues_.Take(QueueName(key));
    queue->dropped = true;
    queue->changed.NotifyAll();
    dropped_.push_back(std::move(queue));
  }
  for (size_t i = 0; i < segments_.size(); ++i) {
    std::erase_if(segments_.at(i).queues, [](const Queue* queue) { return queue->dropped; });
  }
  BuryDropped();
  // Recovery forgets what lies below the position. So nothing new may come to lie there: not in what is left of the open batch, and not after
  // a power cut that takes the end of the log with it.
  CO_RETURN_IF_ERROR(co_await log_->FlushTo(position));
  std::vector<MetaChange> changes;
  changes.push_back({MetaTable::kDroppedTopics, topic, absl::StrCat(position)});
  const auto& floors = meta_.All(MetaTable::kQueueFloors);
  const std::string prefix = topic + '\0';
  for (auto floor = floors.lower_bound(prefix); floor != floors.end() && floor->first.starts_with(prefix); ++floor) {
    changes.push_back({MetaTable::kQueueFloors, floor->first, std::nullopt});
  }
  co_return co_await meta_.Commit(std::move(changes));
}

void ShardStoreImpl::BuryDropped() {
  // Batches under way point to the queues that they touched.
  if (!log_->idle()) return;
  std::erase_if(dropped_, [](const std::unique_ptr<Queue>& queue) { return queue->waiting == 0; });
}

std::vector<std::string> ShardStoreImpl::Topics() const {
  std::vector<std::string> topics;
  queues_.ForEach([&](const Queue& queue) {
    if (queue.exists()) topics.push_back(queue.key.topic);
  });
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  return topics;
}

StoreStats ShardStoreImpl::Stats() const {
  StoreStats stats;
  stats.log_begin = segments_.front().data_begin();
  stats.log_end = log_->append_end();
  stats.durable_end = log_->durable_end();
  stats.segments = segments_.size();
  stats.segments_reused = spares_.reused();
  stats.messages_appended = log_->messages_appended();
  stats.bytes_appended = log_->bytes_appended();
  stats.writes = log_->writes();
  stats.flushes = log_->flushes();
  for (size_t i = 0; i < segments_.size() && stats.earliest_store_time < 0; ++i) {
    if (segments_.at(i).time_min > 0) stats.earliest_store_time = segments_.at(i).time_min;
  }
  stats.disk_used_ratio = disk_used_ratio_;
  stats.disk_total_bytes = disk_space_.total_bytes;
  stats.disk_free_bytes = disk_space_.free_bytes;
  stats.failure = std::string(core::ToStd(log_->failure().message()));
  stats.damaged_records = damaged_records_;
  stats.damaged_bytes = damaged_bytes_;
  const KeyIndexStats keys = keys_->stats();
  stats.key_files = keys.runs;
  stats.key_files_damaged = keys.damaged_runs;
  stats.key_entered_late = keys.entered_late;
  stats.key_bytes_missing = keys.bytes_missing;
  return stats;
}

core::Task<absl::Status> ShardStoreImpl::Close() {
  closing_ = true;
  std::vector<Queue*> awaited;
  queues_.ForEach([&](Queue& queue) {
    if (queue.waiting > 0) awaited.push_back(&queue);
  });
  std::sort(awaited.begin(), awaited.end(), [](const Queue* a, const Queue* b) { return a->key < b->key; });
  for (Queue* queue : awaited) queue->changed.NotifyAll();
  co_await keys_->Stop();
  absl::Status status = co_await log_->Stop();
  scope_.RequestStop();
  log_->rolled().NotifyAll();
  co_await scope_.Join();
  if (const absl::Status noted = co_await NoteNewQueues(); status.ok()) status = noted;
  // Without it what came since the last time counts as younger than it is: no reason to fail.
  retention_clock_.Observe(core::Reactor::Current().now(), log_->append_end());
  if (const absl::Status saved = co_await SaveRetentionClock(); !saved.ok()) core::LogWarning("log ", options_.log_number, ": ", saved.ToString());
  co_await keys_->Close();
  co_await read_cache_.Close();
  const absl::Status closed = co_await CloseSegments();
  co_return status.ok() ? closed : status;
}

core::Task<absl::Status> ShardStoreImpl::CloseSegments() {
  absl::Status status;
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_.at(i);
    while (segment.pins > 0) (void)co_await segment.unpinned.Wait();
    const absl::Status closed = co_await segment.log.Close();
    const absl::Status index_closed = segment.index.is_open() ? co_await segment.index.Close() : absl::OkStatus();
    if (status.ok()) status = closed.ok() ? index_closed : closed;
  }
  co_return status;
}

}  // namespace store
