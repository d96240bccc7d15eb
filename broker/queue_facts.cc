#include "broker/queue_facts.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/gather.h"
#include "broker/offset_table.h"
#include "core/strings.h"

namespace broker {
namespace {

core::Task<std::vector<QueueFacts>> FactsOfShard(BrokerShard& here, std::vector<TopicQueues> topics, std::string group,
                                                 QueueTimes times) {
  std::vector<QueueFacts> facts;
  for (const TopicQueues& topic : topics) {
    for (int32_t id = 0; id < topic.queues; ++id) {
      if (here.placement().OwnerOf(topic.topic, id) != here.id()) continue;
      QueueFacts one;
      one.queue = {topic.topic, id};
      one.min = here.store().MinOffset(one.queue).value();
      one.max = here.store().MaxOffset(one.queue).value();
      if (!group.empty()) {
        const std::optional<core::LogicalOffset> committed = here.offsets().Find(group, topic.topic, id);
        if (committed.has_value()) one.committed = committed->value();
      }
      const bool all = times == QueueTimes::kTimeSpan;
      if (one.max > 0 && (all || times == QueueTimes::kLast)) {
        one.last_store_time = co_await here.store().StoreTimeOf(one.queue, core::LogicalOffset(one.max - 1));
      }
      if (one.max > one.min && all) {
        one.first_store_time = co_await here.store().StoreTimeOf(one.queue, core::LogicalOffset(one.min));
      }
      if (one.committed.value_or(0) > 0 && (all || times == QueueTimes::kGroup)) {
        one.committed_store_time = co_await here.store().StoreTimeOf(one.queue, core::LogicalOffset(*one.committed - 1));
      }
      if (all && one.committed.value_or(0) < one.max) {
        one.next_store_time = co_await here.store().StoreTimeOf(one.queue, core::LogicalOffset(one.committed.value_or(0)));
      }
      facts.push_back(std::move(one));
    }
  }
  co_return facts;
}

}  // namespace

core::Task<std::vector<QueueFacts>> GatherQueueFacts(const BrokerShard& shard, std::vector<TopicQueues> topics, std::string group,
                                                     QueueTimes times) {
  std::vector<std::vector<QueueFacts>> by_shard = co_await OnEveryShard(
      shard.peers(),
      [](BrokerShard& there, std::vector<TopicQueues> wanted, std::string name, QueueTimes which) {
        return FactsOfShard(there, std::move(wanted), std::move(name), which);
      },
      std::move(topics), std::move(group), times);
  std::vector<QueueFacts> all;
  for (std::vector<QueueFacts>& some : by_shard) {
    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  std::sort(all.begin(), all.end(), [](const QueueFacts& a, const QueueFacts& b) { return a.queue < b.queue; });
  co_return all;
}

core::Task<absl::StatusOr<std::vector<QueueFacts>>> QueueFactsOfTopic(const BrokerShard& shard, std::string topic,
                                                                      int32_t (*count)(const TopicConfig&),
                                                                      std::string group, QueueTimes times) {
  const TopicConfig* config = shard.catalog().FindTopic(topic);
  if (config == nullptr) co_return absl::NotFoundError(core::StrCat("topic[", topic, "] not exist"));
  std::vector<TopicQueues> queues;
  queues.push_back({std::move(topic), count(*config)});
  co_return co_await GatherQueueFacts(shard, std::move(queues), std::move(group), times);
}

void WriteQueueKey(net::JsonWriter& json, std::string_view broker_name, const core::QueueKey& queue) {
  json.BeginKeyObject().Member("brokerName", broker_name).Member("queueId", queue.queue_id).Member("topic", queue.topic);
  json.EndKeyObject();
}

}  // namespace broker
