#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "core/time.h"

namespace net {

/// Lets through so many lines a period, so that hostile peers cannot fill the log. One shard.
class LogLimiter {
 public:
  /// Whether a line may be written now; `suppressed` is how many were not since the last one that was.
  bool Admit(core::MonoTime now, uint64_t* suppressed);

 private:
  static constexpr int kLinesMax = 10;
  static constexpr absl::Duration kPeriod = absl::Seconds(10);
  core::MonoTime begin_{INT64_MIN / 2};
  int lines_ = 0;
  uint64_t suppressed_ = 0;
};

}  // namespace net
