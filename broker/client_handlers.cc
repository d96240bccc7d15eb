#include "broker/client_handlers.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/sql/filter.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/name_rules.h"
#include "net/requests/to_client.h"

namespace broker {
namespace {

constexpr absl::Duration kMaintenanceInterval = absl::Seconds(10);
/// All far above what a client has; each group keeps a copy of what is known of the client.
constexpr size_t kGroupsPerHeartbeatMax = 1024;
constexpr size_t kSubscriptionsMax = 1024;
constexpr size_t kQueuesPerLockMax = 65536;
/// Of all subscriptions of a heartbeat together: they are kept, and a copy on each shard that a member's pulls come by.
constexpr size_t kExpressionBytesMax = size_t{256} << 10;

size_t ExpressionBytes(const net::JsonValue& beat) {
  size_t bytes = 0;
  for (const net::JsonValue& consumer : beat["consumerDataSet"].items()) {
    for (const net::JsonValue& one : consumer["subscriptionDataSet"].items()) {
      bytes += one["subString"].text().size() + one["expressionType"].text().size();
      for (const net::JsonValue& tag : one["tagsSet"].items()) bytes += tag.text().size();
    }
  }
  return bytes;
}

net::Reply BodyIsNoJson(const absl::Status& status) {
  return net::Reply(net::ResponseCode::kSystemError, core::StrCat("the request's body is not understood: ", core::ToStd(status.message())));
}

template <typename Enum, size_t kCount>
Enum EnumOr(const net::JsonValue& value, const std::array<std::string_view, kCount>& names, Enum fallback) {
  const std::optional<size_t> index = value.AsEnum(names);
  return index.has_value() ? static_cast<Enum>(*index) : fallback;
}

/// The queues of a lock request's body that are there, by the shard that owns them.
std::map<core::ShardId, std::vector<core::QueueKey>> QueuesByOwner(const net::JsonValue& queues, const BrokerShard& shard) {
  std::map<core::ShardId, std::vector<core::QueueKey>> by_owner;
  for (const net::JsonValue& queue : queues.items()) {
    core::QueueKey key{std::string(queue["topic"].text()), queue["queueId"].Int32Or(-1)};
    const TopicConfig* const topic = shard.catalog().FindTopic(key.topic);
    if (topic == nullptr || key.queue_id < 0 || key.queue_id >= topic->queues()) continue;
    const core::ShardId owner = shard.placement().OwnerOf(key);
    by_owner[owner].push_back(std::move(key));
  }
  return by_owner;
}

/// What is wrong with the names in the body of a lock or unlock, if anything.
std::optional<net::Reply> RefuseLock(const net::JsonValue& body) {
  std::optional<std::string> wrong = net::WrongGroupToUse(body["consumerGroup"].text());
  if (!wrong.has_value()) wrong = net::WrongClientId(body["clientId"].text());
  if (!wrong.has_value() && body["mqSet"].items().size() > kQueuesPerLockMax) {
    wrong =
        core::StrCat("a lock of ", body["mqSet"].items().size(), " queues; at most ", kQueuesPerLockMax, " are taken");
  }
  if (!wrong.has_value()) return std::nullopt;
  return net::Reply(net::ResponseCode::kInvalidParameter, *std::move(wrong));
}

std::vector<core::QueueKey> LockHere(BrokerShard& there, std::string group, std::string client_id, net::Connection::Id connection,
                                     std::vector<core::QueueKey> queues) {
  const core::MonoTime now = core::Reactor::Current().now();
  std::erase_if(queues, [&](const core::QueueKey& queue) {
    return !there.order_locks().Lock(group, queue, client_id, connection, now);
  });
  return queues;
}

}  // namespace

ClientHandlers::ClientHandlers(BrokerShard& shard)
    : shard_(shard), consumers_(shard.consumer_groups()), producers_(shard.producer_groups()), locks_(shard.order_locks()) {}

bool ClientHandlers::NotifyEnabled(std::string_view group) const {
  const GroupConfig* config = shard_.catalog().FindGroup(group);
  return shard_.config().notify_consumer_ids_changed_enable &&
         (config == nullptr || config->notify_consumer_ids_changed_enable);
}

core::Task<net::Reply> ClientHandlers::Heartbeat(net::RequestContext context, net::HeartBeatRequest) {
  absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return BodyIsNoJson(document.status());
  const net::JsonValue beat = document->root();
  const core::Reactor& reactor = core::Reactor::Current();
  const ClientInfo client{.connection = context.connection.id(),
                          .client_id = std::string(beat["clientID"].text()),
                          .address = context.connection.peer_text(),
                          .user = std::string(context.user()),
                          .language = context.frame.language,
                          .version = context.frame.version,
                          .last_heartbeat = reactor.wall_now(),
                          .seen = reactor.now()};
  if (client.client_id.empty()) {
    co_return net::Reply(net::ResponseCode::kSystemError, "a heartbeat without clientID");
  }
  if (std::optional<std::string> wrong = net::WrongClientId(client.client_id)) {
    co_return net::Reply(net::ResponseCode::kInvalidParameter, *std::move(wrong));
  }
  const size_t groups = beat["producerDataSet"].items().size() + beat["consumerDataSet"].items().size();
  if (groups > kGroupsPerHeartbeatMax) {
    co_return net::Reply(net::ResponseCode::kInvalidParameter,
                         absl::StrCat("a heartbeat with ", groups, " groups; at most ", kGroupsPerHeartbeatMax, " are taken"));
  }
  if (const size_t bytes = ExpressionBytes(beat); bytes > kExpressionBytesMax) {
    co_return net::Reply(net::ResponseCode::kInvalidParameter,
                         absl::StrCat("a heartbeat with ", bytes, " bytes of tags and expressions; at most ", kExpressionBytesMax, " are kept"));
  }
  for (const net::JsonValue& producer : beat["producerDataSet"].items()) {
    const std::string_view group = producer["groupName"].text();
    if (net::WrongLabel("producer group", group).has_value() || producers_.Heartbeat(group, client)) continue;
    co_return net::Reply(net::ResponseCode::kInvalidParameter,
                         absl::StrCat("a connection can be in ", ProducerGroups::kGroupsPerConnectionMax, " producer groups, and is"));
  }
  const bool without_subscriptions = beat["withoutSub"].BoolOr(false);
  for (const net::JsonValue& consumer : beat["consumerDataSet"].items()) {
    co_await ConsumerBeat(consumer, without_subscriptions, client);
  }
  net::Reply reply;
  reply.Add("IS_SUB_CHANGE", std::string_view("true"));
  co_return reply;
}

core::Task<void> ClientHandlers::ConsumerBeat(net::JsonValue consumer, bool without_subscriptions, ClientInfo client) {
  ConsumerRegistration registration;
  registration.group = consumer["groupName"].text();
  if (shard_.catalog().FindGroup(registration.group) == nullptr) {
    const absl::StatusOr<GroupConfig> made = co_await shard_.catalog_writer().EnsureGroup(registration.group);
    if (!made.ok()) {  // RocketMQ passes over such a group as well; its pulls are told why
      core::LogWarning("heartbeat of ", client.client_id, ": ", core::ToStd(made.status().message()));
      co_return;
    }
  }
  // Tools find a group by the route of its retry topic, and consumers subscribe to it: it is there from the first heartbeat on.
  TopicConfig retry;
  retry.name = RetryTopicOf(registration.group);
  if (shard_.catalog().FindTopic(retry.name) == nullptr && !shard_.catalog().IsLmqGroup(registration.group)) {
    const GroupConfig* config = shard_.catalog().FindGroup(registration.group);
    const int32_t queues = config == nullptr ? 1 : config->retry_queues;
    if (queues > 0) {
      retry.read_queues = queues;
      retry.write_queues = queues;
      retry.sys_flag = consumer["unitMode"].BoolOr(false) ? kTopicSysFlagUnitSub : 0;
      const absl::StatusOr<TopicConfig> made = co_await shard_.catalog_writer().EnsureTopic(retry);
      if (!made.ok()) core::LogWarning("no retry topic for ", registration.group, ": ", core::ToStd(made.status().message()));
    }
  }
  registration.client = std::move(client);
  registration.type = EnumOr(consumer["consumeType"], kConsumeTypeNames, ConsumeType::kPassively);
  registration.model = EnumOr(consumer["messageModel"], kMessageModelNames, MessageModel::kClustering);
  registration.from = EnumOr(consumer["consumeFromWhere"], kConsumeFromWhereNames, ConsumeFromWhere::kLastOffset);
  registration.without_subscriptions = without_subscriptions;
  for (const net::JsonValue& one : consumer["subscriptionDataSet"].items()) {
    SubscriptionData data = SubscriptionData::FromJson(one);
    if (data.is_sql()) co_await core::Yield();  // to compile a large expression takes milliseconds
    if (net::WrongTopicToUse(data.topic).has_value() || registration.subscriptions.size() >= kSubscriptionsMax) continue;
    std::string topic = data.topic;
    registration.subscriptions.insert_or_assign(std::move(topic), std::move(data));
  }
  const bool notify = NotifyEnabled(registration.group);
  co_await consumers_.Heartbeat(std::move(registration), notify);
}

core::Task<net::Reply> ClientHandlers::Unregister(net::RequestContext context, net::UnregisterClientRequest request) {
  const net::Connection::Id connection = context.connection.id();
  if (request.producer_group.has_value()) producers_.Unregister(*request.producer_group, connection);
  if (request.consumer_group.has_value()) {
    const std::string group(*request.consumer_group);
    co_await consumers_.Unregister(connection, group, NotifyEnabled(group));
  }
  co_return net::Reply();
}

core::Task<net::Reply> ClientHandlers::ConsumerList(net::RequestContext, net::GetConsumerListByGroupRequest request) {
  const std::string group(request.consumer_group);
  const std::optional<GroupView> view = co_await consumers_.View(group);
  if (!view.has_value()) {
    co_return net::Reply(net::ResponseCode::kSystemError, core::StrCat("no consumer for this group, ", group));
  }
  net::JsonWriter json;
  json.BeginObject().Key("consumerIdList").BeginArray();
  for (const ClientInfo& member : view->members) json.String(member.client_id);
  json.EndArray().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> ClientHandlers::CheckClientConfig(net::RequestContext context, net::CheckClientConfigRequest) {
  if (context.frame.body.empty()) co_return net::Reply();
  absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return BodyIsNoJson(document.status());
  const net::JsonValue subscription = document->root()["subscriptionData"];
  const std::string_view type = subscription["expressionType"].TextOr(kExpressionTag);
  if (IsTagType(type)) co_return net::Reply();
  if (std::optional<net::Reply> refusal = RefuseExpressionType(type, shard_.config())) co_return *std::move(refusal);
  const absl::Status compiled = sql::Filter::Compile(subscription["subString"].text()).status();
  if (!compiled.ok()) {
    co_return net::Reply(net::ResponseCode::kSubscriptionParseFailed, std::string(compiled.message()));
  }
  co_return net::Reply();
}

core::Task<net::Reply> ClientHandlers::Lock(net::RequestContext context, net::LockBatchMqRequest) {
  absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return BodyIsNoJson(document.status());
  const net::JsonValue body = document->root();
  if (std::optional<net::Reply> refusal = RefuseLock(body)) co_return *std::move(refusal);
  const std::string group(body["consumerGroup"].text());
  const std::string client_id(body["clientId"].text());
  const net::Connection::Id connection = context.connection.id();
  std::map<core::ShardId, std::vector<core::QueueKey>> wanted;
  // A group that nobody has heard of consumes nothing.
  if (shard_.catalog().FindGroup(group) != nullptr) wanted = QueuesByOwner(body["mqSet"], shard_);
  if (!wanted.empty()) lockers_.insert(connection);
  std::set<core::QueueKey> locked;
  for (auto& [owner, queues] : wanted) {
    std::vector<core::QueueKey> got = co_await shard_.peers().On(
        owner,
        [](BrokerShard& there, std::string g, std::string c, net::Connection::Id id, std::vector<core::QueueKey> keys) {
          return LockHere(there, std::move(g), std::move(c), id, std::move(keys));
        },
        group, client_id, connection, std::move(queues));
    locked.insert(std::make_move_iterator(got.begin()), std::make_move_iterator(got.end()));
  }
  net::JsonWriter json;
  json.BeginObject().Key("lockOKMQSet").BeginArray();
  for (const net::JsonValue& queue : body["mqSet"].items()) {
    const core::QueueKey key{std::string(queue["topic"].text()), queue["queueId"].Int32Or(-1)};
    if (!locked.contains(key)) continue;
    json.BeginObject().Member("brokerName", queue["brokerName"].text());
    json.Member("queueId", key.queue_id).Member("topic", key.topic).EndObject();
  }
  json.EndArray().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> ClientHandlers::Unlock(net::RequestContext context, net::UnlockBatchMqRequest) {
  absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return BodyIsNoJson(document.status());
  const net::JsonValue body = document->root();
  if (std::optional<net::Reply> refusal = RefuseLock(body)) co_return *std::move(refusal);
  const std::string group(body["consumerGroup"].text());
  const std::string client_id(body["clientId"].text());
  std::map<core::ShardId, std::vector<core::QueueKey>> held = QueuesByOwner(body["mqSet"], shard_);
  for (auto& [owner, queues] : held) {
    co_await shard_.peers().On(
        owner,
        [](BrokerShard& there, std::string g, std::string c, std::vector<core::QueueKey> keys) {
          for (const core::QueueKey& key : keys) there.order_locks().Unlock(g, key, c);
        },
        group, client_id, std::move(queues));
  }
  co_return net::Reply();
}

void ClientHandlers::OnConnectionClosed(net::Connection& connection) { shard_.scope().Spawn(Forget(connection.id())); }

core::Task<void> ClientHandlers::Forget(net::Connection::Id connection) {
  producers_.ConnectionClosed(connection);
  if (lockers_.erase(connection) > 0) {
    // Before the members hear of it: the next owner of a queue must find it free at its first attempt.
    for (uint32_t shard = 0; shard < shard_.placement().shards(); ++shard) {
      co_await shard_.peers().On(
          core::ShardId(shard),
          [](BrokerShard& there, net::Connection::Id id) { there.order_locks().ConnectionClosed(id); }, connection);
    }
  }
  co_await consumers_.ConnectionClosed(connection);
}

core::Task<void> ClientHandlers::CloseConnections(std::vector<net::Connection::Id> connections) {
  for (const net::Connection::Id id : connections) {
    co_await shard_.peers().On(
        BrokerShard::ShardOf(id),
        [](BrokerShard& there, net::Connection::Id silent) {
          net::Connection* connection = there.FindConnection(silent);
          if (connection != nullptr) connection->Close("no heartbeat within channelExpiredTimeout");
        },
        id);
  }
}

core::Task<void> ClientHandlers::ExpireSilent() {
  const core::MonoTime now = core::Reactor::Current().now();
  const core::MonoTime oldest = now - shard_.config().channel_expired_timeout;
  locks_.Expire(now);
  co_await CloseConnections(producers_.Expire(oldest));
  std::vector<net::Connection::Id> silent = co_await consumers_.Expire(oldest);
  co_await CloseConnections(std::move(silent));
}

core::Task<void> ClientHandlers::Maintain() {
  core::StopToken stop = shard_.scope().stop_token();
  core::Reactor& reactor = core::Reactor::Current();
  while (true) {
    shard_.stats().Sample(reactor.now(), reactor.wall_now());
    if (co_await core::Sleep(kMaintenanceInterval, stop) == core::WaitResult::kStopped) co_return;
    co_await ExpireSilent();
  }
}

void RegisterClientHandlers(BrokerShard& shard) {
  BrokerShard* const here = &shard;
  shard.set_consumer_groups(shard.Adopt(std::make_unique<ConsumerGroups>(
      shard.placement(), [here](core::ShardId id) { return &here->peers().at(id)->consumer_groups(); },
      [here](const std::vector<net::Connection::Id>& members, std::string_view group) {
        for (const net::Connection::Id id : members) {
          net::Connection* member = here->FindConnection(id);
          if (member != nullptr) member->SendOneway(net::NotifyConsumerIdsChangedRequest{.consumer_group = group});
        }
      })));
  shard.metrics().Add([here](core::MetricSink& sink) {
    const ConsumerGroups& groups = here->consumer_groups();
    sink.Gauge("ringmq_groups_with_unequal_subscriptions", "Consumer groups whose members subscribe to different things, which loses messages.",
               static_cast<double>(groups.disagreeing()));
    sink.Counter("ringmq_unequal_subscriptions_total", "Times that members of a group began to, or did so in another way.",
                 static_cast<double>(groups.disagreements_seen()));
  });
  auto& handlers = shard.Adopt(std::make_unique<ClientHandlers>(shard));
  shard.On(handlers, &ClientHandlers::Heartbeat);
  shard.On(handlers, &ClientHandlers::Unregister);
  shard.On(handlers, &ClientHandlers::ConsumerList);
  shard.On(handlers, &ClientHandlers::CheckClientConfig);
  shard.On(handlers, &ClientHandlers::Lock);
  shard.On(handlers, &ClientHandlers::Unlock);
  shard.AddCloseListener([&handlers](net::Connection& connection) { handlers.OnConnectionClosed(connection); });
  shard.scope().Spawn(handlers.Maintain());
}

}  // namespace broker
