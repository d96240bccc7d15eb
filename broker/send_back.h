#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/send.h"
#include "net/router.h"

namespace broker {

/// CONSUMER_SEND_MSG_BACK (36): a consumer could not process a message, which comes again later by its group's retry topic, or becomes a dead letter. Order of checks and codes: RocketMQ 5.3.3
/// AbstractSendMessageProcessor.consumerSendMsgBack.
class SendBackHandlers {
 public:
  explicit SendBackHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> SendBack(net::RequestContext context, net::ConsumerSendMsgBackRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterSendBackHandlers(BrokerShard& shard);

}  // namespace broker
