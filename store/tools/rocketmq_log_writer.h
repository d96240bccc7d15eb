#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "core/file.h"
#include "core/task.h"

namespace store::tools {

/// What stands where a commit log file of RocketMQ has no room for the next record: int32 bytes left, int32 this. Source: RocketMQ 5.3.3, CommitLog.
inline constexpr uint32_t kBlankMagic = 0xCBD43194;
inline constexpr uint64_t kBlankBytes = 8;

/// Writes a commit log as RocketMQ has it: files of one size, named by the position at which they begin, records back to back, a blank at the end of
/// each. The log begins at `file_bytes` and not at 0: RocketMQ puts entries with position 0 in front of a queue that begins later, and
/// takes those for messages when the log has a position 0. One shard.
class RocketMqLogWriter {
 public:
  /// `directory` exists. `file_bytes`: RocketMQ's mappedFileSizeCommitLog.
  RocketMqLogWriter(std::string directory, uint64_t file_bytes)
      : directory_(std::move(directory)), file_bytes_(file_bytes), position_(file_bytes) {}
  /// Appends a copy of `record` whose position is where it lies now. kInvalidArgument: longer than a file can hold.
  core::Task<absl::Status> Append(std::span<const std::byte> record);
  /// Everything on stable storage, the last file in its full size.
  core::Task<absl::Status> Finish();
  /// Lets go of the file, finished or not. Always called.
  core::Task<void> Close();
  uint64_t position() const { return position_; }

 private:
  core::Task<absl::Status> Flush();
  core::Task<absl::Status> Roll();
  core::Task<absl::Status> CloseFile();
  uint64_t room() const { return file_begin_ + file_bytes_ - position_; }

  const std::string directory_;
  const uint64_t file_bytes_;
  core::File file_;
  uint64_t file_begin_ = 0;
  uint64_t position_;
  std::string pending_;  // ends at position_
};

}  // namespace store::tools
