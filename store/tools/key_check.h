#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/task.h"
#include "store/tools/finding.h"
#include "store/tools/log_folder.h"

namespace store::tools {

/// What one file of the index of keys holds (store/key_run.h).
struct KeyRunOverview {
  uint64_t begin = 0;  // of its stretch of the log; its name
  uint64_t end = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  uint64_t bytes_read = 0;  // and checked
};

/// Reads all files POSITION.keys of a log, which a broker may be writing; each damage goes into `findings` with its file and its page. Writes nothing.
core::Task<std::vector<KeyRunOverview>> CheckKeyRuns(LogFolder& folder, std::vector<Finding>& findings);

}  // namespace store::tools
