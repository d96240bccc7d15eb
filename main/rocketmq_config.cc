#include "main/rocketmq_config.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "broker/data_version.h"
#include "broker/group_config.h"
#include "broker/placement.h"
#include "broker/topic_config.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"
#include "store/tools/overview.h"

namespace ringmq {
namespace {

using store::MetaChange;
using store::MetaTable;
using store::tools::MetaContent;

/// {"dataVersion":..., NAME:{key:value, ...}} of a table whose values are JSON.
std::string TableFile(const MetaContent::Table& table, std::string_view name, const broker::DataVersion& version) {
  net::JsonWriter json;
  json.BeginObject().Key("dataVersion");
  version.WriteJson(json);
  json.Key(name).BeginObject();
  for (const auto& [key, value] : table) json.Key(key).Raw(value);
  json.EndObject().EndObject();
  return json.Take();
}

absl::StatusOr<net::JsonDocument> Parse(std::string_view text, std::string_view file) {
  absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(text);
  if (!document.ok()) return core::Annotate(document.status(), file);
  return document;
}

template <typename Config>
absl::Status ReadTable(std::string_view text, std::string_view file, std::string_view name, MetaTable table,
                       std::vector<MetaChange>& changes) {
  if (text.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const net::JsonDocument document, Parse(text, file));
  for (const net::JsonMember& member : document.root()[name].members()) {
    const absl::StatusOr<Config> config = Config::FromJson(member.value);
    if (!config.ok()) {
      return absl::InvalidArgumentError(
          core::StrCat(file, ", ", member.key.text(), ": ", core::ToStd(config.status().message())));
    }
    changes.push_back({table, config->name, config->ToJson()});
  }
  return absl::OkStatus();
}

std::string OffsetKey(std::string_view group, std::string_view topic, int32_t queue_id) {
  std::string key(group);
  key += '\0';
  key += topic;
  key += '\0';
  key += absl::StrCat(queue_id);
  return key;
}

}  // namespace

RocketMqConfig MakeRocketMqConfig(const std::vector<MetaContent>& meta, const std::map<core::QueueKey, int64_t>& ends,
                                  core::WallMillis now) {
  const broker::DataVersion version{.state_version = 0, .timestamp = now, .counter = 1};
  RocketMqConfig config;
  config.topics = TableFile(meta.front().All(MetaTable::kTopics), "topicConfigTable", version);
  config.groups = TableFile(meta.front().All(MetaTable::kGroups), "subscriptionGroupTable", version);
  std::map<std::string, std::map<int32_t, int64_t>> offsets;
  for (const MetaContent& one : meta) {
    for (const auto& [key, value] : one.All(MetaTable::kConsumerOffsets)) {
      std::string group;
      core::QueueKey queue;
      int64_t offset = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), offset);
      if (!store::tools::ParseOffsetKey(key, group, queue) || error != std::errc()) continue;
      const auto known = ends.find(queue);
      offsets[core::StrCat(queue.topic, "@", group)][queue.queue_id] =
          std::min(offset, known == ends.end() ? 0 : known->second);
    }
  }
  net::JsonWriter json;
  json.BeginObject().Key("dataVersion");
  version.WriteJson(json);
  json.Key("offsetTable").BeginObject();
  for (const auto& [name, queues] : offsets) {
    json.Key(name).BeginObject();
    for (const auto& [queue_id, offset] : queues) json.NumberKey(queue_id).Int(offset);
    json.EndObject();
  }
  json.EndObject().EndObject();
  config.offsets = json.Take();
  return config;
}

absl::StatusOr<std::vector<std::string>> TopicsOf(std::string_view topics_json) {
  std::vector<std::string> topics;
  if (topics_json.empty()) return topics;
  ASSIGN_OR_RETURN(const net::JsonDocument document, Parse(topics_json, "topics.json"));
  for (const net::JsonMember& member : document.root()["topicConfigTable"].members()) {
    topics.emplace_back(member.key.text());
  }
  return topics;
}

absl::StatusOr<std::vector<std::vector<MetaChange>>> ReadRocketMqConfig(const RocketMqConfig& config, uint32_t logs) {
  std::vector<std::vector<MetaChange>> changes(logs);
  const broker::Placement placement(logs);
  RETURN_IF_ERROR(
      ReadTable<broker::TopicConfig>(config.topics, "topics.json", "topicConfigTable", MetaTable::kTopics, changes[0]));
  RETURN_IF_ERROR(ReadTable<broker::GroupConfig>(config.groups, "subscriptionGroup.json", "subscriptionGroupTable",
                                                 MetaTable::kGroups, changes[0]));
  if (config.offsets.empty()) return changes;
  ASSIGN_OR_RETURN(const net::JsonDocument document, Parse(config.offsets, "consumerOffset.json"));
  for (const net::JsonMember& member : document.root()["offsetTable"].members()) {
    const std::string_view name = member.key.text();
    const size_t at = name.find('@');
    if (at == std::string_view::npos) {
      return absl::InvalidArgumentError(core::StrCat("consumerOffset.json, ", name, ": not TOPIC@GROUP"));
    }
    const std::string_view topic = name.substr(0, at);
    const std::string_view group = name.substr(at + 1);
    for (const net::JsonMember& queue : member.value.members()) {
      const std::optional<int64_t> queue_id = queue.key.AsInt();
      const std::optional<int64_t> offset = queue.value.AsInt();
      if (!queue_id.has_value() || *queue_id < 0 || *queue_id > INT32_MAX || !offset.has_value()) {
        return absl::InvalidArgumentError(core::StrCat("consumerOffset.json, ", name, ": not a queue and a number"));
      }
      const auto id = static_cast<int32_t>(*queue_id);
      changes[placement.OwnerOf(topic, id).value()].push_back(
          {MetaTable::kConsumerOffsets, OffsetKey(group, topic, id), absl::StrCat(*offset)});
    }
  }
  return changes;
}

}  // namespace ringmq
