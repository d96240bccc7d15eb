#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/query.h"
#include "net/router.h"

namespace broker {

/// VIEW_MESSAGE_BY_ID (33): the record at a physical offset, which names the log and so the shard. The client may have made the offset up: the
/// store checks that a record really begins there. Source: RocketMQ 5.3.3 QueryMessageProcessor.viewMessageById.
class ViewMessageHandlers {
 public:
  explicit ViewMessageHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> View(net::RequestContext context, net::ViewMessageRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterViewMessageHandlers(BrokerShard& shard);

}  // namespace broker
