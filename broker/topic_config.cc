#include "broker/topic_config.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

// Source: RocketMQ 5.3.3 TopicFilterType.
constexpr std::array<std::string_view, 2> kFilterTypes = {"SINGLE_TAG", "MULTI_TAG"};

}  // namespace

void TopicConfig::WriteJson(net::JsonWriter& json) const {
  json.BeginObject().Key("attributes").BeginObject();
  for (const auto& [key, value] : attributes) json.Member(key, value);
  json.EndObject();
  json.Member("order", order).Member("perm", perm).Member("readQueueNums", read_queues);
  json.Member("topicFilterType", filter_type).Member("topicName", name).Member("topicSysFlag", sys_flag);
  json.Member("writeQueueNums", write_queues).EndObject();
}

std::string TopicConfig::ToJson() const {
  net::JsonWriter json;
  WriteJson(json);
  return json.Take();
}

absl::StatusOr<TopicConfig> TopicConfig::FromJson(const net::JsonValue& json) {
  TopicConfig config;
  config.name = json["topicName"].text();
  if (config.name.empty()) return absl::InvalidArgumentError("a topic's configuration without topicName");
  config.read_queues = json["readQueueNums"].Int32Or(config.read_queues);
  config.write_queues = json["writeQueueNums"].Int32Or(config.write_queues);
  config.perm = json["perm"].Int32Or(config.perm);
  config.sys_flag = json["topicSysFlag"].Int32Or(0);
  config.order = json["order"].BoolOr(false);
  const std::optional<size_t> filter = json["topicFilterType"].AsEnum(kFilterTypes);
  if (filter.has_value()) config.filter_type = kFilterTypes[*filter];
  for (const net::JsonMember& member : json["attributes"].members()) {
    config.attributes.insert_or_assign(std::string(member.name()), std::string(member.value.text()));
  }
  return config;
}

absl::StatusOr<TopicConfig> TopicConfig::FromJson(std::string_view json) {
  ASSIGN_OR_RETURN(const net::JsonDocument document, net::JsonDocument::Parse(json));
  return FromJson(document.root());
}

std::string RetryTopicOf(std::string_view group) { return core::StrCat(kRetryTopicPrefix, group); }
std::string DlqTopicOf(std::string_view group) { return core::StrCat(kDlqTopicPrefix, group); }

}  // namespace broker
