#include "broker/admin_client.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/call_client.h"
#include "broker/consumer_groups.h"
#include "broker/gather.h"
#include "broker/producer_groups.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {
namespace {

using net::ResponseCode;

void WriteConnections(net::JsonWriter& json, const std::vector<ClientInfo>& clients) {
  json.Key("connectionSet").BeginArray();
  for (const ClientInfo& client : clients) {
    json.BeginObject().Member("clientAddr", client.address).Member("clientId", client.client_id);
    json.Member("language", LanguageName(client.language)).Member("version", client.version).EndObject();
  }
  json.EndArray();
}

/// What members want of a topic, or "" when they agree.
std::string DifferencesIn(const std::vector<Disagreement>& disagreements, std::string_view topic) {
  for (const Disagreement& one : disagreements) {
    if (one.topic == topic) return one.Text();
  }
  return "";
}

/// Adds what the members disagree about to the properties that tools show of a consumer (ConsumerRunningInfo); to nothing else.
void AddDifferences(const std::vector<Disagreement>& disagreements, std::string& info) {
  constexpr std::string_view kProperties = "\"properties\":{";  // within a text its quotes would be escaped
  const size_t at = info.find(kProperties);
  if (disagreements.empty() || at == std::string::npos) return;
  std::string text = "members of this group differ, which loses messages:";
  for (const Disagreement& one : disagreements) text += core::StrCat(" topic ", one.topic, ": ", one.Text());
  net::JsonWriter member;
  member.Key("SUBSCRIPTIONS_DIFFER").String(text);
  const size_t inside = at + kProperties.size();
  const bool only = inside < info.size() && info[inside] == '}';
  info.insert(inside, core::StrCat(member.text(), only ? "" : ","));
}

}  // namespace

core::Task<net::Reply> AdminClientHandlers::Consumers(net::RequestContext, net::GetConsumerConnectionListRequest request) {
  const std::string group(request.consumer_group);
  const std::optional<GroupView> view = co_await shard_.consumer_groups().View(group);
  if (!view.has_value()) {
    co_return net::Reply(ResponseCode::kConsumerNotOnline, core::StrCat("the consumer group[", group, "] not online"));
  }
  net::JsonWriter json;
  json.BeginObject();
  WriteConnections(json, view->members);
  json.Member("consumeFromWhere", NameOf(view->from)).Member("consumeType", NameOf(view->type));
  json.Member("messageModel", NameOf(view->model)).Key("subscriptionTable").BeginObject();
  for (const auto& [topic, data] : view->subscriptions) {
    json.Key(topic);
    const std::string differences = DifferencesIn(view->disagreements, topic);
    if (differences.empty()) {
      data.WriteJson(json);
      continue;
    }
    SubscriptionData shown = data;
    shown.expression = core::StrCat(data.expression, "   MEMBERS DIFFER, WHICH LOSES MESSAGES: ", differences);
    shown.WriteJson(json);
  }
  json.EndObject().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> AdminClientHandlers::Producers(net::RequestContext, net::GetProducerConnectionListRequest request) {
  const std::string group(request.producer_group);
  const std::vector<std::vector<ClientInfo>> by_shard = co_await OnEveryShard(
      shard_.peers(), [](BrokerShard& there, std::string name) { return there.producer_groups().Members(name); }, group);
  std::vector<ClientInfo> clients;
  for (const std::vector<ClientInfo>& some : by_shard) clients.insert(clients.end(), some.begin(), some.end());
  if (clients.empty()) {
    co_return net::Reply(ResponseCode::kSystemError, core::StrCat("the producer group[", group, "] not exist"));
  }
  std::sort(clients.begin(), clients.end(), [](const ClientInfo& a, const ClientInfo& b) { return a.client_id < b.client_id; });
  net::JsonWriter json;
  json.BeginObject();
  WriteConnections(json, clients);
  json.EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> AdminClientHandlers::AllProducers(net::RequestContext, net::GetAllProducerInfoRequest) {
  using OfShard = std::map<std::string, std::vector<ClientInfo>>;
  const std::vector<OfShard> by_shard = co_await OnEveryShard(shard_.peers(), [](BrokerShard& there) {
    OfShard groups;
    for (const auto& [group, clients] : there.producer_groups().all()) groups[group] = there.producer_groups().Members(group);
    return groups;
  });
  OfShard all;
  for (const OfShard& some : by_shard) {
    for (const auto& [group, clients] : some) all[group].insert(all[group].end(), clients.begin(), clients.end());
  }
  net::JsonWriter json;
  json.BeginObject().Key("data").BeginObject();
  for (const auto& [group, clients] : all) {
    json.Key(group).BeginArray();
    for (const ClientInfo& client : clients) {
      json.BeginObject().Member("clientId", client.client_id).Member("language", LanguageName(client.language));
      json.Member("lastUpdateTimestamp", client.last_heartbeat).Member("remoteIP", core::StrCat("/", client.address));
      json.Member("version", client.version).EndObject();
    }
    json.EndArray();
  }
  json.EndObject().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> AdminClientHandlers::RunningInfo(net::RequestContext, net::GetConsumerRunningInfoRequest request) {
  const std::string group(request.consumer_group);
  const std::string client_id(request.client_id);
  request.jstack = request.jstack.value_or(false);
  const std::optional<GroupView> view = co_await shard_.consumer_groups().View(group);
  const std::string no_body;
  ClientAnswer answer = co_await CallClient(shard_, MemberOf(view, client_id), &request, &no_body, kClientTimeout);
  if (view.has_value()) AddDifferences(view->disagreements, answer.body);
  co_return RelayedReply(std::move(answer), group, client_id);
}

void RegisterAdminClientHandlers(BrokerShard& shard) {
  auto& handlers = shard.Adopt(std::make_unique<AdminClientHandlers>(shard));
  shard.On(handlers, &AdminClientHandlers::Consumers);
  shard.On(handlers, &AdminClientHandlers::Producers);
  shard.On(handlers, &AdminClientHandlers::AllProducers);
  shard.On(handlers, &AdminClientHandlers::RunningInfo);
}

}  // namespace broker
