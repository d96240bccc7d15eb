#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/message_keys.h"
#include "store/record.h"
#include "store/shard_store_impl.h"

namespace store {
namespace {

/// Whoever asks has given up by then, or soon will.
constexpr absl::Duration kWaitMax = absl::Seconds(3);
/// Records looked at for one query: with hashes of 64 bits nearly all of them are in the answer.
constexpr size_t kRecordsMax = 1024;

bool HasKey(std::string_view properties, std::string_view key) {
  bool has = false;
  ForEachKey(properties, [&](std::string_view one) { has = has || one == key; });
  return has;
}

}  // namespace

struct ShardStoreImpl::KeySearch {
  const KeyQuery& query;
  uint64_t hash = 0;
  core::MonoTime deadline;
  uint64_t dropped_below = 0;  // records of the topic before that position are deleted
  size_t looked_at = 0;
  size_t bytes = 0;
  KeyQueryResult result;

  bool done() const { return result.cut || result.messages.size() >= query.messages_max; }
};

core::Task<absl::StatusOr<KeyQueryResult>> ShardStoreImpl::FindByKey(KeyQuery query) {
  if (!keys_->builds()) co_return absl::FailedPreconditionError("there is no index of keys");
  const core::MonoTime deadline = core::Reactor::Current().now() + kWaitMax;
  const uint64_t hash = HashText(KeySeed(identity_.store_id, query.topic), query.key);
  for (;;) {
    KeySearch search{.query = query, .hash = hash, .deadline = deadline, .result = {}};
    if (const std::string* const dropped = meta_.Find(MetaTable::kDroppedTopics, query.topic))
      (void)absl::SimpleAtoi(*dropped, &search.dropped_below);
    const uint64_t fills = keys_->fills();
    CO_ASSIGN_OR_RETURN(const bool complete, co_await SearchPlaces(search));
    if (complete) {
      const KeyIndex::Last last = keys_->last();
      search.result.known_below = MakePhysicalOffset(options_.log_number, last.position);
      search.result.known_until = last.time;
      co_return std::move(search.result);
    }
    if (closing_ || co_await keys_->WaitForFill(fills, deadline) != core::WaitResult::kNotified) {
      co_return absl::UnavailableError(
          "older messages are not in the index of keys yet, it is being made from the log");
    }
  }
}

core::Task<absl::StatusOr<bool>> ShardStoreImpl::SearchPlaces(KeySearch& search) {
  const core::Semaphore::Hold use = co_await keys_->users().Take(1, search.deadline);
  if (!use) co_return absl::UnavailableError("too many queries by key at once; ask again");
  absl::StatusOr<std::vector<KeyIndex::Place>> places = co_await keys_->Places(search.hash, search.deadline);
  if (!places.ok()) co_return absl::UnavailableError(places.status().message());
  for (KeyIndex::Place& place : *places) {
    if (search.done()) break;
    if (place.time_max < search.query.begin || place.time_min > search.query.end || place.end <= search.dropped_below)
      continue;
    if (place.hole) co_return false;
    CO_ASSIGN_OR_RETURN(const bool whole, co_await SearchPlace(search, place));
    if (!whole) co_return false;
  }
  co_return true;
}

core::Task<absl::StatusOr<RecordRef>> ShardStoreImpl::RecordAt(KeyIndex::Place& place, KeyRun::Range& range,
                                                               uint64_t number) {
  if (place.run == nullptr) co_return place.in_memory[number];
  absl::StatusOr<RecordRef> record = co_await place.run->At(range, number);
  if (!record.ok()) keys_->NoteDamage(*place.run, record.status());
  co_return record;
}

core::Task<absl::StatusOr<core::Slice>> ShardStoreImpl::ReadForKey(KeySearch& search, RecordRef ref) {
  if (++search.looked_at > kRecordsMax) {
    co_return absl::ResourceExhaustedError(
        core::StrCat("more than ", kRecordsMax, " messages had to be looked at; ask for a shorter time"));
  }
  absl::StatusOr<core::Slice> record = co_await ReadRecord(ref);
  if (absl::IsDataLoss(record.status()))
    NoteDamage({.position = ref.position}, {search.query.topic, 0}, -1, record.status());
  co_return record;
}

/// False: its run is damaged.
core::Task<absl::StatusOr<bool>> ShardStoreImpl::SearchPlace(KeySearch& search, KeyIndex::Place& place) {
  KeyRun::Range range{.begin = 0, .end = place.in_memory.size(), .window = {}};
  if (place.run != nullptr) {
    absl::StatusOr<KeyRun::Range> found = co_await place.run->Find(search.hash);
    if (!found.ok()) {
      keys_->NoteDamage(*place.run, found.status());
      co_return false;
    }
    range = *std::move(found);
  }
  if (place.in_order && place.time_max > search.query.end) {
    CO_ASSIGN_OR_RETURN(range.end, co_await FirstStoredBehind(search, place, range));
    if (place.run != nullptr && place.run->damaged) co_return false;
  }
  for (uint64_t number = range.end; number > range.begin && !search.done();) {
    const absl::StatusOr<RecordRef> ref = co_await RecordAt(place, range, --number);
    if (!ref.ok()) co_return false;
    if (ref->position < search.dropped_below) break;
    absl::StatusOr<core::Slice> bytes = co_await ReadForKey(search, *ref);
    if (absl::IsNotFound(bytes.status())) break;  // expired, with all before it
    if (absl::IsDataLoss(bytes.status())) continue;
    if (!bytes.ok()) co_return bytes.status();
    const absl::StatusOr<RecordView> record = ParseRecord(bytes->bytes());
    if (!record.ok()) continue;
    if (place.in_order && record->store_timestamp < search.query.begin) break;
    if (record->store_timestamp < search.query.begin || record->store_timestamp > search.query.end) continue;
    if (record->topic != search.query.topic || !HasKey(record->properties, search.query.key) ||
        !ServesRecord(*record, ref->position))
      continue;
    search.result.cut = !search.result.messages.empty() && search.bytes + bytes->size() > search.query.bytes_max;
    if (search.result.cut) break;
    search.bytes += bytes->size();
    search.result.messages.push_back({record->store_timestamp, record->position, *std::move(bytes)});
  }
  co_return true;
}

/// The number of the first entry in `range` whose message was stored behind the end of the query. The place is in order of store time.
core::Task<absl::StatusOr<uint64_t>> ShardStoreImpl::FirstStoredBehind(KeySearch& search, KeyIndex::Place& place,
                                                                       KeyRun::Range& range) {
  uint64_t low = range.begin;
  uint64_t high = range.end;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    // A message that can't be read has no time: the next one that can speaks for it.
    uint64_t probe = middle;
    core::WallMillis time = -1;
    for (; probe < high && time < 0; ++probe) {
      const absl::StatusOr<RecordRef> ref = co_await RecordAt(place, range, probe);
      if (!ref.ok()) co_return range.end;  // the caller sees that the run is damaged
      const absl::StatusOr<core::Slice> bytes = co_await ReadForKey(search, *ref);
      if (!bytes.ok() && !absl::IsNotFound(bytes.status()) && !absl::IsDataLoss(bytes.status()))
        co_return bytes.status();
      const absl::StatusOr<RecordView> record = bytes.ok() ? ParseRecord(bytes->bytes()) : bytes.status();
      if (record.ok()) time = record->store_timestamp;
    }
    if (time < 0 || time > search.query.end) {
      high = middle;
    } else {
      low = probe;
    }
  }
  co_return low;
}

/// Consumers of its queue may see it, and it is not of a topic that was deleted meanwhile.
bool ShardStoreImpl::ServesRecord(const RecordView& record, uint64_t position) const {
  const Queue* const queue = queues_.Find(QueueName(record.topic, record.queue_id));
  const int64_t offset = record.queue_offset.value();
  if (queue == nullptr || offset >= queue->visible) return false;
  const Run* const run = queue->FindRun(offset);
  if (run == nullptr || run->first > offset || position < run->segment->position || position >= run->segment->limit())
    return false;
  return run->entries == nullptr || run->entries->at(static_cast<size_t>(offset - run->first)).position == position;
}

}  // namespace store
