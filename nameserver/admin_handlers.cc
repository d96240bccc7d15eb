// Requests of administrators and tools. The remarks are RocketMQ's: 5.3.3 DefaultRequestProcessor.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/log.h"
#include "core/strings.h"
#include "nameserver/name_server.h"
#include "net/json.h"
#include "net/name_rules.h"

namespace nameserver {
namespace {

constexpr size_t kKvNameBytesMax = 255;
constexpr size_t kKvValueBytesMax = 65536;

template <typename Names>
net::Reply TopicList(const Names& names, std::string_view broker_address = {}) {
  net::JsonWriter json;
  json.BeginObject();
  if (!broker_address.empty()) json.Member("brokerAddr", broker_address);
  json.StringsMember("topicList", names).EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  return reply;
}

net::Reply Failed(std::string_view what, const absl::Status& status) {
  return net::Reply(net::ResponseCode::kSystemError, core::StrCat(what, core::ToStd(status.message())));
}

bool HasFlag(const TopicRoute& route, int32_t flag) {
  // All brokers of a topic have the same flags; RocketMQ looks at one, too.
  return !route.queues.empty() && (route.queues.begin()->second.topic_sys_flag & flag) != 0;
}

}  // namespace

NameServer::ReplyTask NameServer::GetAllTopicList(Context, net::GetAllTopicListRequest) {
  if (!config_.enable_all_topic_list) co_return net::Reply(net::ResponseCode::kSystemError, "disable");
  co_return TopicList(table_.snapshot().TopicNames([](std::string_view, const TopicRoute&) { return true; }));
}

NameServer::ReplyTask NameServer::GetTopicsByCluster(Context, net::GetTopicsByClusterRequest request) {
  const RoutingSnapshot& routes = table_.snapshot();
  co_return TopicList(routes.TopicNames([&](std::string_view, const TopicRoute& route) {
    for (const auto& [name, queues] : route.queues) {
      const BrokerGroup* group = routes.FindBroker(name);
      if (group != nullptr && group->cluster == request.cluster) return true;
    }
    return false;
  }));
}

NameServer::ReplyTask NameServer::GetSystemTopicList(Context context, net::GetSystemTopicListFromNsRequest) {
  std::set<std::string_view> clusters;
  std::vector<std::string_view> names;
  std::string address;
  for (const auto& [name, group] : table_.snapshot().brokers()) {
    clusters.insert(group->cluster);
    names.push_back(name);
    if (address.empty() && !group->addresses.empty()) {
      address = ReachableAddress(group->addresses.begin()->second, context.connection.local());
    }
  }
  names.insert(names.begin(), clusters.begin(), clusters.end());
  co_return TopicList(names, address);
}

NameServer::ReplyTask NameServer::GetUnitTopicList(Context, net::GetUnitTopicListRequest) {
  co_return TopicList(table_.snapshot().TopicNames(
      [](std::string_view, const TopicRoute& route) { return HasFlag(route, kTopicSysFlagUnit); }));
}

NameServer::ReplyTask NameServer::GetHasUnitSubTopicList(Context, net::GetHasUnitSubTopicListRequest) {
  co_return TopicList(table_.snapshot().TopicNames(
      [](std::string_view, const TopicRoute& route) { return HasFlag(route, kTopicSysFlagUnitSub); }));
}

NameServer::ReplyTask NameServer::GetHasUnitSubUnunitTopicList(Context, net::GetHasUnitSubUnunitTopicListRequest) {
  co_return TopicList(table_.snapshot().TopicNames([](std::string_view, const TopicRoute& route) {
    return HasFlag(route, kTopicSysFlagUnitSub) && !HasFlag(route, kTopicSysFlagUnit);
  }));
}

NameServer::ReplyTask NameServer::DeleteTopic(Context, net::DeleteTopicInNamesrvRequest request) {
  table_.DeleteTopic(request.topic, request.cluster_name.value_or(""));
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::RegisterTopic(Context context, net::RegisterTopicInNamesrvRequest request) {
  const auto queues = DecodeQueueDatas(context.frame.body.text());
  if (!queues.ok()) co_return Failed("the body of REGISTER_TOPIC_IN_NAMESRV: ", queues.status());
  const std::string host = context.connection.peer().HostText();
  for (const auto& [broker_name, data] : *queues) {
    if (table_.MayChangeName(broker_name, host)) continue;
    co_return net::Reply(net::ResponseCode::kNoPermission,
                         core::StrCat("the broker ", net::Quoted(broker_name), " was not registered from ", host));
  }
  if (table_.snapshot().FindTopic(request.topic) == nullptr &&
      table_.snapshot().topic_count() >= static_cast<size_t>(config_.topics_max)) {
    co_return net::Reply(net::ResponseCode::kSystemError,
                         "as many topics as topicsMax of this nameserver allows are there already");
  }
  table_.RegisterTopic(request.topic, *queues);
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::WipeWritePerm(Context, net::WipeWritePermRequest request) {
  net::Reply reply;
  reply.AddHeader(net::WipeWritePermResponse{.wipe_topic_count = table_.SetWritable(request.broker_name, false)});
  co_return reply;
}

NameServer::ReplyTask NameServer::AddWritePerm(Context, net::AddWritePermRequest request) {
  net::Reply reply;
  reply.AddHeader(net::AddWritePermResponse{.add_topic_count = table_.SetWritable(request.broker_name, true)});
  co_return reply;
}

NameServer::ReplyTask NameServer::PutKvConfig(Context, net::PutKvConfigRequest request) {
  if (request.name_space.empty() || request.key.empty()) {
    co_return net::Reply(net::ResponseCode::kSystemError, "namespace or key is null");
  }
  if (request.name_space.size() > kKvNameBytesMax || request.key.size() > kKvNameBytesMax ||
      request.value.size() > kKvValueBytesMax) {
    co_return net::Reply(
        net::ResponseCode::kInvalidParameter,
        core::StrCat("a namespace and a key may have ", kKvNameBytesMax, " bytes each, a value ", kKvValueBytesMax));
  }
  const absl::Status status = co_await kv_.Put(std::string(request.name_space), std::string(request.key), std::string(request.value));
  if (!status.ok()) co_return Failed("the KV configuration was not written: ", status);
  table_.ForgetAnswers();  // routes may carry it
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::GetKvConfig(Context, net::GetKvConfigRequest request) {
  const std::string* value = kv_.Find(request.name_space, request.key);
  if (value == nullptr) {
    co_return net::Reply(net::ResponseCode::kQueryNotFound, core::StrCat("No config item, Namespace: ", request.name_space,
                                                                         " Key: ", request.key));
  }
  net::Reply reply;
  reply.AddHeader(net::GetKvConfigResponse{.value = *value});
  co_return reply;
}

NameServer::ReplyTask NameServer::DeleteKvConfig(Context, net::DeleteKvConfigRequest request) {
  const absl::Status status = co_await kv_.Delete(std::string(request.name_space), std::string(request.key));
  if (!status.ok()) co_return Failed("the KV configuration was not written: ", status);
  table_.ForgetAnswers();
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::GetKvList(Context, net::GetKvListRequest request) {
  const KvConfig::Table* table = kv_.Namespace(request.name_space);
  if (table == nullptr) {
    co_return net::Reply(net::ResponseCode::kQueryNotFound, core::StrCat("No config item, Namespace: ", request.name_space));
  }
  net::JsonWriter json;
  json.BeginObject().Key("table").BeginObject();
  for (const auto& [key, value] : *table) json.Member(key, value);
  json.EndObject().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

NameServer::ReplyTask NameServer::UpdateConfig(Context context, net::UpdateNamesrvConfigRequest) {
  const absl::Status status = UpdateLiveSettings(context.frame.body.text(), config_);
  if (absl::IsPermissionDenied(status)) {
    co_return net::Reply(net::ResponseCode::kNoPermission, std::string(status.message()));
  }
  if (!status.ok()) co_return Failed("", status);
  table_.ForgetAnswers();
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::GetConfig(Context, net::GetNamesrvConfigRequest) {
  net::Reply reply;
  reply.SetBody(NameServerConfigText(config_, core::Reader::kPeer));
  co_return reply;
}

}  // namespace nameserver
