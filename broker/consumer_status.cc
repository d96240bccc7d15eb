#include "broker/consumer_status.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/call_client.h"
#include "broker/consumer_groups.h"
#include "broker/queue_facts.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/requests/to_client.h"

namespace broker {
namespace {

using net::ResponseCode;

/// mqadmin waits 5 s for all of them.
constexpr absl::Duration kPatience = absl::Seconds(4);

core::Task<void> AskMember(const BrokerShard& shard, net::Connection::Id id, const net::GetConsumerStatusFromClientRequest* request,
                           ClientAnswer& answer) {
  const std::string no_body;
  answer = co_await CallClient(shard, id, request, &no_body, kPatience);
}

/// The queue that a member of the table is of: an object as the key, or the text of one.
std::optional<core::QueueKey> QueueOf(const net::JsonValue& key) {
  if (key.is_object()) return core::QueueKey{std::string(key["topic"].text()), key["queueId"].Int32Or(-1)};
  const absl::StatusOr<net::JsonDocument> inner = net::JsonDocument::Parse(key.text());
  if (!inner.ok() || !inner->root().is_object()) return std::nullopt;
  return QueueOf(inner->root());
}

/// Appends what one member has answered; false when it is no status.
bool AppendStatus(const ClientAnswer& answer, std::string_view broker_name, net::JsonWriter& json) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(answer.body);
  if (!document.ok()) return false;
  json.BeginObject();
  for (const net::JsonMember& one : document->root()["messageQueueTable"].members()) {
    const std::optional<core::QueueKey> queue = QueueOf(one.key);
    if (!queue.has_value()) continue;
    const std::string_view name = one.key.is_object() ? one.key["brokerName"].TextOr(broker_name) : broker_name;
    WriteQueueKey(json, name, *queue);
    json.Int(one.value.IntOr(-1));
  }
  json.EndObject();
  return true;
}

}  // namespace

core::Task<net::Reply> ConsumerStatusHandlers::Status(net::RequestContext, net::InvokeBrokerToGetConsumerStatusRequest request) {
  const std::string group(request.group);
  const std::string_view only = request.client_addr.value_or("");  // a client id, whatever its name says
  const std::optional<GroupView> view = co_await shard_.consumer_groups().View(group);
  std::vector<ClientInfo> members;
  if (view.has_value()) {
    for (const ClientInfo& member : view->members) {
      if (only.empty() || member.client_id == only) members.push_back(member);
    }
  }
  if (members.empty()) {
    const std::string who = only.empty() ? "" : core::StrCat(" with the client id [", only, "]");
    co_return net::Reply(ResponseCode::kSystemError, core::StrCat("No Any Consumer online in the consumer group: [", group, "]", who));
  }
  net::GetConsumerStatusFromClientRequest question;
  question.topic = request.topic;
  question.group = request.group;
  std::vector<ClientAnswer> answers(members.size());
  core::Scope scope;
  for (size_t i = 0; i < members.size(); ++i) scope.Spawn(AskMember(shard_, members[i].connection, &question, answers[i]));
  co_await scope.Join();

  net::JsonWriter json;
  json.BeginObject().Key("consumerTable").BeginObject();
  for (size_t i = 0; i < members.size(); ++i) {
    const ClientAnswer& answer = answers[i];
    net::JsonWriter status;
    if (answer.connected && answer.status.ok() && answer.code == 0 && AppendStatus(answer, shard_.config().broker_name, status)) {
      json.Key(members[i].client_id).Raw(status.text());
    } else {
      core::LogWarning("group ", group, ": ", members[i].client_id, " did not tell how far it is in topic ", request.topic);
    }
  }
  json.EndObject().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

void RegisterConsumerStatusHandlers(BrokerShard& shard) {
  ConsumerStatusHandlers& handlers = shard.Adopt(std::make_unique<ConsumerStatusHandlers>(shard));
  shard.On(handlers, &ConsumerStatusHandlers::Status);
}

}  // namespace broker
