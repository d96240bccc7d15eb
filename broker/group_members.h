#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client_info.h"
#include "broker/subscription_data.h"
#include "core/time.h"

namespace broker {

using Subscriptions = std::map<std::string, SubscriptionData, std::less<>>;  // by topic

/// One consumer's part of a heartbeat. Source: RocketMQ 5.3.3 ConsumerData.
struct ConsumerRegistration {
  std::string group;
  ClientInfo client;
  ConsumeType type = ConsumeType::kPassively;
  MessageModel model = MessageModel::kClustering;
  ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
  Subscriptions subscriptions;
  bool without_subscriptions = false;  // the beat says only "alive": subscriptions stay as they are
};

/// A group as it is now.
struct GroupView {
  ConsumeType type = ConsumeType::kPassively;
  MessageModel model = MessageModel::kClustering;
  ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
  std::vector<ClientInfo> members;  // by client id
  Subscriptions subscriptions;      // of all members; where they differ, the newest
};

/// The consumer groups that one shard owns: who is in them and what they subscribe to. Only data: whom to notify is returned. One shard.
/// Rules: RocketMQ 5.3.3 ConsumerManager, ConsumerGroupInfo, but that subscriptions belong to members: RocketMQ has one table a
/// group, which the members of a group with unequal subscriptions overwrite in turn, with a rebalance each time.
class GroupMembers {
 public:
  using Id = net::Connection::Id;

  struct Outcome {
    /// Connections to be told that the group has changed; none when it has not, and never for broadcasting groups.
    std::vector<Id> notify;
    /// Two members subscribe to different things, which loses messages of both: says who and what. Only when this heartbeat brought it about.
    std::optional<std::string> conflict;
  };
  /// Takes in a heartbeat. To be told of: a new member or connection, topics added or removed.
  Outcome Heartbeat(ConsumerRegistration registration);
  /// Removes one client's connection; returns who is left to be told.
  std::vector<Id> Remove(std::string_view group, Id connection);

  /// nullopt: nobody is online.
  std::optional<GroupView> View(std::string_view group) const;
  /// The newest subscription of a member to the topic, or null.
  const SubscriptionData* FindSubscription(std::string_view group, std::string_view topic) const;
  std::optional<MessageModel> ModelOf(std::string_view group) const;
  /// Groups with a member that subscribes to it, by name.
  std::vector<std::string> GroupsOfTopic(std::string_view topic) const;

  struct Expired {
    std::string group;
    Id connection = 0;
    std::vector<Id> left;  // to be told
  };
  /// Removes members that have been silent since before `oldest`.
  std::vector<Expired> Expire(core::MonoTime oldest);

 private:
  struct Member {
    ClientInfo client;
    Subscriptions subscriptions;
  };
  struct Group {
    ConsumeType type = ConsumeType::kPassively;
    MessageModel model = MessageModel::kClustering;
    ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
    std::map<Id, Member> members;
  };
  static std::vector<Id> ToNotify(const Group& group);
  static std::optional<std::string> FindConflict(std::string_view name, const Group& group, Id with);

  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace broker
