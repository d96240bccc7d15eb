#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "core/time.h"
#include "net/requests/node_admin.h"

namespace broker {

/// The broker as a whole: runtime information, configuration, statistics. Source: RocketMQ 5.3.3 AdminBrokerProcessor.
class AdminNodeHandlers {
 public:
  explicit AdminNodeHandlers(BrokerShard& shard);

  /// GET_BROKER_RUNTIME_INFO (28).
  core::Task<net::Reply> RuntimeInfo(net::RequestContext context, net::GetBrokerRuntimeInfoRequest request);
  /// GET_BROKER_CONFIG (26), without paths; there is no secret among the settings.
  core::Task<net::Reply> GetConfig(net::RequestContext context, net::GetBrokerConfigRequest request);
  /// UPDATE_BROKER_CONFIG (25): the live settings of config.cc, all that are named or none; everything else is NO_PERMISSION. They last (KeptSettings), but
  /// unlike RocketMQ's, this broker never writes its configuration file.
  core::Task<net::Reply> UpdateConfig(net::RequestContext context, net::UpdateBrokerConfigRequest request);
  /// VIEW_BROKER_STATS_DATA (315).
  core::Task<net::Reply> Stats(net::RequestContext context, net::ViewBrokerStatsDataRequest request);
  /// GET_BROKER_HA_STATUS (907): a master without slaves, where all its logs end together. Source: RocketMQ 5.3.3 HARuntimeInfo.
  core::Task<net::Reply> HaStatus(net::RequestContext context, net::GetBrokerHaStatusRequest request);

 private:
  BrokerShard& shard_;
  const core::WallMillis boot_;
};

void RegisterAdminNodeHandlers(BrokerShard& shard);

}  // namespace broker
