#pragma once

#include <cstdint>
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/file.h"
#include "core/stop.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/batch.h"

namespace store {

struct Queue;

inline constexpr uint64_t kSegmentBytesMin = uint64_t{256} << 10;
inline constexpr uint64_t kSegmentBytesMax = uint64_t{4} << 30;

/// The first block of a segment file, little-endian:
///
///     0 magic 8 | 8 format version 4 | 12 log number 4 | 16 store id 16 | 32 log position 8 | 40 segment bytes 8 | 48 CRC32C of bytes 0..48 4
///     | zero to 4,096
struct SegmentHeader {
  uint64_t position = 0;
  uint64_t bytes = 0;
};
inline constexpr uint64_t kSegmentMagic = 0x474553514D474E52;  // "RNGMQSEG"
inline constexpr uint32_t kSegmentVersion = 1;
/// `block` has kBlock bytes.
void EncodeSegmentHeader(const LogIdentity& log, const SegmentHeader& header, std::span<std::byte> block);
/// kFailedPrecondition: of another store, log or version; kDataLoss: no header.
absl::StatusOr<SegmentHeader> ParseSegmentHeader(std::span<const std::byte> block, const LogIdentity& log);

/// A piece of the log in one file: [position, position + bytes), of which the first block is the header.
struct Segment {
  uint64_t position = 0;
  uint64_t bytes = 0;
  core::File log;
  core::File index;  // open once sealed
  bool sealed = false;
  bool sealing = false;
  bool partly_read = false;  // the disk refused blocks of it at this start: it is not sealed, as a later start may find more messages in it
  bool deleting = false;  // it is not to be sealed any more
  uint64_t end = 0;          // end of the last batch, once the log has moved on to the next segment
  uint32_t last_crc = 0;     // that batch's header CRC, its epoch and the records up to here: where the chain goes on
  uint32_t last_epoch = 0;
  uint64_t records_end = 0;
  core::WallMillis time_min = 0;  // of the messages; 0 when there is none
  core::WallMillis time_max = 0;
  bool needs_sync = false;     // written to since its last flush
  bool reserved_only = false;  // made with SegmentBlocks::kReserved, by this process
  std::vector<Queue*> queues;  // with runs in here; unsealed segments only
  uint32_t pins = 0;           // readers; the file is not closed while there are any
  core::Notifier unpinned;

  uint64_t limit() const { return position + bytes; }
  uint64_t data_begin() const { return position + kBlock; }
  void Unpin() {
    if (--pins == 0) unpinned.NotifyAll();
  }
  void NoteTime(core::WallMillis at) {
    time_min = time_min == 0 ? at : std::min(time_min, at);
    time_max = std::max(time_max, at);
  }
};

inline constexpr std::string_view kSegmentSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".idx";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kSpareSuffix = ".spare";
/// DIRECTORY/POSITION with one of these, POSITION in 20 digits.
std::string SegmentFilePath(const std::string& directory, uint64_t position, std::string_view suffix);
inline std::string SegmentPath(const std::string& directory, uint64_t position) { return SegmentFilePath(directory, position, kSegmentSuffix); }
inline std::string SegmentIndexPath(const std::string& directory, uint64_t position) { return SegmentFilePath(directory, position, kIndexSuffix); }
/// The position in the name of a file of a log; empty when `name` is not such a name with `suffix`.
std::optional<uint64_t> PositionOfSegmentName(std::string_view name, std::string_view suffix);

/// What the blocks of a new segment are. A durable write to blocks that are only reserved takes a commit of the file system's journal, too; one to
/// blocks that were written before changes nothing but data. Writing them takes as long as writing the segment does.
enum class SegmentBlocks : uint8_t { kReserved, kWritten };
/// Makes the file of a new segment: its blocks, its header on stable storage, its name too. When `hurry` is stopped, the blocks that are not written yet
/// stay reserved. kResourceExhausted when the disk is full (nothing is left behind then).
core::Task<absl::StatusOr<std::unique_ptr<Segment>>> CreateSegment(std::string directory, LogIdentity log,
                                                                   uint64_t position, uint64_t bytes,
                                                                   SegmentBlocks blocks = SegmentBlocks::kReserved,
                                                                   core::StopToken hurry = {});
/// The same from the file at `path`, which has `bytes` and whose content counts no more: its header first, on stable storage, then its name. On an
/// error nothing is left under the new name.
core::Task<absl::StatusOr<std::unique_ptr<Segment>>> ReuseSegment(std::string path, std::string directory, LogIdentity log, uint64_t position,
                                                                  uint64_t bytes);
/// Removes a file in pieces, so that the file system's journal never holds a long transaction.
core::Task<absl::Status> RemoveLargeFile(std::string path, uint64_t bytes);
/// Opens an existing one. `header` is not kDataLoss-proof: a damaged header is reported by kDataLoss and the file left closed.
core::Task<absl::StatusOr<std::unique_ptr<Segment>>> OpenSegment(std::string directory, LogIdentity log, uint64_t position);

/// The segments of one log, oldest first; the last one is written to.
class SegmentList {
 public:
  bool empty() const { return segments_.empty(); }
  size_t size() const { return segments_.size(); }
  Segment& front() const { return *segments_.front(); }
  Segment& back() const { return *segments_.back(); }
  Segment& at(size_t index) const { return *segments_[index]; }
  void PushBack(std::unique_ptr<Segment> segment) { segments_.push_back(std::move(segment)); }
  std::unique_ptr<Segment> PopFront();
  std::unique_ptr<Segment> PopBack();
  /// The one that holds `position`, or null.
  Segment* Find(uint64_t position) const;

 private:
  std::deque<std::unique_ptr<Segment>> segments_;
};

}  // namespace store
