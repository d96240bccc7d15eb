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

/// A topic of which members of one group want different things: what each is sent is chosen by its own expression from its own queues, and what the
/// other would have wanted of these is lost to the group.
struct Disagreement {
  /// Members that want the same.
  struct Camp {
    std::string wish;  // an expression, or nothing
    size_t members = 0;
    std::string such_as;  // the one whose client id comes first, with its address
    friend bool operator==(const Camp&, const Camp&) = default;
  };
  std::string topic;
  std::vector<Camp> camps;  // by wish
  /// "2 want [A], such as c1 (10.0.0.5:1234); 1 wants nothing: c2 (10.0.0.6:1234)"
  std::string Text() const;
  /// Topic and wishes are the same, whoever has them.
  bool SameWishes(const Disagreement& other) const;
};

/// A group as it is now.
struct GroupView {
  ConsumeType type = ConsumeType::kPassively;
  MessageModel model = MessageModel::kClustering;
  ConsumeFromWhere from = ConsumeFromWhere::kLastOffset;
  std::vector<ClientInfo> members;  // by client id
  Subscriptions subscriptions;      // of all members; where they differ, the newest
  std::vector<Disagreement> disagreements;  // by topic
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
    /// What members disagree about is not what it was; GroupMembers::Disagreements has it.
    bool disagreements_changed = false;
  };
  /// Takes in a heartbeat. To be told of: a new member or connection, topics added or removed.
  Outcome Heartbeat(ConsumerRegistration registration);
  /// Removes one client's connection. To be told: who is left.
  Outcome Remove(std::string_view group, Id connection);

  /// nullopt: nobody is online.
  std::optional<GroupView> View(std::string_view group) const;
  /// The newest subscription of a member to the topic, or null.
  const SubscriptionData* FindSubscription(std::string_view group, std::string_view topic) const;
  std::optional<MessageModel> ModelOf(std::string_view group) const;
  /// What the members disagree about; by topic. Broadcasting members share no queues: they may want what they like.
  std::vector<Disagreement> Disagreements(std::string_view group) const;
  /// Groups whose members disagree.
  size_t disagreeing() const { return disagreeing_; }
  /// Groups with a member that subscribes to it, by name.
  std::vector<std::string> GroupsOfTopic(std::string_view topic) const;

  struct Expired {
    std::string group;
    Id connection = 0;
    Outcome outcome;
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
    std::vector<Disagreement> disagreements;
  };
  static std::vector<Id> ToNotify(const Group& group);
  static std::vector<Disagreement> Compare(const Group& group);
  /// Compares anew; whether the wishes that are not the same have changed.
  bool Judge(Group& group);

  std::map<std::string, Group, std::less<>> groups_;
  size_t disagreeing_ = 0;
};

}  // namespace broker
