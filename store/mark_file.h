#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/file.h"
#include "core/task.h"
#include "store/batch.h"

namespace store {

/// The flushed-up-to mark of a log that has gone quiet: batches carry the mark of what came before them, this file that of the last ones.
/// Two blocks written in turn, so that a torn write leaves the other. Never ahead of the truth; it may lag behind.
///
/// A block, little-endian: 0 magic 8 | 8 store id 16 | 24 log number 4 | 28 closed in order 4 | 32 sequence 8 | 40 mark 8 | 48 CRC32C of bytes 0..48 4 | zero
class MarkFile {
 public:
  /// Two slots of one block.
  static constexpr size_t kFileBytes = 2 * kBlock;
  /// One of the two blocks in memory.
  struct Slot {
    uint64_t sequence = 0;
    uint64_t mark = 0;
    bool closed = false;
  };
  /// kNotFound: never written; kDataLoss: damaged; kFailedPrecondition: of another store or log.
  static absl::StatusOr<Slot> ParseSlot(std::span<const std::byte> block, LogIdentity log);

  /// Opens or makes DIRECTORY/flushed. kFailedPrecondition: it is of another store.
  static core::Task<absl::StatusOr<MarkFile>> Open(std::string directory, LogIdentity log);
  MarkFile() = default;
  MarkFile(MarkFile&&) = default;
  MarkFile& operator=(MarkFile&&) = default;

  /// The highest mark that could be read, 0 when none could.
  uint64_t mark() const { return mark_; }
  /// The log was closed in order, its end at mark(), and no run has written to it since.
  bool clean() const { return clean_; }
  core::Task<absl::Status> Record(uint64_t mark);
  /// The first word of a run, before it writes to the log at `mark`, its end so far: from here on clean() is no more true. On stable storage.
  core::Task<absl::Status> RecordOpened(uint64_t mark);
  /// The last word of a log that is closed in order; on stable storage.
  core::Task<absl::Status> RecordClosed(uint64_t mark);
  core::Task<absl::Status> Close();

 private:
  core::Task<absl::Status> Write(uint64_t mark, bool closed, bool durable);

  LogIdentity log_;
  core::File file_;
  uint64_t sequence_ = 0;
  uint64_t mark_ = 0;
  bool clean_ = false;
};

}  // namespace store
