#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "core/types.h"
#include "store/tools/meta_reader.h"

namespace store::tools {

struct ExportOptions {
  std::string directory;   // RingMQ's data folder
  std::string commit_log;  // where the files go; exists and is empty
  uint64_t file_bytes = uint64_t{1} << 30;
  /// RocketMQ's queues have no holes. True: an empty message with the property RINGMQ_LOST stands for each that was lost; false: a hole is
  /// an error.
  bool fill_holes = false;
};

struct ExportResult {
  struct Range {
    int64_t begin = 0;
    int64_t end = 0;
  };
  std::map<core::QueueKey, Range> queues;  // what was written of each
  std::vector<MetaContent> meta;           // of each log
  uint64_t records = 0;
  uint64_t fillers = 0;
  uint64_t damaged = 0;  // messages that can't be read; those between others are fillers
  uint64_t end = 0;      // of the commit log
};

/// Writes all messages of a data folder as a commit log of RocketMQ, the logs merged by store time. Queue offsets, times, hosts and properties stay; positions
/// and so the ids made of them change. Reads only; a broker may run, then the copy ends where its logs were. kFailedPrecondition: a hole, and it is not
/// to be filled. One shard.
core::Task<absl::StatusOr<ExportResult>> ExportCommitLog(ExportOptions options);

}  // namespace store::tools
