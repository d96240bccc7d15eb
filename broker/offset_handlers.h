#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/offsets.h"
#include "net/router.h"

namespace broker {

/// Where queues begin and end, and how far groups are. Each is asked of the queue's owner. Rules: RocketMQ 5.3.3
/// ConsumerManageProcessor, AdminBrokerProcessor.
class OffsetHandlers {
 public:
  explicit OffsetHandlers(BrokerShard& shard) : shard_(shard) {}

  /// QUERY_CONSUMER_OFFSET (14). A group that never committed gets 0 where the queue still has its first message at hand, else QUERY_NOT_FOUND,
  /// upon which the client begins where it is configured to.
  core::Task<net::Reply> Query(net::RequestContext context, net::QueryConsumerOffsetRequest request);
  /// UPDATE_CONSUMER_OFFSET (15). Lower offsets count, too.
  core::Task<net::Reply> Update(net::RequestContext context, net::UpdateConsumerOffsetRequest request);
  /// GET_MAX_OFFSET (30), GET_MIN_OFFSET (31): 0 for what does not exist.
  core::Task<net::Reply> Max(net::RequestContext context, net::GetMaxOffsetRequest request);
  core::Task<net::Reply> Min(net::RequestContext context, net::GetMinOffsetRequest request);
  /// SEARCH_OFFSET_BY_TIMESTAMP (29).
  core::Task<net::Reply> Search(net::RequestContext context, net::SearchOffsetRequest request);
  /// GET_EARLIEST_MSG_STORETIME (32): -1 for an empty queue.
  core::Task<net::Reply> EarliestTime(net::RequestContext context, net::GetEarliestMsgStoreTimeRequest request);

 private:
  /// Runs `fn(BrokerShard& owner, core::QueueKey, args...)` where the queue is.
  template <typename Fn, typename... Args>
  auto OnOwner(std::string_view topic, int32_t queue_id, Fn fn, Args... args) const {
    return shard_.peers().On(shard_.placement().OwnerOf(topic, queue_id), fn, core::QueueKey{std::string(topic), queue_id},
                             std::move(args)...);
  }

  BrokerShard& shard_;
};

void RegisterOffsetHandlers(BrokerShard& shard);

}  // namespace broker
