#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/file.h"
#include "core/task.h"
#include "store/record.h"

namespace store::tools {

/// A record of RocketMQ's commit log. Points into the reader.
struct RocketMqRecord {
  uint64_t position = 0;
  std::span<const std::byte> bytes;
  RecordView record;
};

/// Reads a commit log of RocketMQ from front to back: files of one size named by their positions. Where the last file has no further record the
/// log ends, as it does for RocketMQ. One shard.
class RocketMqLogReader {
 public:
  explicit RocketMqLogReader(std::string directory) : directory_(std::move(directory)) {}
  /// kFailedPrecondition: not a folder of such files.
  core::Task<absl::Status> Open();
  /// The next record, valid until the next call; nothing at the end. kDataLoss names file and byte where the chain of records breaks with files
  /// behind it. Bodies are not checked.
  core::Task<absl::StatusOr<std::optional<RocketMqRecord>>> Next();
  core::Task<void> Close();

 private:
  core::Task<absl::Status> Fill(uint64_t offset, size_t bytes);
  core::Task<absl::StatusOr<bool>> NextFile();
  std::string FilePath() const;

  const std::string directory_;
  std::vector<uint64_t> files_;  // their positions
  uint64_t file_bytes_ = 0;
  size_t index_ = 0;
  core::File file_;
  uint64_t offset_ = 0;  // in the file
  std::string window_;
  uint64_t window_begin_ = 0;
};

}  // namespace store::tools
