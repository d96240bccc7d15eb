#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/group_forbidden.h"
#include "net/router.h"

namespace broker {

/// UPDATE_AND_GET_GROUP_FORBIDDEN (353): whether a group may pull a topic. What is forbidden stays so over restarts and updates of the group. Pulls that are held
/// end; one that is on its way at that moment may still be held and answered once. The group's other topics are not touched (RocketMQ forgets them all
/// when one is allowed again). Source: RocketMQ 5.3.3 AdminBrokerProcessor.updateAndGetGroupForbidden.
class GroupForbiddenHandlers {
 public:
  explicit GroupForbiddenHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Update(net::RequestContext context, net::UpdateAndGetGroupForbiddenRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterGroupForbiddenHandlers(BrokerShard& shard);

}  // namespace broker
