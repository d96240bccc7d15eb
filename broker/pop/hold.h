#pragma once

#include <string>

#include "broker/broker_shard.h"
#include "broker/pop/waits.h"
#include "core/stop.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/time.h"

namespace broker {

/// Until there may be messages for `wish` on any shard (kNotified), `deadline`, or `stop`. `wish` is borrowed; from any shard.
core::Task<core::WaitResult> WaitForPop(BrokerShard& shard, const PopWish* wish, core::MonoTime deadline,
                                        core::StopToken stop);

/// How many wait for what `wish` says, wherever.
core::Task<size_t> CountWaitingPops(BrokerShard& shard, const PopWish* wish);

}  // namespace broker
