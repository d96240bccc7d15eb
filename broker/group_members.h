#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client_info.h"
#include "broker/subscription_data.h"
#include "core/time.h"

namespace broker {

/// One consumer's part of a heartbeat. Source: RocketMQ 5.3.3 ConsumerData.
struct ConsumerRegistration {
  std::string group;
  ClientInfo client;
  ConsumeType type = ConsumeType::kPassively;
  MessageModel model = MessageModel::kClustering;
  ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
  std::vector<SubscriptionData> subscriptions;
  bool unit_mode = false;
};

/// A group as it is now.
struct GroupView {
  ConsumeType type = ConsumeType::kPassively;
  MessageModel model = MessageModel::kClustering;
  ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
  std::vector<ClientInfo> members;  // by client id
  std::map<std::string, SubscriptionData> subscriptions;
};

/// The consumer groups that one shard owns: who is in them and what they subscribe to. Only data: whom to notify is returned.
/// Rules: semantics.md 5.5 (RocketMQ 5.3.3 ConsumerManager, ConsumerGroupInfo). One shard.
class GroupMembers {
 public:
  using Id = net::Connection::Id;

  /// Takes in a heartbeat. Returns the connections of all members when they must be told: the member is new or has a new connection, or topics were
  /// added or removed. Never for broadcasting groups.
  std::vector<Id> Heartbeat(ConsumerRegistration registration);
  /// Removes one client's connection; returns who is left to be told.
  std::vector<Id> Remove(std::string_view group, Id connection);

  std::optional<GroupView> View(std::string_view group) const;
  const SubscriptionData* FindSubscription(std::string_view group, std::string_view topic) const;
  std::optional<MessageModel> ModelOf(std::string_view group) const;
  std::vector<std::string> GroupsOfTopic(std::string_view topic) const;

  struct Expired {
    std::string group;
    Id connection = 0;
    std::vector<Id> left;
  };
  /// Removes members that have been silent since before `oldest`.
  std::vector<Expired> Expire(core::WallMillis oldest);

 private:
  struct Group {
    ConsumeType type = ConsumeType::kPassively;
    MessageModel model = MessageModel::kClustering;
    ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
    std::map<Id, ClientInfo> members;
    std::map<std::string, SubscriptionData, std::less<>> subscriptions;
  };
  std::vector<Id> ToNotify(const Group& group) const;
  static bool MergeSubscriptions(Group& group, std::vector<SubscriptionData> wanted);

  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace broker
