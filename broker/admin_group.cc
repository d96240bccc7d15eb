#include "broker/admin_group.h"

#include <memory>
#include <string>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/catalog_writer.h"
#include "broker/gather.h"
#include "broker/offset_table.h"
#include "broker/pop/pops.h"
#include "broker/pop/request_modes.h"
#include "broker/wire_status.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {

using net::ResponseCode;

namespace {

/// A body that is no JSON: RocketMQ's parser throws, which its processors answer with SYSTEM_ERROR.
net::Reply NotJson(const absl::Status& status) {
  return {ResponseCode::kSystemError, std::string(core::ToStd(status.message()))};
}

constexpr int32_t kForbiddenRead = 4;  // the bits of a forbidden permission. Source: RocketMQ 5.3.3 PermName.PERM_READ

/// Source: RocketMQ 5.3.3 SubscriptionGroupWrapper.
std::string AllGroupsJson(const Catalog& catalog) {
  net::JsonWriter json;
  json.BeginObject().Key("dataVersion");
  catalog.groups_version().WriteJson(json);
  json.Key("forbiddenTable").BeginObject();
  for (const std::shared_ptr<const GroupConfig>& group : catalog.Groups()) {
    if (group->forbidden_topics.empty()) continue;
    json.Key(group->name).BeginObject();
    for (const std::string& topic : group->forbidden_topics) json.Member(topic, kForbiddenRead);
    json.EndObject();
  }
  json.EndObject();
  json.Key("subscriptionGroupTable").BeginObject();
  for (const std::shared_ptr<const GroupConfig>& group : catalog.Groups()) {
    json.Key(group->name);
    group->WriteJson(json);
  }
  json.EndObject().EndObject();
  return json.Take();
}

/// What is in flight goes with the group: there is nobody to come again to.
core::Task<absl::Status> ForgetGroup(BrokerShard& here, std::string group, bool with_offsets) {
  here.stats().ForgetGroup(group);
  CO_RETURN_IF_ERROR(co_await here.pops().Forget(group, {}));
  if (std::vector<store::MetaChange> modes = ForgetRequestModes(here.meta(), {}, group); !modes.empty()) {
    CO_RETURN_IF_ERROR(co_await here.meta().Commit(std::move(modes)));
  }
  if (with_offsets) here.offsets().RemoveGroup(group);
  co_return co_await here.offsets().Flush();
}

}  // namespace

core::Task<net::Reply> AdminGroupHandlers::Put(net::RequestContext context, net::UpdateAndCreateSubscriptionGroupRequest) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return NotJson(document.status());
  absl::StatusOr<GroupConfig> group = GroupConfig::FromJson(document->root());
  if (!group.ok()) co_return ReplyFromStatus(group.status());
  std::vector<GroupConfig> groups;
  groups.push_back(*std::move(group));
  co_return ReplyFromStatus(co_await shard_.catalog_writer().PutGroups(std::move(groups)));
}

core::Task<net::Reply> AdminGroupHandlers::PutList(net::RequestContext context,
                                                   net::UpdateAndCreateSubscriptionGroupListRequest) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return NotJson(document.status());
  std::vector<GroupConfig> groups;
  for (const net::JsonValue& item : document->root()["groupConfigList"].items()) {
    absl::StatusOr<GroupConfig> group = GroupConfig::FromJson(item);
    if (!group.ok()) co_return ReplyFromStatus(group.status());
    groups.push_back(*std::move(group));
  }
  co_return ReplyFromStatus(co_await shard_.catalog_writer().PutGroups(std::move(groups)));
}

core::Task<net::Reply> AdminGroupHandlers::GetAll(net::RequestContext, net::GetAllSubscriptionGroupConfigRequest) {
  const Catalog& catalog = shard_.catalog();
  co_return all_.Answer(catalog.groups_version(), [&catalog] { return AllGroupsJson(catalog); });
}

core::Task<net::Reply> AdminGroupHandlers::Get(net::RequestContext, net::GetSubscriptionGroupConfigRequest request) {
  const std::string name(request.group);
  net::Reply reply;
  if (const GroupConfig* group = shard_.catalog().FindGroup(name); group != nullptr) {
    GroupConfig named = *group;
    named.name = name;  // those named like light queues share a configuration
    reply.SetBody(named.ToJson());
    co_return reply;
  }
  const absl::StatusOr<GroupConfig> made = co_await shard_.catalog_writer().EnsureGroup(name);
  if (!made.ok()) {
    if (!absl::IsNotFound(made.status())) co_return ReplyFromStatus(made.status());
    co_return net::Reply(ResponseCode::kSubscriptionGroupNotExist, core::StrCat("No group in this broker. group: ", name));
  }
  reply.SetBody(made->ToJson());
  co_return reply;
}

core::Task<net::Reply> AdminGroupHandlers::Delete(net::RequestContext, net::DeleteSubscriptionGroupRequest request) {
  const std::string name(request.group_name);
  const bool clean = request.clean_offset || request.remove_offset;
  const absl::Status deleted = co_await shard_.catalog_writer().DeleteGroup(name);
  if (!deleted.ok()) co_return ReplyFromStatus(deleted);
  const std::vector<absl::Status> forgotten = co_await OnEveryShard(
      shard_.peers(),
      [](BrokerShard& there, std::string group, bool with_offsets) { return ForgetGroup(there, std::move(group), with_offsets); },
      name, clean);
  for (const absl::Status& status : forgotten) {
    if (!status.ok()) co_return ReplyFromStatus(status);
  }
  co_return net::Reply();
}

void RegisterAdminGroupHandlers(BrokerShard& shard) {
  auto& handlers = shard.Adopt(std::make_unique<AdminGroupHandlers>(shard));
  shard.On(handlers, &AdminGroupHandlers::Put);
  shard.On(handlers, &AdminGroupHandlers::PutList);
  shard.On(handlers, &AdminGroupHandlers::GetAll);
  shard.On(handlers, &AdminGroupHandlers::Get);
  shard.On(handlers, &AdminGroupHandlers::Delete);
}

}  // namespace broker
