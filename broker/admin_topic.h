#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker_shard.h"
#include "broker/versioned_body.h"
#include "core/task.h"
#include "net/requests/topic_admin.h"

namespace broker {

/// Topics, as administrators and tools see and change them. Source: RocketMQ 5.3.3 AdminBrokerProcessor.
class AdminTopicHandlers {
 public:
  explicit AdminTopicHandlers(BrokerShard& shard)
      : shard_(shard), all_(KeptBodyMax(shard.config().append_buffer_bytes)) {}

  /// UPDATE_AND_CREATE_TOPIC (17) and .._LIST (18).
  core::Task<net::Reply> Put(net::RequestContext context, net::UpdateAndCreateTopicRequest request);
  core::Task<net::Reply> PutList(net::RequestContext context, net::UpdateAndCreateTopicListRequest request);
  /// DELETE_TOPIC_IN_BROKER (215): configuration, messages, offsets, locks.
  core::Task<net::Reply> Delete(net::RequestContext context, net::DeleteTopicInBrokerRequest request);
  /// GET_ALL_TOPIC_CONFIG (21) and GET_TOPIC_CONFIG (351).
  core::Task<net::Reply> GetAll(net::RequestContext context, net::GetAllTopicConfigRequest request);
  core::Task<net::Reply> Get(net::RequestContext context, net::GetTopicConfigRequest request);
  /// GET_TOPIC_STATS_INFO (202): offsets and times of each queue.
  core::Task<net::Reply> Stats(net::RequestContext context, net::GetTopicStatsInfoRequest request);
  /// QUERY_TOPIC_CONSUME_BY_WHO (300): groups that are online for it or have offsets.
  core::Task<net::Reply> ConsumedByWho(net::RequestContext context, net::QueryTopicConsumeByWhoRequest request);
  /// GET_SYSTEM_TOPIC_LIST_FROM_BROKER (305).
  core::Task<net::Reply> SystemTopics(net::RequestContext context, net::GetSystemTopicListFromBrokerRequest request);
  /// CLEAN_EXPIRED_CONSUMEQUEUE (306): nothing is left to do, because here the index of a queue goes with its segment.
  core::Task<net::Reply> CleanExpiredQueues(net::RequestContext context, net::CleanExpiredConsumeQueueRequest request);
  /// CLEAN_UNUSED_TOPIC (316): messages of topics that have no configuration any more.
  core::Task<net::Reply> CleanUnused(net::RequestContext context, net::CleanUnusedTopicRequest request);
  /// DELETE_EXPIRED_COMMITLOG (329): the rules of retention, now.
  core::Task<net::Reply> DeleteExpired(net::RequestContext context, net::DeleteExpiredCommitLogRequest request);

 private:
  BrokerShard& shard_;
  VersionedBody all_;
};

void RegisterAdminTopicHandlers(BrokerShard& shard);

}  // namespace broker
