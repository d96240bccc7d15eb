#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/record.h"
#include "store/tools/finding.h"
#include "store/tools/log_folder.h"
#include "store/tools/log_walk.h"
#include "store/tools/meta_reader.h"

namespace store::tools {

/// One message of a log, proven by its row. Points into the stream.
struct StreamedRecord {
  TableEntry row;
  RecordView record;
  std::span<const std::byte> bytes;
  uint64_t position = 0;  // in the log
  bool damaged = false;   // only `row` and `position` are good: the message itself is not
};

/// The messages of one log in its order, those of deleted topics left out. Takes no lock and writes nothing. One shard; close it.
class RecordStream {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<RecordStream>>> Open(std::string directory, LogIdentity identity);
  /// The next message, valid until the next call; nothing at the end of the log.
  core::Task<std::optional<StreamedRecord>> Next();
  core::Task<void> Close() { co_await folder_->Close(); }

  const MetaContent& meta() const { return meta_; }
  uint32_t log_number() const { return folder_->identity().log_number; }
  /// Ranges in which nothing could be read, so far.
  uint64_t damaged_ranges() const { return damaged_ranges_; }

 private:
  RecordStream() = default;
  void Unpack(const LogStep& step);

  MetaContent meta_;
  std::unique_ptr<LogFolder> folder_;
  std::unique_ptr<LogWalk> walk_;
  std::vector<StreamedRecord> batch_;
  size_t next_ = 0;
  uint64_t damaged_ranges_ = 0;
};

}  // namespace store::tools
