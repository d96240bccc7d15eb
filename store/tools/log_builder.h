#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/segment.h"

namespace store::tools {

/// Makes a new log out of records that have their queue offsets and times already, as a broker would have written it that was started once and
/// ended in order. Indexes are made by the first start. One shard.
class LogBuilder {
 public:
  /// `directory` is made; it must not hold a log.
  static core::Task<absl::StatusOr<std::unique_ptr<LogBuilder>>> Open(std::string directory, LogIdentity log,
                                                                      uint64_t segment_bytes);
  /// Appends a copy of `record` whose position is where it lies now. kInvalidArgument: longer than a segment can hold.
  core::Task<absl::Status> Add(std::span<const std::byte> record, uint64_t queue_hash, int64_t queue_offset,
                               int64_t tags_code, core::WallMillis store_time);
  /// Everything on stable storage, the log closed in order.
  core::Task<absl::Status> Finish();
  /// Lets go of the file, finished or not. Always called.
  core::Task<void> Close();

 private:
  LogBuilder(std::string directory, LogIdentity log, uint64_t segment_bytes)
      : directory_(std::move(directory)), log_(log), segment_bytes_(segment_bytes) {}
  core::Task<absl::Status> Begin();
  core::Task<absl::Status> NextSegment();
  core::Task<absl::Status> WriteBatch(BatchKind kind);

  const std::string directory_;
  const LogIdentity log_;
  const uint64_t segment_bytes_;
  std::unique_ptr<Segment> segment_;
  core::Slice buffer_;  // the batch under way; its records are in place
  std::vector<TableEntry> table_;
  uint64_t payload_bytes_ = 0;
  uint64_t position_ = 0;  // of that batch
  uint32_t previous_crc_ = 0;
  uint64_t records_ = 0;
  core::WallMillis first_time_ = 0;
  core::WallMillis last_time_ = 0;
};

}  // namespace store::tools
