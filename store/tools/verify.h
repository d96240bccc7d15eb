#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/manifest.h"
#include "store/tools/finding.h"

namespace store::tools {

struct VerifyReport {
  ManifestContent manifest;
  std::vector<Finding> findings;  // in the order of the files
  uint64_t segments = 0;
  uint64_t indexes = 0;
  uint64_t due_runs = 0;  // files of the indexes of waiting messages
  uint64_t key_runs = 0;  // files of the index of keys
  uint64_t batches = 0;
  uint64_t records = 0;      // messages that were proven
  uint64_t commits = 0;      // of the metadata
  uint64_t bytes = 0;        // read and checked
  uint64_t moving_logs = 0;  // logs that a broker was writing to meanwhile; checked up to where they were

  bool Damaged() const;
  uint64_t Count(Severity severity) const;
  uint64_t BytesOf(Severity severity) const;
  /// Messages that damage costs.
  uint64_t LostRecords() const;
};

/// Reads the whole data folder and says what is wrong with it. Takes no lock and writes nothing: a broker may use the folder meanwhile. An
/// error means that it can't be read at all (no manifest that can be read, no permission). One shard.
core::Task<absl::StatusOr<VerifyReport>> VerifyFolder(std::string directory);

/// DIRECTORY/manifest. kNotFound, kDataLoss and others are sentences that name the file.
core::Task<absl::StatusOr<ManifestContent>> ReadManifest(std::string directory);

}  // namespace store::tools
