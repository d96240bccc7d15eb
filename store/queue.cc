#include "store/queue.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/strings.h"
#include "store/hash.h"
#include "store/segment.h"

namespace store {
uint64_t HashQueue(std::string_view topic, int32_t queue_id) {
  const uint64_t hash = HashText(0x9E3779B97F4A7C15ULL, topic);
  return MixHash(hash ^ (static_cast<uint64_t>(static_cast<uint32_t>(queue_id)) << 32));
}

std::string QueueFloorKey(const core::QueueKey& key) {
  return core::StrCat(key.topic, std::string_view("\0", 1), key.queue_id);
}

void EntryList::Add(const IndexEntry& entry) {
  if (last_.size() == kBlockEntries) {
    auto block = std::make_unique_for_overwrite<IndexEntry[]>(kBlockEntries);
    std::copy(last_.begin(), last_.end(), block.get());
    full_.push_back(std::move(block));
    last_.clear();
  }
  last_.push_back(entry);
}

void Queue::Add(Segment& segment, int64_t offset, const IndexEntry& entry, core::WallMillis store_time) {
  CORE_DEBUG_ASSERT(offset >= next);
  if (runs.empty() || runs.back().segment != &segment) segment.queues.push_back(this);
  if (runs.empty() || runs.back().segment != &segment || runs.back().end() != offset) {
    CORE_ASSERT(!segment.sealed);
    runs.push_back({.segment = &segment, .first = offset, .time_min = store_time, .time_max = store_time, .entries = nullptr});
    runs.back().entries = std::make_unique<EntryList>();
  }
  Run& run = runs.back();
  run.entries->Add(entry);
  ++run.count;
  run.time_min = std::min(run.time_min, store_time);
  run.time_max = std::max(run.time_max, store_time);
  next = offset + 1;
}

Run* Queue::FindRun(int64_t offset) {
  // Tail readers want the last run.
  if (!runs.empty() && runs.back().first <= offset) return offset < runs.back().end() ? &runs.back() : nullptr;
  const auto found = std::upper_bound(runs.begin(), runs.end(), offset, [](int64_t at, const Run& run) { return at < run.end(); });
  return found == runs.end() ? nullptr : &*found;
}

Queue& QueueTable::FindOrMake(const QueueName& name) {
  if (Queue* queue = Find(name)) return *queue;
  auto made = std::make_unique<Queue>(name);
  Queue& queue = *made;
  QueueName own = name;
  own.topic = queue.key.topic;
  queues_.emplace(own, std::move(made));
  return queue;
}

std::unique_ptr<Queue> QueueTable::Take(const QueueName& name) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return nullptr;
  // The name in the table points into the queue, so the queue must outlive the erased entry.
  std::unique_ptr<Queue> queue = std::move(found->second);
  queues_.erase(found);
  return queue;
}

}  // namespace store
