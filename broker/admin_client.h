#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/requests/group_admin.h"
#include "net/requests/to_client.h"

namespace broker {

/// Which clients are connected. Source: RocketMQ 5.3.3 AdminBrokerProcessor.
class AdminClientHandlers {
 public:
  explicit AdminClientHandlers(BrokerShard& shard) : shard_(shard) {}

  /// GET_CONSUMER_CONNECTION_LIST (203); CONSUMER_NOT_ONLINE when nobody is. Where members of the group subscribe to different things, the expression
  /// that tools show says so, and who wants what.
  core::Task<net::Reply> Consumers(net::RequestContext context, net::GetConsumerConnectionListRequest request);
  /// GET_PRODUCER_CONNECTION_LIST (204).
  core::Task<net::Reply> Producers(net::RequestContext context, net::GetProducerConnectionListRequest request);
  /// GET_ALL_PRODUCER_INFO (328).
  core::Task<net::Reply> AllProducers(net::RequestContext context, net::GetAllProducerInfoRequest request);
  /// GET_CONSUMER_RUNNING_INFO (307): asks the client and relays its answer as it lies (some clients' is no JSON), but that its properties get one more
  /// where the members of its group subscribe to different things.
  core::Task<net::Reply> RunningInfo(net::RequestContext context, net::GetConsumerRunningInfoRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterAdminClientHandlers(BrokerShard& shard);

}  // namespace broker
