#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/broker_shard.h"
#include "broker/pop/pops.h"
#include "core/task.h"
#include "net/json.h"
#include "net/reply.h"
#include "net/requests/pop.h"
#include "net/router.h"

namespace broker {

/// What consumers say of messages that they have popped: ACK_MESSAGE, BATCH_ACK_MESSAGE, CHANGE_MESSAGE_INVISIBLETIME. Checked where the request arrived, done by the queue's owner, answered
/// once it is durable. Order of the checks: RocketMQ 5.3.3 AckMessageProcessor, ChangeInvisibleTimeProcessor; but a receipt whose time is up is told so (NO_MESSAGE), where
/// RocketMQ says that all is well and delivers the message again.
class AcknowledgeHandlers {
 public:
  explicit AcknowledgeHandlers(BrokerShard& shard) : shard_(shard) {}

  core::Task<net::Reply> Acknowledge(net::RequestContext context, net::AckMessageRequest request);
  core::Task<net::Reply> AcknowledgeBatch(net::RequestContext context, net::BatchAckMessageRequest request);
  core::Task<net::Reply> ChangeInvisibleTime(net::RequestContext context, net::ChangeInvisibleTimeRequest request);

 private:
  /// Why there can't be such a message: TOPIC_NOT_EXIST, MESSAGE_ILLEGAL.
  std::optional<net::Reply> CheckQueue(std::string_view topic, int32_t queue_id) const;
  core::Task<PopReplied> Tell(const PopReply& reply);
  /// What becomes of one entry of a batch.
  struct Entry {
    std::optional<net::Reply> wrong;    // it makes no sense
    std::optional<net::Reply> refused;  // of some of its messages the receipt is good no more
    size_t done = 0;
  };
  /// `room`: so many messages may still be named.
  core::Task<void> AcknowledgeEntry(net::JsonValue entry, size_t& room, Entry& result);

  BrokerShard& shard_;
};

void RegisterAcknowledgeHandlers(BrokerShard& shard);

}  // namespace broker
