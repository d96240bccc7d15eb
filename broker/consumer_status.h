#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/group_admin.h"
#include "net/router.h"

namespace broker {

/// INVOKE_BROKER_TO_GET_CONSUMER_STATUS (223): how far each member of a group is in the queues that it has, as the members themselves say (request 221).
/// All are asked at the same time; who does not answer in time is left out. Source: RocketMQ 5.3.3 Broker2Client.getConsumeStatus.
class ConsumerStatusHandlers {
 public:
  explicit ConsumerStatusHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Status(net::RequestContext context, net::InvokeBrokerToGetConsumerStatusRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterConsumerStatusHandlers(BrokerShard& shard);

}  // namespace broker
