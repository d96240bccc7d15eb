#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/sync.h"
#include "core/types.h"
#include "store/message.h"

namespace store {

struct Segment;

/// A queue's hash on disk (record tables): never change it. Also what the table of queues hashes by, so that a key is hashed once.
uint64_t HashQueue(std::string_view topic, int32_t queue_id);

/// Key of a queue in MetaTable::kQueueFloors.
std::string QueueFloorKey(const core::QueueKey& key);

/// A queue's name without owning it, with its hash.
struct QueueName {
  QueueName(std::string_view t, int32_t id) : topic(t), queue_id(id), hash(HashQueue(t, id)) {}
  explicit QueueName(const core::QueueKey& key) : QueueName(key.topic, key.queue_id) {}
  std::string_view topic;
  int32_t queue_id;
  uint64_t hash;
};

/// What the queue index keeps of a message: where it lies, what proves it, what filters need.
struct IndexEntry {
  uint64_t position = 0;  // in the log
  uint32_t bytes = 0;
  uint32_t crc = 0;  // CRC32C of the record: a read from disk is checked by it alone
  int64_t tags_code = 0;
};
static_assert(sizeof(IndexEntry) == 24);

/// Entries in memory, appended at the end. Grows without copying more than one small block, so that no append pays for a big one.
class EntryList {
 public:
  static constexpr size_t kBlockEntries = 256;
  void Add(const IndexEntry& entry);
  const IndexEntry& at(size_t index) const {
    const size_t block = index / kBlockEntries;
    return block == full_.size() ? last_[index % kBlockEntries] : full_[block][index % kBlockEntries];
  }
  size_t size() const { return full_.size() * kBlockEntries + last_.size(); }

 private:
  std::vector<std::unique_ptr<IndexEntry[]>> full_;
  std::vector<IndexEntry> last_;
};

/// Consecutive offsets of a queue within one segment. The entries are in memory until the segment is sealed, then in its index file.
struct Run {
  Segment* segment = nullptr;
  int64_t first = 0;  // queue offset
  int64_t count = 0;
  core::WallMillis time_min = 0;
  core::WallMillis time_max = 0;
  std::unique_ptr<EntryList> entries;  // null once sealed
  uint64_t sealed_entry = 0;           // number of the first entry in the index file
  int64_t end() const { return first + count; }
};

/// One message queue: what was given out, what readers may see, where its messages are.
struct Queue {
  explicit Queue(const QueueName& name) : key{std::string(name.topic), name.queue_id}, hash(name.hash) {}

  /// Enters the message with offset `offset` >= the end so far (a jump begins a new run: something in between is damaged).
  void Add(Segment& segment, int64_t offset, const IndexEntry& entry, core::WallMillis store_time);
  /// The run that holds `offset`, else the first one behind it, else null.
  Run* FindRun(int64_t offset);
  const Run* FindRun(int64_t offset) const { return const_cast<Queue*>(this)->FindRun(offset); }
  int64_t min() const { return runs.empty() ? visible : std::min(runs.front().first, visible); }
  /// Something was ever stored: otherwise only waiters know of it.
  bool exists() const { return next > 0; }

  const core::QueueKey key;
  const uint64_t hash;
  int64_t next = 0;     // offset of the next message appended
  int64_t visible = 0;  // readers see what is below
  std::vector<Run> runs;
  core::Notifier changed;  // visible has grown, or the queue was dropped
  uint32_t waiting = 0;    // coroutines at `changed`
  bool dropped = false;
  uint64_t touched_by = 0;    // the open batch's number when it holds messages of this queue
  uint32_t touched_slot = 0;  // and where that batch notes it
};

/// The queues of one log, found by name.
class QueueTable {
 public:
  Queue* Find(const QueueName& name) const {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : found->second.get();
  }
  Queue& FindOrMake(const QueueName& name);
  /// Takes the queue out; its memory is the caller's.
  std::unique_ptr<Queue> Take(const QueueName& name);
  size_t size() const { return queues_.size(); }
  template <typename Fn>
  void ForEach(Fn&& fn) const {
    for (const auto& [name, queue] : queues_) fn(*queue);
  }

 private:
  struct Hash {
    size_t operator()(const QueueName& name) const { return name.hash; }
  };
  struct Equal {
    bool operator()(const QueueName& a, const QueueName& b) const {
      return a.hash == b.hash && a.queue_id == b.queue_id && a.topic == b.topic;
    }
  };
  // The name points into the queue's own key.
  absl::flat_hash_map<QueueName, std::unique_ptr<Queue>, Hash, Equal> queues_;
};

}  // namespace store
