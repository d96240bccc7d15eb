#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/recall.h"
#include "net/router.h"

namespace broker {

/// RECALL_MESSAGE (370): a producer takes back a timer message that waits, by the handle it got for it. Order of checks and codes: RocketMQ 5.3.3 RecallMessageProcessor. Stricter:
/// SUCCESS says that the message waited and will not be delivered; where RocketMQ notes the wish and answers SUCCESS for any key, a message that does not
/// wait (any more) is ILLEGAL_OPERATION.
class RecallHandlers {
 public:
  explicit RecallHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Recall(net::RequestContext context, net::RecallMessageRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterRecallHandlers(BrokerShard& shard);

}  // namespace broker
