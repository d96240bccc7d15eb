#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/group_admin.h"
#include "net/router.h"

namespace broker {

/// INVOKE_BROKER_TO_RESET_OFFSET (222): a group goes on at another place, by time or at a given offset. The broker sets the offsets, durably; members that are
/// online are told by the answer to their next pull, also to one that is held, and until then their commits do not count. As RocketMQ 5.3.3 does with
/// useServerSideResetOffset, its default (AdminBrokerProcessor.resetOffset).
class ResetOffsetHandlers {
 public:
  explicit ResetOffsetHandlers(BrokerShard& shard) : shard_(shard) {}

  /// Without a queueId, or below 0: every queue of the topic, by time; a time below 0 is the end. With one: that queue, at `offset` if there is one (-1: none).
  /// isForce is of older brokers and does not matter: what was asked for is done.
  core::Task<net::Reply> Reset(net::RequestContext context, net::InvokeBrokerToResetOffsetRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterResetOffsetHandlers(BrokerShard& shard);

}  // namespace broker
