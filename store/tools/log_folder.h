#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/segment.h"
#include "store/tools/finding.h"

namespace store::tools {

/// The files of one log, opened for reading only, beside a running broker or without one. One shard. Close it.
class LogFolder {
 public:
  /// `root`/`name` is the log's folder. What is wrong with names, headers and marks goes into `findings`; an error means that the folder
  /// can't be read at all.
  static core::Task<absl::StatusOr<std::unique_ptr<LogFolder>>> Open(std::string root, std::string name,
                                                                     LogIdentity identity,
                                                                     std::vector<Finding>& findings);
  core::Task<void> Close();

  /// The segments in the order of the log. Their `sealed`, `end` and chain are set where a whole index file says them.
  const SegmentList& segments() const { return segments_; }
  const LogIdentity& identity() const { return identity_; }
  const std::string& directory() const { return directory_; }
  /// As findings name it.
  const std::string& name() const { return name_; }
  /// All below was flushed: the highest of the mark file and of the ends of sealed segments.
  uint64_t mark() const { return mark_; }
  /// The log was closed in order with its end at mark().
  bool clean() const { return clean_; }
  /// "log-0/00000000000000000000.log".
  std::string FileOf(const Segment& segment) const;
  std::string IndexFileOf(const Segment& segment) const;
  /// The segment's file is still there; retention takes files away from under a reader.
  core::Task<bool> Exists(const Segment& segment) const;

 private:
  LogFolder(std::string root, std::string name, LogIdentity identity)
      : name_(std::move(name)), directory_(std::move(root) + "/" + name_), identity_(identity) {}
  core::Task<absl::Status> OpenAll(std::vector<Finding>& findings);
  core::Task<absl::StatusOr<std::unique_ptr<Segment>>> OpenOne(uint64_t position, bool last,
                                                               std::vector<Finding>& findings);
  core::Task<void> ReadSealed(Segment& segment);
  core::Task<absl::Status> ReadMarks(std::vector<Finding>& findings);

  const std::string name_;
  const std::string directory_;
  const LogIdentity identity_;
  SegmentList segments_;
  uint64_t mark_ = 0;
  bool clean_ = false;
};

}  // namespace store::tools
