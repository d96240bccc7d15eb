#pragma once

#include <cstddef>
#include <cstdint>
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
/// merged subscriptions, notifications.
class ConsumerGroups {
 public:
  using Id = net::Connection::Id;
  /// Sends NOTIFY_CONSUMER_IDS_CHANGED of `group` to connections of this shard.
  using Notify = std::function<void(const std::vector<Id>&, std::string_view group)>;
  /// Every shard's instance, for calls there; never used for the members of another shard.
  using Peers = std::function<ConsumerGroups*(core::ShardId)>;

  /// `peers` gives every shard's instance once all shards have started.
  ConsumerGroups(Placement placement, Peers peers, Notify notify);

  /// A consumer's heartbeat, on the connection's shard. Members are notified, where the rules ask for it, before it returns:
  /// a new member, a replaced connection, topics added or removed. `notify_enabled`: by broker and group configuration.
  core::Task<void> Heartbeat(ConsumerRegistration registration, bool notify_enabled);
  /// UNREGISTER_CLIENT, on the connection's shard.
  core::Task<void> Unregister(Id connection, std::string group, bool notify_enabled);
  /// The connection is gone, on its shard: forgets it here and in the groups' owners; members are notified at once.
  core::Task<void> ConnectionClosed(Id connection);

  /// What the pull of `topic` that arrived on `connection` (of this shard) is filtered by; nullopt: this connection has announced
  /// no such group here, so ask the group's owner with FindOfGroup. Allocates nothing.
  std::optional<PullSubscription> Find(Id connection, std::string_view group, std::string_view topic) const;
  /// What the group as a whole subscribes to; asks the owner of the group.
  core::Task<PullSubscription> FindOfGroup(std::string group, std::string topic) const;
  /// The group with its members, as its owner knows it; nullopt when nobody is online.
  core::Task<std::optional<GroupView>> View(std::string group) const;
  /// Groups with a member that subscribes to `topic`, by name; gathered from all shards.
  core::Task<std::vector<std::string>> GroupsOfTopic(std::string topic) const;

  /// Forgets members of this shard's groups that have been silent since before `oldest`, and notifies the others. Returns the silent
  /// connections, of any shard, for closing.
  core::Task<std::vector<Id>> Expire(core::MonoTime oldest);

  /// Groups of this shard whose members subscribe to different things now, and how often that has begun or changed.
  size_t disagreeing() const { return members_.disagreeing(); }
  uint64_t disagreements_seen() const { return disagreements_seen_; }

 private:
  struct Announced {
    MessageModel model = MessageModel::kClustering;
    bool notify_enabled = true;
    std::map<std::string, std::shared_ptr<const SubscriptionData>, std::less<>> subscriptions;
  };
  using OfConnection = std::map<std::string, Announced, std::less<>>;  // by group

  /// Says once what the members of a group of this shard have begun to disagree about; returns who is to be told.
  std::vector<Id> Settle(std::string_view group, GroupMembers::Outcome outcome);
  core::Task<void> Leave(Id connection, std::string group, bool notify_enabled);
  /// Tells members, each on its connection's shard.
  core::Task<void> NotifyMembers(std::string group, std::vector<Id> members) const;

  const Placement placement_;
  const Peers peers_;
  const Notify notify_;
  std::map<Id, OfConnection> connections_;
  GroupMembers members_;
  uint64_t disagreements_seen_ = 0;
};

}  // namespace broker
