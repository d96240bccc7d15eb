#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "core/time.h"
#include "core/types.h"
#include "store/manifest.h"
#include "store/tools/due_check.h"
#include "store/tools/finding.h"
#include "store/tools/key_check.h"
#include "store/tools/meta_reader.h"

namespace store::tools {

struct SegmentOverview {
  uint64_t position = 0;
  uint64_t end = 0;  // log position where its last batch ends
  uint64_t bytes = 0;
  bool sealed = false;
  core::WallMillis time_min = 0;  // store times; 0 when it has no messages
  core::WallMillis time_max = 0;
};

struct LogOverview {
  uint32_t number = 0;
  uint64_t mark = 0;    // all below was flushed
  bool closed = false;  // in order
  uint32_t epoch = 0;   // of the last batch: it grows with each opening
  std::vector<SegmentOverview> segments;
  std::vector<DueRunOverview> due_runs;  // of the index of waiting messages
  std::vector<KeyRunOverview> key_runs;
};

struct QueueOverview {
  uint32_t log = 0;
  int64_t min = 0;
  int64_t max = 0;  // one past the last message; what is given out next
  uint64_t messages = 0;
  uint64_t bytes = 0;  // of records in segments that are not sealed yet
  core::WallMillis time_min = 0;
  core::WallMillis time_max = 0;
};

/// What a data folder holds.
struct Overview {
  ManifestContent manifest;
  std::vector<LogOverview> logs;
  std::map<core::QueueKey, QueueOverview> queues;
  std::vector<MetaContent> meta;  // one a log: topics, groups, consumer offsets
  uint64_t log_bytes = 0;         // that the segment files take
  uint64_t index_bytes = 0;
  uint64_t due_bytes = 0;         // the files of the indexes of waiting messages
  uint64_t key_bytes = 0;         // the files of the indexes of keys
  uint64_t meta_bytes = 0;
  uint64_t damages = 0;  // that were met on the way; verify says more
};

/// Reads indexes, metadata and the segments that are not sealed yet; takes no lock and writes nothing. Errors as VerifyFolder. One shard.
core::Task<absl::StatusOr<Overview>> InspectFolder(std::string directory);

/// Group, queue of an entry of MetaTable::kConsumerOffsets; false for anything else.
bool ParseOffsetKey(std::string_view key, std::string& group, core::QueueKey& queue);

}  // namespace store::tools
