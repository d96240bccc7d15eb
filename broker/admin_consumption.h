#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/queue_facts.h"
#include "core/task.h"
#include "net/requests/group_admin.h"

namespace broker {

/// How far groups have consumed. Source: RocketMQ 5.3.3 AdminBrokerProcessor.
class AdminConsumptionHandlers {
 public:
  explicit AdminConsumptionHandlers(BrokerShard& shard) : shard_(shard) {}

  /// GET_CONSUME_STATS (208): offsets of a group in the topics given, else in all that it has offsets of.
  core::Task<net::Reply> ConsumeStats(net::RequestContext context, net::GetConsumeStatsRequest request);
  /// GET_BROKER_CONSUME_STATS (317): the same of every group.
  core::Task<net::Reply> BrokerConsumeStats(net::RequestContext context, net::GetBrokerConsumeStatsRequest request);
  /// QUERY_CONSUME_TIME_SPAN (303): store times at both ends of each queue and at the group's offset.
  core::Task<net::Reply> TimeSpan(net::RequestContext context, net::QueryConsumeTimeSpanRequest request);
  /// QUERY_TOPICS_BY_CONSUMER (343) and QUERY_SUBSCRIPTION_BY_CONSUMER (345).
  core::Task<net::Reply> TopicsOfGroup(net::RequestContext context, net::QueryTopicsByConsumerRequest request);
  core::Task<net::Reply> SubscriptionOfGroup(net::RequestContext context, net::QuerySubscriptionByConsumerRequest request);

 private:
  /// One group's offsets in some topics.
  struct Consumption {
    std::vector<QueueFacts> queues;
    double tps = 0;
  };
  core::Task<std::set<std::string>> TopicsWithOffsets(std::string group) const;
  core::Task<Consumption> Collect(std::string group, std::set<std::string> topics) const;
  void WriteConsumption(net::JsonWriter& json, const Consumption& consumption) const;

  BrokerShard& shard_;
};

void RegisterAdminConsumptionHandlers(BrokerShard& shard);

}  // namespace broker
