#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/group_admin.h"
#include "net/requests/offset_admin.h"
#include "net/router.h"

namespace broker {

/// Offsets of groups beside each other: copied, compared, all of them. Source: RocketMQ 5.3.3 AdminBrokerProcessor, ConsumerOffsetManager.
class GroupOffsetHandlers {
 public:
  explicit GroupOffsetHandlers(BrokerShard& shard) : shard_(shard) {}

  /// CLONE_GROUP_OFFSET (314): another group begins where one is, in one topic or in all, durably. Unknown names are refused, where RocketMQ does nothing and
  /// calls it success; the other group is made where groups are made by themselves.
  core::Task<net::Reply> Clone(net::RequestContext context, net::CloneGroupOffsetRequest request);
  /// QUERY_CORRECTION_OFFSET (308): of each queue of a topic the lowest offset that a group has and that is not gone; what compareGroup is behind of, is
  /// the largest number. The groups to be left out are only left out: RocketMQ deletes their offsets.
  core::Task<net::Reply> Correction(net::RequestContext context, net::QueryCorrectionOffsetRequest request);
  /// GET_ALL_CONSUMER_OFFSET (43): the table as a slave takes it over.
  core::Task<net::Reply> All(net::RequestContext context, net::GetAllConsumerOffsetRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterGroupOffsetHandlers(BrokerShard& shard);

}  // namespace broker
