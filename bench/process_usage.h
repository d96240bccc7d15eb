#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/task.h"

namespace bench {

/// What a process has used, from /proc.
struct ProcessUsage {
  absl::Duration cpu;  // all threads, user and system
  uint64_t resident_bytes = 0;
};

core::Task<absl::StatusOr<ProcessUsage>> ReadProcessUsage(int64_t pid);

}  // namespace bench
