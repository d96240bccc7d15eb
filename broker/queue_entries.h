#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/offset_admin.h"
#include "net/router.h"

namespace broker {

/// QUERY_CONSUME_QUEUE (321): what a queue's index says of consecutive messages, and which of them a group's subscription lets pass, which here is said of
/// SQL92 as well. At most 1,024 at a time: the remark says where to go on. Source: RocketMQ 5.3.3 AdminBrokerProcessor.queryConsumeQueue.
class QueueEntriesHandlers {
 public:
  explicit QueueEntriesHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Query(net::RequestContext context, net::QueryConsumeQueueRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterQueueEntriesHandlers(BrokerShard& shard);

}  // namespace broker
