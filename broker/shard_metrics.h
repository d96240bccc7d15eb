#pragma once

namespace broker {

class BrokerShard;

/// Adds all that `shard` counts to its metrics: its loop, its store, sends and pulls, every budget. Once, when it is made.
void AddShardMetrics(BrokerShard& shard);

}  // namespace broker
