#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/to_client.h"
#include "net/router.h"

namespace broker {

/// CONSUME_MESSAGE_DIRECTLY (309): one member consumes one message now, at a tool's request, and says how it went. The broker reads the message by its
/// offset id and relays; no offset moves. Source: RocketMQ 5.3.3 AdminBrokerProcessor.consumeMessageDirectly.
class ConsumeDirectlyHandlers {
 public:
  explicit ConsumeDirectlyHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Consume(net::RequestContext context, net::ConsumeMessageDirectlyRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterConsumeDirectlyHandlers(BrokerShard& shard);

}  // namespace broker
