#include "broker/pop/request_modes.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/placement.h"
#include "broker/row_text.h"
#include "broker/topic_config.h"
#include "broker/wire_status.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::ResponseCode;

constexpr std::string_view kNul("\0", 1);

std::string KeyOf(std::string_view topic, std::string_view group) { return core::StrCat(topic, kNul, group); }

std::string JsonOf(std::string_view topic, std::string_view group, const GroupRequestMode& mode) {
  net::JsonWriter json;
  json.BeginObject().Member("consumerGroup", group).Member("mode", kRequestModeNames[static_cast<size_t>(mode.mode)]);
  json.Member("popShareQueueNum", mode.pop_share).Member("topic", topic).EndObject();
  return json.Take();
}

/// nullopt: there is none, or no mode in it.
std::optional<GroupRequestMode> Parse(const net::JsonValue& json) {
  const std::optional<size_t> index = json["mode"].AsEnum(kRequestModeNames);
  if (!index.has_value()) return std::nullopt;
  return GroupRequestMode{static_cast<RequestMode>(*index), json["popShareQueueNum"].Int32Or(0)};
}

core::Task<absl::Status> Put(BrokerShard& here, std::string key, std::string json) {
  std::vector<store::MetaChange> changes;
  changes.push_back({store::MetaTable::kRequestModes, std::move(key), std::move(json)});
  co_return co_await here.meta().Commit(std::move(changes));
}

/// {"messageRequestModeMap":{topic:{group:{...}}}}: rows come by topic.
std::string AllJson(BrokerShard& here) {
  net::JsonWriter json;
  json.BeginObject().Key("messageRequestModeMap").BeginObject();
  std::string open;
  for (const auto& [name, value] : here.meta().All(store::MetaTable::kRequestModes)) {
    std::string_view group = name;
    const std::string_view topic = CutAt(group, '\0');
    if (open != topic) {
      if (!open.empty()) json.EndObject();
      json.Key(topic).BeginObject();
      open = topic;
    }
    json.Key(group).Raw(value);
  }
  if (!open.empty()) json.EndObject();
  json.EndObject().EndObject();
  return json.Take();
}

}  // namespace

core::Task<GroupRequestMode> FindRequestMode(BrokerShard& shard, std::string topic, std::string group) {
  const std::string row = co_await shard.peers().On(
      kCatalogShard,
      [](BrokerShard& there, std::string key) {
        const std::string* const found = there.meta().Find(store::MetaTable::kRequestModes, key);
        return found == nullptr ? std::string() : *found;
      },
      KeyOf(topic, group));
  if (!row.empty()) {
    const absl::StatusOr<net::JsonDocument> json = net::JsonDocument::Parse(row);
    if (const std::optional<GroupRequestMode> said = json.ok() ? Parse(json->root()) : std::nullopt; said.has_value())
      co_return *said;
  }
  if (IsRetryTopic(topic)) co_return GroupRequestMode{};
  co_return GroupRequestMode{shard.config().default_message_request_mode, shard.config().default_pop_share_queue_num};
}

std::vector<store::MetaChange> ForgetRequestModes(const store::MetaStore& meta, std::string_view topic,
                                                  std::string_view group) {
  std::vector<store::MetaChange> changes;
  for (const auto& [name, value] : meta.All(store::MetaTable::kRequestModes)) {
    std::string_view of_group = name;
    const std::string_view of_topic = CutAt(of_group, '\0');
    if ((!topic.empty() && of_topic == topic) || (!group.empty() && of_group == group)) {
      changes.push_back({store::MetaTable::kRequestModes, name, std::nullopt});
    }
  }
  return changes;
}

core::Task<net::Reply> RequestModeHandlers::Set(net::RequestContext context, net::SetMessageRequestModeRequest) {
  const absl::StatusOr<net::JsonDocument> body = net::JsonDocument::Parse(context.frame.body.text());
  if (!body.ok()) co_return net::Reply(ResponseCode::kSystemError, std::string(body.status().message()));
  const std::string topic(body->root()["topic"].text());
  const std::string group(body->root()["consumerGroup"].text());
  if (std::optional<std::string> wrong = net::WrongTopicToUse(topic); wrong.has_value())
    co_return net::Reply(ResponseCode::kInvalidParameter, std::move(*wrong));
  if (std::optional<std::string> wrong = net::WrongGroupToUse(group); wrong.has_value())
    co_return net::Reply(ResponseCode::kInvalidParameter, std::move(*wrong));
  const std::optional<GroupRequestMode> mode = Parse(body->root());
  if (!mode.has_value()) co_return net::Reply(ResponseCode::kInvalidParameter, "the mode is neither PULL nor POP");
  if (IsRetryTopic(topic)) co_return net::Reply(ResponseCode::kNoPermission, "retry topic is not allowed to set mode");
  if (shard_.catalog().FindTopic(topic) == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("topic[", topic, "] not exist"));
  }
  if (shard_.catalog().FindGroup(group) == nullptr) {
    const absl::StatusOr<GroupConfig> made = co_await shard_.catalog_writer().EnsureGroup(group);
    if (!made.ok()) co_return ReplyFromStatus(made.status(), ResponseCode::kSubscriptionGroupNotExist);
  }
  co_return ReplyFromStatus(co_await shard_.peers().On(
      kCatalogShard,
      [](BrokerShard& there, std::string key, std::string json) { return Put(there, std::move(key), std::move(json)); },
      KeyOf(topic, group), JsonOf(topic, group, *mode)));
}

core::Task<net::Reply> RequestModeHandlers::GetAll(net::RequestContext, net::GetAllMessageRequestModeRequest) {
  net::Reply reply;
  reply.SetBody(co_await shard_.peers().On(kCatalogShard, [](BrokerShard& there) { return AllJson(there); }));
  co_return reply;
}

void RegisterRequestModeHandlers(BrokerShard& shard) {
  RequestModeHandlers& handlers = shard.Adopt(std::make_unique<RequestModeHandlers>(shard));
  shard.On(handlers, &RequestModeHandlers::Set);
  shard.On(handlers, &RequestModeHandlers::GetAll);
}

}  // namespace broker
