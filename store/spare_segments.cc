#include "store/spare_segments.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/status.h"
#include "core/strings.h"

namespace store {

core::Task<absl::Status> SpareSegments::Load() {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries, co_await core::fs::List(directory_));
  for (const core::DirectoryEntry& entry : entries) {
    const std::optional<uint64_t> position = PositionOfSegmentName(entry.name, kSpareSuffix);
    if (!position.has_value()) continue;
    const std::string path = core::StrCat(directory_, "/", entry.name);
    CO_ASSIGN_OR_RETURN(const core::FileInfo info, co_await core::fs::Stat(path));
    if (info.bytes == segment_bytes_ && positions_.size() < kMax) {
      positions_.push_back(*position);
    } else {
      CO_RETURN_IF_ERROR(co_await core::fs::Remove(path));
    }
  }
  std::sort(positions_.begin(), positions_.end(), std::greater<>());
  co_return absl::OkStatus();
}

core::Task<absl::Status> SpareSegments::Keep(const Segment& segment) {
  CO_RETURN_IF_ERROR(co_await core::fs::Rename(SegmentPath(directory_, segment.position), SegmentFilePath(directory_, segment.position, kSpareSuffix)));
  // Before anything is written to it: under its old name it would be a damaged segment.
  CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory(directory_));
  positions_.insert(positions_.begin(), segment.position);
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::unique_ptr<Segment>>> SpareSegments::NewSegment(LogIdentity log, uint64_t position,
                                                                               SegmentBlocks blocks,
                                                                               core::StopToken hurry) {
  while (!positions_.empty()) {
    const std::string path = SegmentFilePath(directory_, positions_.back(), kSpareSuffix);
    positions_.pop_back();
    absl::StatusOr<std::unique_ptr<Segment>> segment = co_await ReuseSegment(path, directory_, log, position, segment_bytes_);
    if (segment.ok()) {
      ++reused_;
      co_return segment;
    }
    core::LogWarning("a spare segment file can't be used: ", segment.status().ToString());
    (void)co_await core::fs::Remove(path);
  }
  co_return co_await CreateSegment(directory_, log, position, segment_bytes_, blocks, hurry);
}

core::Task<absl::Status> SpareSegments::RemoveAll() {
  while (!positions_.empty()) {
    const std::string path = SegmentFilePath(directory_, positions_.back(), kSpareSuffix);
    positions_.pop_back();
    CO_RETURN_IF_ERROR(co_await RemoveLargeFile(path, segment_bytes_));
  }
  co_return absl::OkStatus();
}

}  // namespace store
