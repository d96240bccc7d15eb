#include "broker/admin_topic.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/consumer_groups.h"
#include "broker/gather.h"
#include "broker/json_reply.h"
#include "broker/lmq.h"
#include "broker/offset_table.h"
#include "broker/order_locks.h"
#include "broker/pop/receipt.h"
#include "broker/queue_facts.h"
#include "broker/system_topics.h"
#include "broker/topic_attributes.h"
#include "broker/topic_removal.h"
#include "broker/wire_status.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

/// The first that failed, or OK.
absl::Status FirstError(const std::vector<absl::Status>& statuses) {
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

core::Task<std::set<std::string>> GroupsWithOffsets(BrokerShard& shard, std::string topic) {
  const std::vector<std::vector<std::string>> committed = co_await OnEveryShard(
      shard.peers(), [](BrokerShard& there, std::string name) { return there.offsets().GroupsOf(name); }, topic);
  std::set<std::string> groups;
  for (const std::vector<std::string>& some : committed) groups.insert(some.begin(), some.end());
  co_return groups;
}

core::Task<absl::Status> DeleteOne(BrokerShard& shard, std::string topic) {
  // First the configuration, so that no send makes new messages of what is being dropped; nobody makes the topic anew before the last shard
  // has forgotten the old one.
  CO_RETURN_IF_ERROR(co_await shard.catalog_writer().DeleteTopic(topic));
  const absl::Status dropped = co_await DropTopicEverywhere(shard, topic);
  // Where that has failed a new topic of this name would lose its messages when the next start finishes it: until then, or another deletion, there is none.
  co_await shard.catalog_writer().ReleaseTopic(topic, dropped.ok());
  co_return dropped;
}

bool AsksForMixed(const TopicConfig& topic) {
  const auto type = topic.attributes.find("+message.type");
  return type != topic.attributes.end() && type->second == "MIXED";
}

/// Source: RocketMQ 5.3.3 TopicConfigAndMappingSerializeWrapper.
std::string AllTopicsJson(const Catalog& catalog) {
  net::JsonWriter json;
  json.BeginObject().Key("dataVersion");
  catalog.topics_version().WriteJson(json);
  json.Key("mappingDataVersion");
  DataVersion{}.WriteJson(json);  // no static topics: their mapping has never changed
  json.Key("topicConfigTable").BeginObject();
  for (const std::shared_ptr<const TopicConfig>& topic : catalog.Topics()) {
    json.Key(topic->name);
    topic->WriteJson(json);
  }
  json.EndObject();
  json.Key("topicQueueMappingDetailMap").BeginObject().EndObject();
  json.Key("topicQueueMappingInfoMap").BeginObject().EndObject().EndObject();
  return json.Take();
}

net::Reply NoMixed() { return net::Reply(ResponseCode::kInvalidParameter, "MIXED message type is not supported."); }

}  // namespace

core::Task<net::Reply> AdminTopicHandlers::Put(net::RequestContext, net::UpdateAndCreateTopicRequest request) {
  TopicConfig topic;
  topic.name = request.topic;
  topic.read_queues = request.read_queue_nums;
  topic.write_queues = request.write_queue_nums;
  topic.perm = request.perm;
  if (!request.topic_filter_type.empty()) topic.filter_type = request.topic_filter_type;
  topic.sys_flag = request.topic_sys_flag.value_or(0);
  topic.order = request.order;
  absl::StatusOr<TopicAttributes> attributes = ParseAttributeChanges(std::string(request.attributes.value_or("")));
  if (!attributes.ok()) co_return net::Reply(ResponseCode::kSystemError, std::string(attributes.status().message()));
  topic.attributes = *std::move(attributes);
  if (AsksForMixed(topic)) co_return NoMixed();
  std::vector<TopicConfig> topics;
  topics.push_back(std::move(topic));
  co_return ReplyFromStatus(co_await shard_.catalog_writer().PutTopics(std::move(topics)));
}

core::Task<net::Reply> AdminTopicHandlers::PutList(net::RequestContext context, net::UpdateAndCreateTopicListRequest) {
  absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return net::Reply(ResponseCode::kSystemError, std::string(document.status().message()));
  std::vector<TopicConfig> topics;
  for (const net::JsonValue& item : document->root()["topicConfigList"].items()) {
    absl::StatusOr<TopicConfig> topic = TopicConfig::FromJson(item);
    if (!topic.ok()) co_return ReplyFromStatus(topic.status());
    if (AsksForMixed(*topic)) co_return NoMixed();
    topics.push_back(*std::move(topic));
  }
  co_return ReplyFromStatus(co_await shard_.catalog_writer().PutTopics(std::move(topics)));
}

core::Task<net::Reply> AdminTopicHandlers::Delete(net::RequestContext, net::DeleteTopicInBrokerRequest request) {
  const std::string topic(request.topic);
  if (topic.empty()) co_return net::Reply(ResponseCode::kInvalidParameter, "The specified topic is blank.");
  const std::set<std::string> groups = co_await GroupsWithOffsets(shard_, topic);
  const absl::Status deleted = co_await DeleteOne(shard_, topic);
  if (!deleted.ok()) co_return ReplyFromStatus(deleted);
  // What its messages came again in, for each group that has popped it. Source: RocketMQ 5.3.3 AdminBrokerProcessor.deleteTopic.
  for (const std::string& group : groups) {
    const std::string retry = PopRetryTopicOf(topic, group);
    if (shard_.catalog().FindTopic(retry) == nullptr) continue;
    const absl::Status gone = co_await DeleteOne(shard_, retry);
    if (!gone.ok()) co_return ReplyFromStatus(gone);
  }
  co_return net::Reply();
}

core::Task<net::Reply> AdminTopicHandlers::GetAll(net::RequestContext, net::GetAllTopicConfigRequest) {
  const Catalog& catalog = shard_.catalog();
  co_return all_.Answer(catalog.topics_version(), [&catalog] { return AllTopicsJson(catalog); });
}

core::Task<net::Reply> AdminTopicHandlers::Get(net::RequestContext, net::GetTopicConfigRequest request) {
  const TopicConfig* topic = shard_.catalog().FindTopic(request.topic);
  if (topic == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("No topic in this broker. topic: ", request.topic));
  }
  TopicConfig named = *topic;
  named.name = std::string(request.topic);  // light queues share a configuration
  net::JsonWriter json;
  named.WriteJson(json);
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminTopicHandlers::Stats(net::RequestContext, net::GetTopicStatsInfoRequest request) {
  const std::string topic(request.topic);
  const absl::StatusOr<std::vector<QueueFacts>> facts = co_await QueueFactsOfTopic(
      shard_, topic, [](const TopicConfig& config) { return config.queues(); }, {}, QueueTimes::kLast);
  if (!facts.ok()) co_return ReplyFromStatus(facts.status(), ResponseCode::kTopicNotExist);
  const std::vector<double> tps =
      co_await OnEveryShard(shard_.peers(), [](BrokerShard& there, std::string name) { return there.stats().PutTps(name); }, topic);
  double put_tps = 0;
  for (const double one : tps) put_tps += one;

  net::JsonWriter json;
  json.BeginObject().Key("offsetTable").BeginObject();
  for (const QueueFacts& one : *facts) {
    WriteQueueKey(json, shard_.config().broker_name, one.queue);
    json.BeginObject().Member("lastUpdateTimestamp", one.max > 0 ? one.last_store_time : 0);
    json.Member("maxOffset", one.max).Member("minOffset", one.min).EndObject();
  }
  json.EndObject().Member("topicPutTps", put_tps).EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminTopicHandlers::ConsumedByWho(net::RequestContext, net::QueryTopicConsumeByWhoRequest request) {
  const std::string topic(request.topic);
  std::set<std::string> groups;
  const std::vector<std::string> online = co_await shard_.consumer_groups().GroupsOfTopic(topic);
  groups.insert(online.begin(), online.end());
  groups.merge(co_await GroupsWithOffsets(shard_, topic));
  net::JsonWriter json;
  json.BeginObject().StringsMember("groupList", groups).EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminTopicHandlers::SystemTopics(net::RequestContext, net::GetSystemTopicListFromBrokerRequest) {
  // The fixed ones are named whether they exist here or not: tools leave out of their lists what this answer names.
  std::set<std::string> names(FixedSystemTopics().begin(), FixedSystemTopics().end());
  for (const std::shared_ptr<const TopicConfig>& topic : shard_.catalog().Topics()) {
    if (IsSystemTopicOf(shard_.catalog_writer().options(), topic->name)) names.insert(topic->name);
  }
  net::JsonWriter json;
  json.BeginObject().StringsMember("topicList", names).EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> AdminTopicHandlers::CleanExpiredQueues(net::RequestContext, net::CleanExpiredConsumeQueueRequest) {
  co_return net::Reply();
}

core::Task<net::Reply> AdminTopicHandlers::CleanUnused(net::RequestContext, net::CleanUnusedTopicRequest) {
  const std::vector<std::vector<std::string>> by_shard =
      co_await OnEveryShard(shard_.peers(), [](BrokerShard& there) { return there.store().Topics(); });
  std::set<std::string> unused;
  for (const std::vector<std::string>& topics : by_shard) {
    for (const std::string& topic : topics) {
      // Light queues are no topics that somebody has made, and there may be none just now because of a setting. Source: RocketMQ 5.3.3
      // DefaultMessageStore.cleanUnusedTopic.
      if (!IsLmq(topic) && shard_.catalog().FindTopic(topic) == nullptr) unused.insert(topic);
    }
  }
  for (const std::string& topic : unused) {
    const absl::Status reserved = co_await shard_.catalog_writer().ReserveTopic(topic);
    if (absl::IsAlreadyExists(reserved)) continue;  // made anew meanwhile
    if (!reserved.ok()) co_return ReplyFromStatus(reserved);
    const absl::Status dropped = co_await DropTopicEverywhere(shard_, topic);
    co_await shard_.catalog_writer().ReleaseTopic(topic, dropped.ok());
    if (!dropped.ok()) co_return ReplyFromStatus(dropped);
  }
  co_return net::Reply();
}

core::Task<net::Reply> AdminTopicHandlers::DeleteExpired(net::RequestContext, net::DeleteExpiredCommitLogRequest) {
  const std::vector<absl::Status> deleted =
      co_await OnEveryShard(shard_.peers(), [](BrokerShard& there) { return there.store().DeleteExpired(); });
  co_return ReplyFromStatus(FirstError(deleted));
}

void RegisterAdminTopicHandlers(BrokerShard& shard) {
  auto& handlers = shard.Adopt(std::make_unique<AdminTopicHandlers>(shard));
  shard.On(handlers, &AdminTopicHandlers::Put);
  shard.On(handlers, &AdminTopicHandlers::PutList);
  shard.On(handlers, &AdminTopicHandlers::Delete);
  shard.On(handlers, &AdminTopicHandlers::GetAll);
  shard.On(handlers, &AdminTopicHandlers::Get);
  shard.On(handlers, &AdminTopicHandlers::Stats);
  shard.On(handlers, &AdminTopicHandlers::ConsumedByWho);
  shard.On(handlers, &AdminTopicHandlers::SystemTopics);
  shard.On(handlers, &AdminTopicHandlers::CleanExpiredQueues);
  shard.On(handlers, &AdminTopicHandlers::CleanUnused);
  shard.On(handlers, &AdminTopicHandlers::DeleteExpired);
}

}  // namespace broker
