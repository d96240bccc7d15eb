#pragma once

#include "broker/broker_shard.h"
#include "broker/pull.h"
#include "core/stop.h"
#include "core/task.h"
#include "core/time.h"

namespace broker {

/// The owner's half of a pull, on the shard of the queue. `job` stays untouched by its shard meanwhile.

/// Commits the offset that came along and reads, now.
core::Task<PullOutcome> PullNow(BrokerShard& here, const PullJob* job);

/// Waits for messages that pass the filter: until there is one, `deadline` or `stop`. Messages that do not pass move the place from
/// which to read on, so that they are looked at once; the client is told of it when the time is up.
core::Task<PullOutcome> PullHeld(BrokerShard& here, const PullJob* job, core::MonoTime deadline, core::StopToken stop);

}  // namespace broker
