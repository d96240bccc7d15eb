#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "store/index_page.h"
#include "store/index_repair.h"
#include "store/record.h"
#include "store/shard_store_impl.h"

namespace store {
namespace {

/// Entries that one fetch looks at when a filter takes few of them. Source: RocketMQ 5.3.3, maxFilterMessageSize 16,000 bytes of 20.
constexpr int64_t kScanMax = 800;
/// What a property filter may look at in one fetch, after its first message: some milliseconds. And what is read from the disk for it, most of it bodies.
constexpr size_t kScanWorkMax = size_t{8} << 20;
constexpr size_t kScanDiskBytesMax = size_t{4} << 20;

/// The share of one fetch that filters by properties.
struct Scan {
  size_t work = 0;
  size_t disk_bytes = 0;
  bool done() const { return work >= kScanWorkMax || disk_bytes >= kScanDiskBytesMax; }

  /// False as well for what is no record.
  bool Matches(const PropertyFilter& filter, const core::Slice& record) {
    const absl::StatusOr<RecordView> view = ParseRecord(record.bytes());
    if (!view.ok()) return false;
    work += filter.Work(view->properties.size());
    return filter.Matches(view->properties);
  }
};

/// Adds `record` to the parts, merged with the last one where it adjoins.
void AddPart(FetchResult& result, core::Slice record) {
  if (!result.parts.empty()) {
    core::Slice& last = result.parts.back();
    if (last.block() == record.block() && last.data() + last.size() == record.data()) {
      last = core::Slice(last.block(), last.data(), last.size() + record.size());
      return;
    }
  }
  result.parts.push_back(std::move(record));
}

}  // namespace

bool ShardStoreImpl::CopyEntries(Queue& queue, int64_t from, int64_t limit, Entries& into) const {
  into.first = from;
  into.count = 0;
  into.gap_end = queue.visible;
  const Run* run = queue.FindRun(from);
  if (run == nullptr || run->first >= queue.visible) return true;
  if (run->first > from) {
    into.gap_end = run->first;
    return true;
  }
  if (run->entries == nullptr) return false;
  const int64_t end = std::min({run->end(), queue.visible, limit, from + static_cast<int64_t>(Entries::kMax)});
  for (int64_t offset = from; offset < end; ++offset) {
    into.entry[into.count++] = run->entries->at(static_cast<size_t>(offset - run->first));
  }
  return true;
}

core::Task<bool> ShardStoreImpl::RestoreRun(core::QueueKey key, int64_t first) {
  const core::Semaphore::Hold turn = co_await restoring_.Take(1);  // one reading of the segment serves all who wait
  const QueueName name(key);
  const auto find = [&]() -> Run* {
    Queue* queue = queues_.Find(name);
    Run* run = queue != nullptr ? queue->FindRun(first) : nullptr;
    return run != nullptr && run->first == first ? run : nullptr;
  };
  const Run* run = find();
  if (run == nullptr || run->entries != nullptr) co_return run != nullptr;
  Segment& segment = *run->segment;
  ++segment.pins;
  const std::vector<IndexEntry> found =
      co_await EntriesFromLog(segment, identity_, key.topic, key.queue_id, first, run->count);
  segment.Unpin();
  Run* restored = find();
  if (restored == nullptr || restored->segment != &segment || found.size() != static_cast<size_t>(restored->count))
    co_return false;
  auto entries = std::make_unique<EntryList>();
  for (const IndexEntry& entry : found) entries->Add(entry);
  restored->entries = std::move(entries);
  core::LogWarning("the index of ", key.topic, "/", key.queue_id, " from message ", first,
                   " on was read from the log instead");
  co_return true;
}

core::Task<void> ShardStoreImpl::LoadEntries(const core::QueueKey& key, uint64_t hash, int64_t from, int64_t limit, Entries& into) {
  into.first = from;
  into.count = 0;
  into.gap_end = from;
  QueueName name(key);
  CORE_DEBUG_ASSERT(name.hash == hash);
  Queue* queue = queues_.Find(name);
  if (queue == nullptr || CopyEntries(*queue, from, limit, into)) co_return;
  // The run's index is in a file: copy what is needed of it before the wait.
  const Run& run = *queue->FindRun(from);
  Segment& segment = *run.segment;
  const uint64_t number = run.sealed_entry + static_cast<uint64_t>(from - run.first);
  const uint32_t page_number = static_cast<uint32_t>(number / kIndexPageEntries);
  const size_t slot = number % kIndexPageEntries;
  const int64_t end = std::min({run.end(), queue->visible, limit, from + static_cast<int64_t>(Entries::kMax),
                                from + static_cast<int64_t>(kIndexPageEntries - slot)});
  const int64_t page_end = std::min(run.end(), from + static_cast<int64_t>(kIndexPageEntries - slot));
  const int64_t run_first = run.first;
  ++segment.pins;
  absl::StatusOr<core::Slice> page = co_await read_cache_.ReadIndex(segment, (1 + uint64_t{page_number}) * kIndexPageBytes, kIndexPageBytes);
  if (page.ok() && !IndexPageIntact(segment.position, page_number, page->bytes())) {
    page = absl::DataLossError(core::StrCat(segment.index.path(), ": page ", page_number, " is damaged"));
  }
  if (!page.ok() && co_await RestoreRun(key, run_first)) {
    core::LogError(page.status().ToString());
    queue = queues_.Find(name);
    if (queue == nullptr || CopyEntries(*queue, from, limit, into)) {
      segment.Unpin();
      co_return;
    }
  }
  if (!page.ok()) {
    damaged_records_ += static_cast<uint64_t>(page_end - from);
    core::LogError("messages ", from, " to ", page_end - 1, " of ", key.topic, "/", key.queue_id, " can't be found: ", page.status().ToString());
    into.gap_end = page_end;
  } else {
    for (int64_t offset = from; offset < end; ++offset) {
      into.entry[into.count] = LoadIndexEntry(page->bytes(), slot + into.count);
      ++into.count;
    }
  }
  segment.Unpin();
}

uint64_t ShardStoreImpl::WrittenIn(const Segment& segment) const {
  return std::clamp(log_->written_end(), segment.position, segment.limit()) - segment.position;
}

core::Slice ShardStoreImpl::ReadyRecord(const IndexEntry& entry) {
  Segment* const segment = segments_.Find(entry.position);
  if (segment == nullptr) return {};
  return read_cache_.ReadyRecord(*segment, entry.position - segment->position, entry.bytes, entry.crc, WrittenIn(*segment));
}

core::Task<absl::StatusOr<core::Slice>> ShardStoreImpl::LoadRecord(IndexEntry entry) {
  core::Slice tail = log_->InMemory(entry.position, entry.bytes);
  if (!tail.empty()) co_return tail;
  Segment* segment = segments_.Find(entry.position);
  if (segment == nullptr) co_return absl::NotFoundError("the segment is gone");
  const uint64_t written = WrittenIn(*segment);
  ++segment->pins;
  absl::StatusOr<core::Slice> record =
      co_await read_cache_.ReadRecord(*segment, entry.position - segment->position, entry.bytes, entry.crc, written);
  segment->Unpin();
  co_return record;
}

void ShardStoreImpl::NoteDamage(const IndexEntry& entry, const core::QueueKey& key, int64_t offset, const absl::Status& status) {
  if (absl::IsNotFound(status)) return;  // expired meanwhile
  ++damaged_records_;
  core::LogError("message ", offset, " of ", key.topic, "/", key.queue_id, " at log position ", entry.position,
                 " is not served: ", status.ToString());
}

core::Task<FetchResult> ShardStoreImpl::Fetch(FetchRequest request) {
  FetchResult result;
  const QueueName name(request.queue);
  Queue* queue = queues_.Find(name);
  const int64_t from = request.from.value();
  const auto note_range = [&result](const Queue& found) {
    result.min = core::LogicalOffset(found.min());
    result.max = core::LogicalOffset(found.visible);
  };
  if (queue == nullptr || !queue->exists()) co_return result;
  note_range(*queue);
  if (queue->visible == 0) {
    result.status = FetchStatus::kNoMessageInQueue;
    co_return result;
  }
  if (from < queue->min()) {
    result.status = FetchStatus::kOffsetTooSmall;
    result.next = result.min;
    co_return result;
  }
  if (from >= queue->visible) {
    result.status = from == queue->visible ? FetchStatus::kOffsetOverflowOne : FetchStatus::kOffsetOverflowBadly;
    result.next = result.max;
    co_return result;
  }

  const bool filtered = !request.filter.codes.empty() || request.property_filter != nullptr;
  const int64_t scan_end =
      filtered ? from + std::max<int64_t>(kScanMax, int64_t{request.messages_max} * 20) : INT64_MAX;
  int64_t next = from;
  bool damaged = false;
  bool full = false;
  Scan scan;
  Entries entries;
  while (!full && next < scan_end) {
    int64_t limit = scan_end;
    if (!filtered) limit = next + std::max(1, request.messages_max - result.messages);
    if (queue == nullptr || next >= queue->visible) break;
    if (!CopyEntries(*queue, next, limit, entries)) {
      co_await LoadEntries(request.queue, name.hash, next, limit, entries);
      queue = queues_.Find(name);
    }
    if (entries.count == 0) {
      if (entries.gap_end <= next) break;  // the queue was dropped meanwhile
      damaged = true;
      next = entries.gap_end;
      continue;
    }
    for (size_t i = 0; i < entries.count; ++i, ++next) {
      const IndexEntry entry = entries.entry[i];
      if (!request.filter.Matches(entry.tags_code)) continue;
      const bool enough =
          result.messages > 0 && (result.messages >= request.messages_max || result.bytes + entry.bytes > request.bytes_max);
      if (enough || scan.done()) {
        full = true;
        break;
      }
      core::Slice record = log_->InMemory(entry.position, entry.bytes);
      if (record.empty()) {
        record = ReadyRecord(entry);
        if (record.empty()) {
          absl::StatusOr<core::Slice> loaded = co_await LoadRecord(entry);
          queue = queues_.Find(name);
          if (!loaded.ok()) {
            NoteDamage(entry, request.queue, next, loaded.status());
            damaged = true;
            continue;
          }
          record = std::move(loaded).value();
        }
        if (request.property_filter != nullptr) scan.disk_bytes += record.size();
      }
      if (request.property_filter != nullptr && !scan.Matches(*request.property_filter, record)) continue;
      result.bytes += record.size();
      ++result.messages;
      AddPart(result, std::move(record));
    }
    if (result.messages >= request.messages_max) full = true;
  }
  if (queue != nullptr) note_range(*queue);
  result.next = core::LogicalOffset(next);
  if (result.messages > 0) {
    result.status = FetchStatus::kFound;
  } else {
    result.status = damaged ? FetchStatus::kMessageWasRemoving : FetchStatus::kNoMatchedMessage;
  }
  co_return result;
}

core::Task<core::WaitResult> ShardStoreImpl::WaitForMessage(core::QueueKey key, core::LogicalOffset from, core::MonoTime deadline,
                                                            core::StopToken stop) {
  const QueueName name(key);
  for (;;) {
    Queue& queue = queues_.FindOrMake(name);
    if (queue.visible > from.value()) co_return core::WaitResult::kNotified;
    if (closing_) co_return core::WaitResult::kStopped;
    ++queue.waiting;
    const core::WaitResult result = co_await queue.changed.Wait(deadline, stop);
    --queue.waiting;
    if (queue.waiting == 0 && queue.dropped) {
      BuryDropped();
    } else if (queue.waiting == 0 && !queue.exists()) {
      (void)queues_.Take(name);  // nobody but waiters knew of it
    }
    if (result != core::WaitResult::kNotified) co_return result;
  }
}

core::LogicalOffset ShardStoreImpl::MinOffset(const core::QueueKey& key) const {
  const Queue* queue = FindQueue(key);
  return core::LogicalOffset(queue == nullptr ? 0 : queue->min());
}

core::LogicalOffset ShardStoreImpl::MaxOffset(const core::QueueKey& key) const {
  const Queue* queue = FindQueue(key);
  return core::LogicalOffset(queue == nullptr ? 0 : queue->visible);
}

bool ShardStoreImpl::OffsetInMemory(const core::QueueKey& key, core::LogicalOffset offset) const {
  Queue* queue = FindQueue(key);
  if (queue == nullptr || offset.value() >= queue->visible) return false;
  Entries entries;
  if (!CopyEntries(*queue, offset.value(), offset.value() + 1, entries) || entries.count == 0) return false;
  return !log_->InMemory(entries.entry[0].position, entries.entry[0].bytes).empty();
}

core::Task<core::WallMillis> ShardStoreImpl::LoadStoreTime(core::QueueKey key, int64_t offset) {
  Queue* queue = FindQueue(key);
  if (queue == nullptr || offset < queue->min() || offset >= queue->visible) co_return -1;
  Entries entries;
  const uint64_t hash = queue->hash;
  co_await LoadEntries(key, hash, offset, offset + 1, entries);
  if (entries.count == 0) co_return -1;
  absl::StatusOr<core::Slice> record = co_await LoadRecord(entries.entry[0]);
  if (!record.ok()) {
    NoteDamage(entries.entry[0], key, offset, record.status());
    co_return -1;
  }
  const absl::StatusOr<RecordView> view = ParseRecord(record->bytes());
  co_return view.ok() ? view->store_timestamp : -1;
}

core::Task<core::WallMillis> ShardStoreImpl::StoreTimeOf(core::QueueKey key, core::LogicalOffset offset) {
  co_return co_await LoadStoreTime(std::move(key), offset.value());
}

core::Task<core::LogicalOffset> ShardStoreImpl::OffsetByTime(core::QueueKey key, core::WallMillis timestamp, bool upper) {
  const Queue* queue = FindQueue(key);
  if (queue == nullptr || queue->visible == 0) co_return core::LogicalOffset(0);
  // First offset whose store time is >= the limit; the time range of each run leaves one run to look into.
  if (upper && timestamp == INT64_MAX) co_return core::LogicalOffset(std::max<int64_t>(queue->visible - 1, 0));
  const core::WallMillis limit = upper ? timestamp + 1 : timestamp;
  int64_t low = queue->visible;
  int64_t high = queue->visible;
  for (const Run& run : queue->runs) {
    if (run.first >= queue->visible) break;
    if (run.time_max < limit) continue;
    low = run.first;
    high = std::min(run.end(), queue->visible);
    break;
  }
  const int64_t min = queue->min();
  const int64_t max = queue->visible;
  while (low < high) {
    // A damaged message has no time: the next one that has speaks for it.
    const int64_t middle = low + (high - low) / 2;
    int64_t probe = middle;
    core::WallMillis time = -1;
    for (; probe < high; ++probe) {
      time = co_await LoadStoreTime(key, probe);
      if (time >= 0) break;
    }
    if (probe == high || time >= limit) {
      high = middle;
    } else {
      low = probe + 1;
    }
  }
  if (!upper) co_return core::LogicalOffset(low);
  co_return core::LogicalOffset(low > min && low <= max ? low - 1 : 0);
}

core::Task<absl::StatusOr<core::Slice>> ShardStoreImpl::ReadRecord(core::PhysicalOffset at) {
  const absl::Status none = absl::NotFoundError(core::StrCat("no message at physical offset ", at.value()));
  if (at.value() < 0 || LogNumberOf(at) != identity_.log_number) co_return none;
  const uint64_t position = LogPositionOf(at);
  core::Slice bytes = log_->InMemory(position, kRecordBytesMin);
  if (!bytes.empty()) {
    bytes = log_->InMemory(position, LoadBig<uint32_t>(bytes.data()));
  } else {
    Segment* segment = segments_.Find(position);
    if (segment == nullptr) co_return none;
    const uint64_t offset = position - segment->position;
    const uint64_t written = std::clamp(log_->written_end(), segment->position, segment->limit()) - segment->position;
    if (offset < kBlock || offset + kRecordBytesMin > written) co_return none;
    // What lies there tells its length; nothing of it is believed before the index agrees.
    const uint64_t begin = RoundDown(offset, kBlock);
    ++segment->pins;
    core::Slice memory = core::Reactor::Current().buffers().Allocate(RoundUp(offset + kRecordBytesMin, kBlock) - begin);
    absl::Status status = co_await segment->log.ReadExactlyAt(begin, {memory.data(), memory.size()});
    if (status.ok()) {
      const uint64_t length = LoadBig<uint32_t>(memory.data() + (offset - begin));
      if (length < kRecordBytesMin || offset + length > written || length > kAppendBytesMax) {
        status = none;
      } else if (RoundUp(offset + length, kBlock) - begin > memory.size()) {
        memory = core::Reactor::Current().buffers().Allocate(RoundUp(offset + length, kBlock) - begin);
        status = co_await segment->log.ReadExactlyAt(begin, {memory.data(), memory.size()});
      }
      if (status.ok()) bytes = memory.Sub(offset - begin, length);
    }
    segment->Unpin();
    if (!status.ok()) co_return status;
  }
  const absl::StatusOr<RecordView> record = ParseRecord(bytes.bytes());
  if (!record.ok() || record->position != at) co_return none;
  core::QueueKey key{std::string(record->topic), record->queue_id};
  const Queue* queue = FindQueue(key);
  if (queue == nullptr || record->queue_offset.value() >= queue->visible) co_return none;
  Entries entries;
  co_await LoadEntries(key, queue->hash, record->queue_offset.value(), record->queue_offset.value() + 1, entries);
  if (entries.count == 0 || entries.entry[0].position != position || entries.entry[0].bytes != bytes.size()) co_return none;
  // Proven by the checksum that the index keeps.
  co_return co_await LoadRecord(entries.entry[0]);
}

}  // namespace store
