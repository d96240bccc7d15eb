#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "core/types.h"

namespace store::tools {

/// Reads RocketMQ's consume queues: CONSUMEQUEUE/topic/queueId/files of 20-byte entries, big-endian: position 8, record size 4, tags code 8. One shard.
class ConsumeQueueReader {
 public:
  struct Entry {
    int64_t position = 0;
    int32_t bytes = 0;
    int64_t tags_code = 0;
  };
  struct Queue {
    std::string directory;
    int64_t begin = 0;  // of the first file, in entries
    int64_t end = 0;    // one past the last entry: what RocketMQ gives out next
    uint64_t file_bytes = 0;
    std::vector<uint64_t> files;  // where they begin, in bytes
    std::string window;           // entries that were read last
    int64_t window_begin = 0;
  };

  explicit ConsumeQueueReader(std::string directory) : directory_(std::move(directory)) {}
  /// Finds the queues; none when there is no such folder.
  core::Task<absl::Status> Open();
  /// The highest position in the commit log that a queue lists, -1 for none: RocketMQ's own recovery goes on behind it.
  int64_t dispatched() const { return dispatched_; }
  const std::map<core::QueueKey, Queue>& queues() const { return queues_; }
  /// What stands at an offset of the queue; nothing when it has no such entry or one that holds no message.
  core::Task<absl::StatusOr<std::optional<Entry>>> Find(core::QueueKey key, int64_t offset);

 private:
  core::Task<absl::Status> OpenQueue(core::QueueKey key, std::string directory);
  core::Task<absl::Status> FindEnd(Queue& queue);
  static core::Task<absl::Status> ReadWindow(Queue& queue, int64_t offset, size_t entries);

  const std::string directory_;
  std::map<core::QueueKey, Queue> queues_;
  int64_t dispatched_ = -1;
};

}  // namespace store::tools
