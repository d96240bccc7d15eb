#pragma once

#include <cstdint>
#include <vector>

#include "bench/options.h"
#include "bench/result.h"
#include "core/io.h"
#include "core/stop.h"
#include "core/task.h"

namespace bench {

/// The share of the load that one thread makes, and the clock that all threads measure by.
struct Share {
  const Options* options = nullptr;
  core::Endpoint broker;
  int32_t first_connection = 0;
  int32_t connections = 0;
  std::vector<int64_t> queue_offsets;  // consumers: where each queue begins
  std::vector<int64_t> queue_ends;     // consumers of a backlog: where it ends
  core::MonoTime measure_from;         // what completes in [measure_from, measure_until) counts
  core::MonoTime measure_until;
};

/// Sends in closed or open loop until `measure_until` (or until the share's messages are sent).
core::Task<Tally> Produce(Share share, int64_t* live_messages);
/// Pulls queue `q` on connection `q % connections`; ends when the backlog is drained.
core::Task<Tally> ConsumeBacklog(Share share, int64_t* live_messages);
/// Waits with held pulls on every queue until `measure_until` and records the age of each message from the stamp in its body.
core::Task<Tally> ConsumeTail(Share share, int64_t* live_messages);

}  // namespace bench
