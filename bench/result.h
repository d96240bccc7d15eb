#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/options.h"
#include "core/metrics.h"

namespace bench {

/// What one worker counted, then merged into the whole.
struct Tally {
  int64_t messages = 0;  // within the measured time
  int64_t bytes = 0;     // of bodies
  core::Histogram latency_ns;
  std::map<int32_t, int64_t> errors;  // by response code
  absl::Status status;                // why the worker ended early
  int64_t out_of_order = 0;           // consumers: queue offsets that did not follow on

  void Merge(const Tally& other);
};

/// A finished run.
struct Result {
  Tally tally;
  absl::Duration measured;
  bool has_usage = false;
  absl::Duration broker_cpu;
  uint64_t broker_resident_bytes = 0;
  absl::Duration own_cpu;
};

/// The table, or one JSON object with --json. Ends with a newline.
std::string FormatResult(const Options& options, const Result& result);

}  // namespace bench
