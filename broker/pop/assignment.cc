#include "broker/pop/assignment.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/client_info.h"
#include "broker/config.h"
#include "broker/consumer_groups.h"
#include "broker/lmq.h"
#include "broker/pop/allocate.h"
#include "broker/pop/request_modes.h"
#include "net/json.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::ResponseCode;

std::string BodyOf(const std::optional<std::vector<ClusterQueue>>& queues, RequestMode mode) {
  net::JsonWriter json;
  json.BeginObject();
  if (queues.has_value()) {
    json.Key("messageQueueAssignments").BeginArray();
    for (const ClusterQueue& queue : *queues) {
      json.BeginObject().Key("messageQueue").BeginObject();
      json.Member("brokerName", queue.broker_name)
          .Member("queueId", queue.queue_id)
          .Member("topic", queue.topic)
          .EndObject();
      json.Member("mode", kRequestModeNames[static_cast<size_t>(mode)]).EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return json.Take();
}

}  // namespace

core::Task<net::Reply> AssignmentHandlers::Query(net::RequestContext context, net::QueryAssignmentRequest) {
  const absl::StatusOr<net::JsonDocument> body = net::JsonDocument::Parse(context.frame.body.text());
  if (!body.ok()) co_return net::Reply(ResponseCode::kSystemError, std::string(body.status().message()));
  const std::string topic(body->root()["topic"].text());
  const std::string group(body->root()["consumerGroup"].text());
  const std::string client(body->root()["clientId"].text());
  const std::string strategy(body->root()["strategyName"].text());
  const std::optional<size_t> model = body->root()["messageModel"].AsEnum(kMessageModelNames);
  std::optional<std::string> wrong = net::WrongTopicToUse(topic);
  if (!wrong.has_value()) wrong = net::WrongGroupToUse(group);
  if (!wrong.has_value()) wrong = net::WrongClientId(client);
  if (!wrong.has_value() && !model.has_value()) wrong = "the messageModel is neither CLUSTERING nor BROADCASTING";
  if (wrong.has_value()) co_return net::Reply(ResponseCode::kInvalidParameter, std::move(*wrong));

  const GroupRequestMode mode = co_await FindRequestMode(shard_, topic, group);
  std::vector<ClusterQueue> queues;
  if (shard_.config().enable_lmq && IsLmq(topic)) {
    queues.push_back({topic, shard_.config().broker_name, 0});  // no nameserver knows it. Source: RocketMQ 5.3.3 QueryAssignmentProcessor
  } else {
    queues = co_await queues_.Find(topic);
  }
  std::optional<std::vector<ClusterQueue>> mine;
  if (!queues.empty() && static_cast<MessageModel>(*model) == MessageModel::kBroadcasting) {
    mine = queues;
  } else if (!queues.empty()) {
    const std::optional<GroupView> view = co_await shard_.consumer_groups().View(group);
    std::vector<std::string> clients;
    if (view.has_value()) {
      for (const ClientInfo& member : view->members) clients.push_back(member.client_id);
    }
    if (!clients.empty()) {
      mine = mode.mode == RequestMode::kPop ? AllocateQueuesForPop(strategy, client, queues, clients, mode.pop_share)
                                            : AllocateQueues(strategy, client, queues, clients);
    }
  }
  net::Reply reply;
  reply.SetBody(BodyOf(mine, mode.mode));
  co_return reply;
}

void RegisterAssignmentHandlers(BrokerShard& shard) {
  AssignmentHandlers& handlers = shard.Adopt(std::make_unique<AssignmentHandlers>(shard));
  shard.On(handlers, &AssignmentHandlers::Query);
}

}  // namespace broker
