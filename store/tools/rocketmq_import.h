#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "core/types.h"
#include "store/manifest.h"
#include "store/record.h"

namespace store::tools {

struct ImportOptions {
  std::string from;       // RocketMQ's store folder
  std::string directory;  // RingMQ's data folder: absent or empty
  ManifestContent manifest;
  /// Which log a queue belongs to.
  std::function<uint32_t(const core::QueueKey&)> owner;
  /// What the queue index keeps of a message that no consume queue lists.
  std::function<int64_t(const RecordView&)> tags_code;
  /// The topic exists; messages of deleted ones are left behind.
  std::function<bool(std::string_view topic)> wanted;
};

struct ImportResult {
  struct Range {
    int64_t begin = 0;
    int64_t end = 0;                   // what is given out next
    bool messages_end_before = false;  // the last ones are not there any more
  };
  std::map<core::QueueKey, Range> queues;
  uint64_t records = 0;
  uint64_t deleted = 0;  // left behind: of deleted topics, expired, or prepared transactions that never had a queue
  uint64_t damaged = 0;  // left behind: the body does not fit its CRC
};

/// Makes the logs of a new data folder from RocketMQ's commit log and consume queues. Queue offsets, times, hosts and properties stay; positions and so
/// the ids made of them change. The metadata and then the manifest (WriteManifest) are the caller's: without a manifest no broker takes the folder for
/// whole. kFailedPrecondition: a store of a kind that can't be read. One shard.
core::Task<absl::StatusOr<ImportResult>> ImportCommitLog(ImportOptions options);

/// The last step. On stable storage when it returns.
core::Task<absl::Status> WriteManifest(std::string directory, ManifestContent manifest);

/// OK when nothing is in the way at `directory`: it is absent or empty.
core::Task<absl::Status> CheckEmpty(std::string directory);

}  // namespace store::tools
