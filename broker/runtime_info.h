#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "broker/broker_stats.h"
#include "core/time.h"
#include "store/shard_store.h"

namespace broker {

/// What one shard contributes to the runtime information.
struct ShardRuntime {
  BrokerTotals totals;
  store::StoreStats store;
  uint64_t connections = 0;
  uint64_t held_pulls = 0;
  uint64_t stalls = 0;
  uint64_t waiting = 0;  // messages that wait for their time
};

struct RuntimeMoment {
  core::WallMillis now = 0;
  core::WallMillis boot = 0;
};

/// The table of request 28, as `mqadmin clusterList` and `brokerStatus` print it. The keys that tools parse as numbers are always there and always
/// numbers; where RocketMQ has a thread pool or a page cache and this broker has none, the figure is 0. Keys: RocketMQ 5.3.3,
/// AdminBrokerProcessor.prepareRuntimeInfo.
std::map<std::string, std::string> RuntimeInfo(const std::vector<ShardRuntime>& shards, const RuntimeMoment& moment);

/// "[ 0 days, 1 hours, 2 minutes, 3 seconds ]". Source: RocketMQ 5.3.3 StoreStatsService.getFormatRuntime.
std::string FormatRuntime(int64_t millis);

}  // namespace broker
