#pragma once

#include "broker/broker_shard.h"
#include "broker/pull.h"
#include "core/stop.h"
#include "core/task.h"

namespace broker {

/// The owner's half of a pull, on the shard of the queue. `job` stays untouched by its shard meanwhile. What is read commits the
/// offset that came along. The first pull after a reset of its group's offset reads and commits nothing: it is told where to go on.

/// Reads what lies in memory, which takes no time. What does not is only said to be on the disk (`on_disk`), with what to expect of it.
core::Task<PullOutcome> PullNow(BrokerShard& here, const PullJob* job);

/// Reads from the disk, in turn for room; or, with `held_until`, waits until there is a message that passes the filter, that time or `stop`.
core::Task<PullOutcome> PullPatiently(BrokerShard& here, const PullJob* job, core::StopToken stop);

/// Whether the messages from `from` on have to be read from the disk. They lie in the log in their order, and its newest part in memory: where the
/// first one is, so are those behind it.
bool OnDisk(const store::ShardStore& store, const core::QueueKey& queue, core::LogicalOffset from);

/// Reads from `from` on what `job` wants of the queue; from the disk with room for it. No offset is committed.
core::Task<PullOutcome> ReadQueue(store::ShardStore& store, PullReads& reads, const PullJob& job, core::QueueKey queue, core::LogicalOffset from,
                                  bool on_disk, core::StopToken stop);

}  // namespace broker
