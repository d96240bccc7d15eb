#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/task.h"
#include "store/batch.h"
#include "store/tools/finding.h"
#include "store/tools/meta_reader.h"

namespace store::tools {

/// What one file of an index of waiting messages holds (store/due_run.h).
struct DueRunOverview {
  std::string folder;  // of delayed messages, or of pending transactions
  uint64_t number = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  uint64_t done = 0;         // of them: delivered or taken back, as the checkpoint says
  bool named = false;        // by the checkpoint; else it goes at the next start
  uint64_t bytes_read = 0;   // and checked
};

/// Reads all files NUMBER.due of `root`/log-N and `root`/half-N, which a broker may be writing, and holds them against the checkpoint in `meta`; each damage goes into
/// `findings` with its file and its page. Writes nothing.
core::Task<std::vector<DueRunOverview>> CheckDueRuns(std::string root, LogIdentity log, const MetaContent& meta,
                                                     std::vector<Finding>& findings);

}  // namespace store::tools
