#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/task.h"
#include "store/batch.h"

namespace store {

/// What a run that ended without a word has left in its append buffer: batches that it had acknowledged and perhaps not yet written to the
/// log. Nothing of it counts by itself: recovery asks for the batch that continues the log where the log has none.
class AppendRemains {
 public:
  /// Null when there is no such file, or none that can be used (a power cut may leave anything). kFailedPrecondition: it is of another store or
  /// version. Any other error: it can't be read, and what it has may be nowhere else.
  static core::Task<absl::StatusOr<std::unique_ptr<AppendRemains>>> Load(std::string directory, LogIdentity log);

  /// The batch at `position` as it would lie in the log, checked as a whole; empty when there is none. `previous_crc`: of the batch before it,
  /// where that is known. `mark` completes the header of a batch that was still open. An error: the file can't be read.
  core::Task<absl::StatusOr<core::Slice>> BatchAt(uint64_t position, std::optional<uint32_t> previous_crc, uint64_t mark);

 private:
  struct Closed {
    uint64_t position;
    uint32_t previous_crc;
    uint32_t bytes;
    uint64_t offset;  // in the file
  };

  core::Task<absl::Status> Parse(std::span<const std::byte> head);
  core::Task<absl::Status> ScanChunks(size_t chunk_bytes);
  absl::Status CantRead(const absl::Status& why) const;
  core::Task<absl::StatusOr<core::Slice>> CopyClosed(Closed batch);
  core::Task<absl::StatusOr<core::Slice>> BuildOpen(uint64_t mark);

  LogIdentity log_;
  std::string path_;  // opened for each reading: whoever asks need not close anything
  uint32_t epoch_ = 0;
  std::vector<Closed> closed_;  // sorted by position
  uint64_t open_position_ = 0;
  uint64_t open_offset_ = 0;
  uint32_t open_previous_crc_ = 0;
  uint64_t open_records_before_ = 0;
  uint64_t bytes_ = 0;
  std::vector<TableEntry> open_rows_;
};

}  // namespace store
