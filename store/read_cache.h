#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/segment.h"

namespace store {

/// What is read from segment and index files: aligned windows, kept while there is room, the oldest use goes first. One shard.
class ReadCache {
 public:
  static constexpr size_t kWindowBytes = size_t{256} << 10;

  explicit ReadCache(size_t bytes_max);
  ~ReadCache();
  /// Forgets everything and waits for reads under way.
  core::Task<void> Close();

  /// The record of `bytes` bytes at `offset` in the segment's log file, proven by `crc` (once while its window is in memory). Only what
  /// lies below `written` (an offset in the file) has been written. kDataLoss: the bytes on disk are not the record's.
  core::Task<absl::StatusOr<core::Slice>> ReadRecord(Segment& segment, uint64_t offset, uint32_t bytes, uint32_t crc, uint64_t written);
  /// The same record without waiting and without a coroutine, where its window is in memory. Empty: ReadRecord has it, or says why not.
  core::Slice ReadyRecord(Segment& segment, uint64_t offset, uint32_t bytes, uint32_t crc, uint64_t written);
  /// `bytes` bytes at `offset` of the segment's index file, unproven; within one window.
  core::Task<absl::StatusOr<core::Slice>> ReadIndex(Segment& segment, uint64_t offset, size_t bytes);
  /// Drops all windows of a segment whose files go away.
  void Forget(const Segment& segment);
  size_t bytes() const { return bytes_; }

 private:
  enum class Kind : uint8_t { kLog, kIndex };
  struct Key {
    const Segment* segment;
    uint64_t number;  // window number * 2 + kind
    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.segment, key.number);
    }
  };
  struct Window {
    Key key;
    core::Slice bytes;  // what could be read
    bool loading = true;
    bool forgotten = false;
    absl::Status status;
    core::Notifier loaded;
    uint32_t users = 0;
    /// Records proven, by their first byte; a record is longer than 64 bytes.
    uint64_t proven[kWindowBytes / 64 / 64] = {};
    std::list<Window*>::iterator place;
  };

  /// A window that reaches at least `need_end` bytes from its start; pinned (users) until Release.
  core::Task<absl::StatusOr<Window*>> Get(Segment& segment, Kind kind, uint64_t number, size_t need_end, uint64_t readable_end);
  core::Task<void> Load(Segment& segment, Kind kind, Window& window, uint64_t readable_end);
  void Release(Window& window);
  /// The record, which lies in the window; empty when it is not what `crc` says.
  core::Slice Take(Segment& segment, Window& window, size_t begin, uint32_t bytes, uint32_t crc, uint64_t written);
  void ReadAhead(Segment& segment, Kind kind, uint64_t number, uint64_t readable_end);
  core::Task<void> ReadAheadOne(Segment& segment, Kind kind, uint64_t number, uint64_t readable_end);
  void Trim();
  void Erase(Window& window);

  const size_t bytes_max_;
  size_t bytes_ = 0;
  size_t ahead_ = 0;  // read-ahead under way
  absl::flat_hash_map<Key, std::unique_ptr<Window>> windows_;
  std::vector<std::unique_ptr<Window>> forgotten_;  // still used
  std::list<Window*> by_use_;                       // the latest at the front
  core::Scope scope_;
};

}  // namespace store
