#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker_shard.h"
#include "core/task.h"
#include "core/time.h"
#include "core/types.h"
#include "net/json.h"

namespace broker {

/// Queues 0 .. queues - 1 of a topic.
struct TopicQueues {
  std::string topic;
  int32_t queues = 0;
};

/// What tools want to know of one queue.
struct QueueFacts {
  core::QueueKey queue;
  int64_t min = 0;
  int64_t max = 0;
  core::WallMillis first_store_time = -1;  // -1: no such message
  core::WallMillis last_store_time = -1;
  std::optional<int64_t> committed;            // by the group asked for
  core::WallMillis committed_store_time = -1;  // of the last message before `committed`
  core::WallMillis next_store_time = -1;       // of the message at `committed`
};

enum class QueueTimes {
  kLast,     // last_store_time
  kGroup,    // committed_store_time
  kTimeSpan  // all
};

/// The facts of the topics' queues, gathered from the shards that own them, by topic and queue. `group` may be empty.
core::Task<std::vector<QueueFacts>> GatherQueueFacts(const BrokerShard& shard, std::vector<TopicQueues> topics, std::string group,
                                                     QueueTimes times);

/// The same of one topic, with as many queues as `count` says of its configuration. kNotFound: there is no such topic (TOPIC_NOT_EXIST).
core::Task<absl::StatusOr<std::vector<QueueFacts>>> QueueFactsOfTopic(const BrokerShard& shard, std::string topic,
                                                                      int32_t (*count)(const TopicConfig&),
                                                                      std::string group, QueueTimes times);

/// {"brokerName":"b","queueId":0,"topic":"T"} in the place of a key. Source: RocketMQ 5.3.3, MessageQueue as a map key of fastjson.
void WriteQueueKey(net::JsonWriter& json, std::string_view broker_name, const core::QueueKey& queue);

}  // namespace broker
