#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/segment.h"

namespace store {

/// Files of expired segments that become new ones, DIRECTORY/POSITION.spare: a durable write to blocks that were written before changes nothing
/// but data, where one to reserved blocks also takes a commit of the file system's journal. What such a file holds can't come back: a batch counts
/// only at the log position that its header names, a record only at the one that it names itself, and those of an
/// expired segment lie before the log's begin. One shard.
class SpareSegments {
 public:
  /// More is disk that nobody else can use.
  static constexpr size_t kMax = 4;

  /// Of a log whose new segments have `segment_bytes`.
  SpareSegments(std::string directory, uint64_t segment_bytes) : directory_(std::move(directory)), segment_bytes_(segment_bytes) {}

  /// Finds what earlier runs have left; what can't be used is removed.
  core::Task<absl::Status> Load();
  bool Wants(const Segment& segment) const { return segment.bytes == segment_bytes_ && positions_.size() < kMax; }
  /// Makes the file of `segment`, which nobody reads any more, a spare one. From then on it is no segment, whenever a crash comes. It stays open.
  core::Task<absl::Status> Keep(const Segment& segment);
  /// The new segment at `position`, from a spare file where there is one, otherwise as CreateSegment.
  core::Task<absl::StatusOr<std::unique_ptr<Segment>>> NewSegment(LogIdentity log, uint64_t position,
                                                                  SegmentBlocks blocks = SegmentBlocks::kReserved,
                                                                  core::StopToken hurry = {});
  /// Gives their room back to the disk.
  core::Task<absl::Status> RemoveAll();
  /// New segments so far that a spare file became.
  uint64_t reused() const { return reused_; }

 private:
  const std::string directory_;
  const uint64_t segment_bytes_;
  std::vector<uint64_t> positions_;  // that the files' names still say
  uint64_t reused_ = 0;
};

}  // namespace store
