#pragma once

#include "broker/broker_shard.h"
#include "broker/pop/pop_message.h"
#include "broker/pop/waits.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/pop.h"
#include "net/router.h"

namespace broker {

/// What can be asked about messages to pop without taking any: NOTIFICATION, PEEK_MESSAGE, POLLING_INFO. Source: RocketMQ 5.3.3 NotificationProcessor, PeekMessageProcessor,
/// PollingInfoProcessor.
class NotificationHandlers {
 public:
  explicit NotificationHandlers(BrokerShard& shard) : shard_(shard) {}

  /// Held until there is something.
  core::Task<net::Reply> Notify(net::RequestContext context, net::NotificationRequest request);
  core::Task<net::Reply> Peek(net::RequestContext context, net::PeekMessageRequest request);
  core::Task<net::Reply> PollingInfo(net::RequestContext context, net::PollingInfoRequest request);

 private:
  core::Task<bool> HasMessages(const PopWish& wish, std::string_view attempt_id);

  BrokerShard& shard_;
};

void RegisterNotificationHandlers(BrokerShard& shard);

}  // namespace broker
