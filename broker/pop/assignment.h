#pragma once

#include "broker/broker_shard.h"
#include "broker/pop/cluster_queues.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/pop.h"
#include "net/router.h"

namespace broker {

/// QUERY_ASSIGNMENT: which queues of the cluster a member of a group consumes and whether it pulls or pops, for clients that leave that to the broker (clientRebalance=false). Source:
/// RocketMQ 5.3.3 QueryAssignmentProcessor. Where there is nothing to say, the answer has no assignments: the client keeps those that it has.
class AssignmentHandlers {
 public:
  explicit AssignmentHandlers(BrokerShard& shard) : shard_(shard), queues_(shard) {}

  core::Task<net::Reply> Query(net::RequestContext context, net::QueryAssignmentRequest request);

 private:
  BrokerShard& shard_;
  ClusterQueues queues_;
};

void RegisterAssignmentHandlers(BrokerShard& shard);

}  // namespace broker
