#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/query.h"
#include "net/router.h"

namespace broker {

/// QUERY_MESSAGE (12): the newest messages of a topic with a key (an item of KEYS, or UNIQ_KEY) that were stored in a time, from all shards, in the order of their
/// store times. Source: RocketMQ 5.3.3 QueryMessageProcessor, IndexService.queryOffset. Stricter: the key and the time are those of the messages themselves,
/// messages of deleted topics are not found, and an answer has at most maxMessageSize bytes beside its newest message.
class QueryMessageHandlers {
 public:
  explicit QueryMessageHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Query(net::RequestContext context, net::QueryMessageRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterQueryMessageHandlers(BrokerShard& shard);

}  // namespace broker
