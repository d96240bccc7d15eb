#include "broker/admin_consumption.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "broker/broker_stats.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/consumer_groups.h"
#include "broker/gather.h"
#include "broker/json_reply.h"
#include "broker/offset_table.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

/// "2026-11-27#08:30:00:123". Source: RocketMQ 5.3.3 UtilAll.YYYY_MM_DD_HH_MM_SS_SSS.
std::string TimeText(core::WallMillis time, absl::TimeZone zone) {
  const absl::Time at = absl::FromUnixMillis(time);
  const int64_t millis = absl::ToInt64Milliseconds(zone.At(at).subsecond);
  return core::StrCat(absl::FormatTime("%Y-%m-%d#%H:%M:%S:", at, zone), absl::Dec(millis, absl::kZeroPad3));
}

int64_t ConsumerOffset(const QueueFacts& facts) { return facts.committed.value_or(0); }

}  // namespace

core::Task<std::set<std::string>> AdminConsumptionHandlers::TopicsWithOffsets(std::string group) const {
  const std::vector<std::vector<OffsetTable::Entry>> by_shard = co_await OnEveryShard(
      shard_.peers(), [](BrokerShard& there, std::string name) { return there.offsets().OfGroup(name); }, std::move(group));
  std::set<std::string> topics;
  for (const std::vector<OffsetTable::Entry>& entries : by_shard) {
    for (const OffsetTable::Entry& entry : entries) topics.insert(entry.queue.topic);
  }
  co_return topics;
}

core::Task<AdminConsumptionHandlers::Consumption> AdminConsumptionHandlers::Collect(std::string group,
                                                                                    std::set<std::string> topics) const {
  const std::optional<GroupView> online = co_await shard_.consumer_groups().View(group);
  std::vector<TopicQueues> queues;
  std::vector<std::string> names;
  for (const std::string& topic : topics) {
    const TopicConfig* config = shard_.catalog().FindTopic(topic);
    if (config == nullptr) continue;  // deleted
    // What an online group has unsubscribed from is no lag of its any more.
    if (online.has_value() && !online->subscriptions.empty() && !online->subscriptions.contains(topic)) continue;
    queues.push_back({topic, config->read_queues});
    names.push_back(topic);
  }
  Consumption consumption;
  consumption.queues = co_await GatherQueueFacts(shard_, std::move(queues), group, QueueTimes::kGroup);
  const std::vector<double> tps = co_await OnEveryShard(
      shard_.peers(),
      [](BrokerShard& there, std::string name, std::vector<std::string> of) {
        double sum = 0;
        for (const std::string& topic : of) sum += there.stats().GetTps(name, topic);
        return sum;
      },
      std::move(group), std::move(names));
  for (const double one : tps) consumption.tps += one;
  co_return consumption;
}

void AdminConsumptionHandlers::WriteConsumption(net::JsonWriter& json, const Consumption& consumption) const {
  json.BeginObject().Member("consumeTps", consumption.tps).Key("offsetTable").BeginObject();
  for (const QueueFacts& one : consumption.queues) {
    WriteQueueKey(json, shard_.config().broker_name, one.queue);
    // A held pull is not in flight here: what has been handed out is what was pulled up to the commit.
    json.BeginObject().Member("brokerOffset", one.max).Member("consumerOffset", ConsumerOffset(one));
    json.Member("lastTimestamp", std::max<int64_t>(0, one.committed_store_time));
    json.Member("pullOffset", ConsumerOffset(one)).EndObject();
  }
  json.EndObject().EndObject();
}

core::Task<net::Reply> AdminConsumptionHandlers::ConsumeStats(net::RequestContext, net::GetConsumeStatsRequest request) {
  const std::string group(request.consumer_group);
  std::set<std::string> topics;
  if (!request.topic_list.value_or("").empty()) {
    for (const absl::string_view topic : absl::StrSplit(core::ToAbsl(*request.topic_list), ';', absl::SkipEmpty())) {
      topics.emplace(topic);
    }
  } else if (!request.topic.value_or("").empty()) {
    topics.emplace(*request.topic);
  } else {
    topics = co_await TopicsWithOffsets(group);
  }
  const Consumption consumption = co_await Collect(group, std::move(topics));
  net::JsonWriter json;
  WriteConsumption(json, consumption);
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminConsumptionHandlers::BrokerConsumeStats(net::RequestContext context,
                                                                    net::GetBrokerConsumeStatsRequest request) {
  std::map<std::string, std::vector<Consumption>> by_group;
  const std::shared_ptr<const Catalog> catalog = shard_.catalog_view().Share();
  for (const std::shared_ptr<const GroupConfig>& group : catalog->Groups()) {
    std::vector<Consumption>& of_group = by_group[group->name];
    const std::set<std::string> topics = co_await TopicsWithOffsets(group->name);
    for (const std::string& topic : topics) {
      const TopicConfig* config = catalog->FindTopic(topic);
      if (config == nullptr || (request.is_order && !config->order)) continue;
      std::set<std::string> one{topic};
      Consumption consumption = co_await Collect(group->name, std::move(one));
      if (!consumption.queues.empty()) of_group.push_back(std::move(consumption));
    }
  }
  int64_t behind = 0;
  net::JsonWriter json;
  json.BeginObject().Member("brokerAddr", shard_.StoreHostFor(context.connection).Text());
  json.Key("consumeStatsList").BeginArray();
  for (const auto& [group, consumptions] : by_group) {
    json.BeginObject().Key(group).BeginArray();
    for (const Consumption& consumption : consumptions) {
      WriteConsumption(json, consumption);
      for (const QueueFacts& one : consumption.queues) behind += one.max - ConsumerOffset(one);
    }
    json.EndArray().EndObject();
  }
  json.EndArray().Member("totalDiff", behind).Member("totalInflightDiff", 0).EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminConsumptionHandlers::TimeSpan(net::RequestContext, net::QueryConsumeTimeSpanRequest request) {
  const std::string topic(request.topic);
  const absl::StatusOr<std::vector<QueueFacts>> facts = co_await QueueFactsOfTopic(
      shard_, topic, [](const TopicConfig& config) { return config.write_queues; }, std::string(request.group),
      QueueTimes::kTimeSpan);
  if (!facts.ok()) co_return ReplyFromStatus(facts.status(), ResponseCode::kTopicNotExist);
  const core::WallMillis now = core::Reactor::Current().wall_now();
  const auto text = [zone = shard_.config().time_zone](core::WallMillis time) { return TimeText(time, zone); };
  net::JsonWriter json;
  json.BeginObject().Key("consumeTimeSpanSet").BeginArray();
  for (const QueueFacts& one : *facts) {
    const core::WallMillis consumed = one.committed_store_time >= 0 ? one.committed_store_time : one.first_store_time;
    json.BeginObject().Member("consumeTimeStamp", consumed).Member("consumeTimeStampStr", text(consumed));
    json.Member("delayTime", one.next_store_time >= 0 ? std::max<int64_t>(0, now - one.next_store_time) : 0);
    json.Member("maxTimeStamp", one.last_store_time).Member("maxTimeStampStr", text(one.last_store_time));
    json.Key("messageQueue").BeginObject().Member("brokerName", shard_.config().broker_name);
    json.Member("queueId", one.queue.queue_id).Member("topic", topic).EndObject();
    json.Member("minTimeStamp", one.first_store_time).Member("minTimeStampStr", text(one.first_store_time)).EndObject();
  }
  json.EndArray().EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminConsumptionHandlers::TopicsOfGroup(net::RequestContext context,
                                                               net::QueryTopicsByConsumerRequest request) {
  const std::set<std::string> topics = co_await TopicsWithOffsets(std::string(request.group));
  net::JsonWriter json;
  json.BeginObject().Member("brokerAddr", shard_.StoreHostFor(context.connection).Text());
  json.StringsMember("topicList", topics).EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminConsumptionHandlers::SubscriptionOfGroup(net::RequestContext,
                                                                     net::QuerySubscriptionByConsumerRequest request) {
  const std::string group(request.group);
  const std::string topic(request.topic.value_or(""));
  const PullSubscription found = co_await shard_.consumer_groups().FindOfGroup(group, topic);
  net::JsonWriter json;
  json.BeginObject().Member("group", group);
  if (found.subscription != nullptr) {
    json.Key("subscriptionData");
    found.subscription->WriteJson(json);
  }
  json.Member("topic", topic).EndObject();
  co_return JsonReply(json);
}

void RegisterAdminConsumptionHandlers(BrokerShard& shard) {
  auto& handlers = shard.Adopt(std::make_unique<AdminConsumptionHandlers>(shard));
  shard.On(handlers, &AdminConsumptionHandlers::ConsumeStats);
  shard.On(handlers, &AdminConsumptionHandlers::BrokerConsumeStats);
  shard.On(handlers, &AdminConsumptionHandlers::TimeSpan);
  shard.On(handlers, &AdminConsumptionHandlers::TopicsOfGroup);
  shard.On(handlers, &AdminConsumptionHandlers::SubscriptionOfGroup);
}

}  // namespace broker
