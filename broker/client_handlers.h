#pragma once

#include <set>
#include <string>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/client_info.h"
#include "broker/consumer_groups.h"
#include "broker/order_locks.h"
#include "broker/producer_groups.h"
#include "core/task.h"
#include "net/json.h"
#include "net/requests/client_management.h"

namespace broker {

/// Who is there: heartbeats, members of groups, and what happens when one is gone. Source: RocketMQ 5.3.3 ClientManageProcessor,
/// ConsumerManageProcessor. One a shard, for the connections of that shard.
class ClientHandlers {
 public:
  explicit ClientHandlers(BrokerShard& shard);

  /// HEART_BEAT (34): registers the producers and consumers of one client. First version of the protocol only: the answer does not
  /// claim the second, so that clients keep sending their subscriptions.
  core::Task<net::Reply> Heartbeat(net::RequestContext context, net::HeartBeatRequest request);
  /// UNREGISTER_CLIENT (35).
  core::Task<net::Reply> Unregister(net::RequestContext context, net::UnregisterClientRequest request);
  /// GET_CONSUMER_LIST_BY_GROUP (38): the client ids by which every member computes the same distribution of queues.
  core::Task<net::Reply> ConsumerList(net::RequestContext context, net::GetConsumerListByGroupRequest request);
  /// CHECK_CLIENT_CONFIG (46): whether the broker can filter as the client asks.
  core::Task<net::Reply> CheckClientConfig(net::RequestContext context, net::CheckClientConfigRequest request);
  /// LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42), for ordered consumption.
  core::Task<net::Reply> Lock(net::RequestContext context, net::LockBatchMqRequest request);
  core::Task<net::Reply> Unlock(net::RequestContext context, net::UnlockBatchMqRequest request);

  /// Told when a connection of this shard has closed: frees its locks, then tells the groups it was in.
  void OnConnectionClosed(net::Connection& connection);
  /// Expires who is silent and takes the samples of the statistics, until the shard's scope stops.
  core::Task<void> Maintain();

 private:
  core::Task<void> ConsumerBeat(net::JsonValue consumer, bool without_subscriptions, ClientInfo client);
  core::Task<void> Forget(net::Connection::Id connection);
  core::Task<void> ExpireSilent();
  core::Task<void> CloseConnections(std::vector<net::Connection::Id> connections);
  bool NotifyEnabled(std::string_view group) const;

  BrokerShard& shard_;
  ConsumerGroups& consumers_;
  ProducerGroups& producers_;
  OrderLocks& locks_;
  std::set<net::Connection::Id> lockers_;  // connections that may hold locks, on whatever shard
};

/// Makes this shard's ConsumerGroups (set_consumer_groups), adds the handlers and starts the maintenance: expiry, samples of the statistics.
void RegisterClientHandlers(BrokerShard& shard);

}  // namespace broker
