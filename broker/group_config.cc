#include "broker/group_config.h"

#include <utility>

#include "absl/status/status.h"
#include "broker/json_copy.h"
#include "core/status.h"

namespace broker {

void GroupConfig::WriteJson(net::JsonWriter& json) const {
  json.BeginObject().Key("attributes").BeginObject();
  for (const auto& [key, value] : attributes) json.Member(key, value);
  json.EndObject();
  json.Member("brokerId", broker_id).Member("consumeBroadcastEnable", consume_broadcast_enable);
  json.Member("consumeEnable", consume_enable).Member("consumeFromMinEnable", consume_from_min_enable);
  json.Member("consumeMessageOrderly", consume_message_orderly).Member("consumeTimeoutMinute", consume_timeout_minutes);
  if (!forbidden_topics.empty()) json.StringsMember("forbiddenTopics", forbidden_topics);
  json.Member("groupName", name).Key("groupRetryPolicy").Raw(retry_policy_json);
  json.Member("groupSysFlag", sys_flag).Member("notifyConsumerIdsChangedEnable", notify_consumer_ids_changed_enable);
  json.Member("retryMaxTimes", retry_max_times).Member("retryQueueNums", retry_queues);
  json.Member("whichBrokerWhenConsumeSlowly", which_broker_when_consume_slowly).EndObject();
}

std::string GroupConfig::ToJson() const {
  net::JsonWriter json;
  WriteJson(json);
  return json.Take();
}

absl::StatusOr<GroupConfig> GroupConfig::FromJson(const net::JsonValue& json) {
  GroupConfig config;
  config.name = json["groupName"].text();
  if (config.name.empty()) return absl::InvalidArgumentError("a subscription group's configuration without groupName");
  config.consume_enable = json["consumeEnable"].BoolOr(config.consume_enable);
  config.consume_from_min_enable = json["consumeFromMinEnable"].BoolOr(config.consume_from_min_enable);
  config.consume_broadcast_enable = json["consumeBroadcastEnable"].BoolOr(config.consume_broadcast_enable);
  config.consume_message_orderly = json["consumeMessageOrderly"].BoolOr(config.consume_message_orderly);
  config.retry_queues = json["retryQueueNums"].Int32Or(config.retry_queues);
  config.retry_max_times = json["retryMaxTimes"].Int32Or(config.retry_max_times);
  config.broker_id = json["brokerId"].IntOr(config.broker_id);
  config.which_broker_when_consume_slowly =
      json["whichBrokerWhenConsumeSlowly"].IntOr(config.which_broker_when_consume_slowly);
  config.notify_consumer_ids_changed_enable =
      json["notifyConsumerIdsChangedEnable"].BoolOr(config.notify_consumer_ids_changed_enable);
  config.sys_flag = json["groupSysFlag"].Int32Or(0);
  config.consume_timeout_minutes = json["consumeTimeoutMinute"].Int32Or(config.consume_timeout_minutes);
  if (const net::JsonValue policy = json["groupRetryPolicy"]; policy.is_object()) {
    net::JsonWriter copy;
    CopyJson(policy, copy);
    config.retry_policy_json = copy.Take();
  }
  for (const net::JsonValue& topic : json["forbiddenTopics"].items()) config.forbidden_topics.emplace(topic.text());
  for (const net::JsonMember& member : json["attributes"].members()) {
    config.attributes.insert_or_assign(std::string(member.name()), std::string(member.value.text()));
  }
  return config;
}

absl::StatusOr<GroupConfig> GroupConfig::FromJson(std::string_view json) {
  ASSIGN_OR_RETURN(const net::JsonDocument document, net::JsonDocument::Parse(json));
  return FromJson(document.root());
}

}  // namespace broker
