#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/client_info.h"
#include "broker/group_members.h"
#include "broker/placement.h"
#include "broker/subscription_data.h"
#include "core/sharded.h"
#include "core/task.h"
#include "net/server.h"

namespace broker {

/// What a pull without its own subscription is filtered by.
struct PullSubscription {
  bool group_online = false;  // false: SUBSCRIPTION_NOT_EXIST, the group has no consumer here
  MessageModel model = MessageModel::kClustering;
  /// Null: the group is there and does not subscribe to the topic (SUBSCRIPTION_NOT_EXIST).
  std::shared_ptr<const SubscriptionData> subscription;
};

/// The consumers of the broker, one instance a shard. It has two halves: what each connection of this shard has announced (so that a pull is
/// filtered by its own client's subscription, without asking another shard), and the groups that this shard owns: members,
/// merged subscriptions, notifications. RocketMQ keeps one subscription a group, so that two members which differ lose each other's messages.
class ConsumerGroups {
 public:
  /// Sends NOTIFY_CONSUMER_IDS_CHANGED of `group` to connections of this shard.
  using Notify = std::function<void(const std::vector<net::Connection::Id>&, std::string_view group)>;

  /// `peers` holds every shard's instance and outlives them.
  ConsumerGroups(Placement placement, const core::Sharded<ConsumerGroups>& peers, Notify notify);

  /// A consumer's heartbeat, on the connection's shard. Members are notified, where the rules ask for it, before it returns:
  /// a new member, a replaced connection, topics added or removed. `notify_enabled`: by broker and group configuration.
  core::Task<void> Heartbeat(ConsumerRegistration registration, bool notify_enabled);
  /// UNREGISTER_CLIENT, on the connection's shard.
  core::Task<void> Unregister(net::Connection::Id connection, std::string client_id, std::string group, bool notify_enabled);
  /// The connection is gone, on its shard: takes its groups out of this shard's memory and out of their owners', members are notified at
  /// once. Returns the (group, client id) pairs it was.
  core::Task<std::vector<std::pair<std::string, std::string>>> ConnectionClosed(net::Connection::Id connection);

  /// What the pull of `topic` that arrived on `connection` (of this shard) is filtered by; nullopt: this connection has announced
  /// no such group here, so ask the group's owner with FindOfGroup. Allocates nothing.
  std::optional<PullSubscription> Find(net::Connection::Id connection, std::string_view group, std::string_view topic) const;
  /// What the group as a whole subscribes to; asks the owner of the group.
  core::Task<PullSubscription> FindOfGroup(std::string group, std::string topic) const;
  /// The group with its members, as its owner knows it; nullopt when nobody is online.
  core::Task<std::optional<GroupView>> View(std::string group) const;
  /// Groups with a member that subscribes to `topic`, by name; gathered from all shards.
  core::Task<std::vector<std::string>> GroupsOfTopic(std::string topic) const;

  /// Forgets members whose last heartbeat is older than `oldest` (on the owner), notifies the others, and returns the connections to close.
  core::Task<std::vector<net::Connection::Id>> Expire(core::WallMillis oldest);

 private:
  struct Announced {
    std::string client_id;
    MessageModel model = MessageModel::kClustering;
    bool notify_enabled = true;
    std::map<std::string, std::shared_ptr<const SubscriptionData>, std::less<>> subscriptions;
  };
  using OfConnection = std::map<std::string, Announced, std::less<>>;

  core::Task<void> NotifyMembers(std::string group, std::vector<net::Connection::Id> members) const;

  const Placement placement_;
  const core::Sharded<ConsumerGroups>& peers_;
  const Notify notify_;
  std::map<net::Connection::Id, OfConnection> connections_;
  GroupMembers members_;
};

}  // namespace broker
