#include "broker/consumer_groups.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"

namespace broker {
namespace {

core::ShardId ShardOf(net::Connection::Id id) { return core::ShardId(static_cast<uint32_t>(id >> 48)); }

}  // namespace

ConsumerGroups::ConsumerGroups(Placement placement, Peers peers, Notify notify)
    : placement_(placement), peers_(std::move(peers)), notify_(std::move(notify)) {}

core::Task<void> ConsumerGroups::Heartbeat(ConsumerRegistration registration, bool notify_enabled) {
  Announced& announced = connections_[registration.client.connection][registration.group];
  announced.model = registration.model;
  announced.notify_enabled = notify_enabled;
  if (!registration.without_subscriptions) {
    std::erase_if(announced.subscriptions, [&](const auto& one) { return !registration.subscriptions.contains(one.first); });
    for (const auto& [topic, data] : registration.subscriptions) {
      std::shared_ptr<const SubscriptionData>& present = announced.subscriptions[topic];
      if (present != nullptr && *present == data) continue;
      present = std::make_shared<const SubscriptionData>(data);
      if (data.is_sql() && data.sql == nullptr) {
        core::LogWarning("group ", registration.group, ", ", registration.client.client_id,
                         " can't be filtered from topic ", topic, ": ", data.SqlError());
      }
    }
  }
  const std::string group = registration.group;
  const core::ShardId owner = placement_.OwnerOfGroup(group);
  std::vector<Id> notify = co_await core::InvokeOn(
      owner,
      [](ConsumerGroups* there, ConsumerRegistration beat) {
        const std::string name = beat.group;
        return there->Settle(name, there->members_.Heartbeat(std::move(beat)));
      },
      peers_(owner), std::move(registration));
  if (notify_enabled) co_await NotifyMembers(group, std::move(notify));
}

std::vector<ConsumerGroups::Id> ConsumerGroups::Settle(std::string_view group, GroupMembers::Outcome outcome) {
  if (!outcome.disagreements_changed) return std::move(outcome.notify);
  const std::vector<Disagreement> disagreements = members_.Disagreements(group);
  if (disagreements.empty()) {
    core::LogInfo("group ", group, ": its members subscribe to the same again");
    return std::move(outcome.notify);
  }
  ++disagreements_seen_;
  for (const Disagreement& one : disagreements) {
    core::LogWarning("group ", group, " loses messages of topic ", one.topic, ", as its members subscribe to different things: ", one.Text(),
                     ". Let all members of a group subscribe to the same, or give them groups of their own.");
  }
  return std::move(outcome.notify);
}

core::Task<void> ConsumerGroups::Unregister(Id connection, std::string group, bool notify_enabled) {
  if (const auto at = connections_.find(connection); at != connections_.end()) {
    at->second.erase(group);
    if (at->second.empty()) connections_.erase(at);
  }
  co_await Leave(connection, std::move(group), notify_enabled);
}

core::Task<void> ConsumerGroups::ConnectionClosed(Id connection) {
  const auto at = connections_.find(connection);
  if (at == connections_.end()) co_return;
  const OfConnection groups = std::move(at->second);
  connections_.erase(at);
  for (const auto& [group, announced] : groups) co_await Leave(connection, group, announced.notify_enabled);
}

core::Task<void> ConsumerGroups::Leave(Id connection, std::string group, bool notify_enabled) {
  const core::ShardId owner = placement_.OwnerOfGroup(group);
  std::vector<Id> left = co_await core::InvokeOn(
      owner, [](ConsumerGroups* there, std::string name, Id id) { return there->Settle(name, there->members_.Remove(name, id)); },
      peers_(owner), group, connection);
  if (notify_enabled) co_await NotifyMembers(std::move(group), std::move(left));
}

core::Task<void> ConsumerGroups::NotifyMembers(std::string group, std::vector<Id> members) const {
  std::sort(members.begin(), members.end());  // the shard is in the high bits: one call a shard
  for (size_t begin = 0; begin < members.size();) {
    const core::ShardId shard = ShardOf(members[begin]);
    size_t end = begin;
    while (end < members.size() && ShardOf(members[end]) == shard) ++end;
    std::vector<Id> there(members.begin() + static_cast<ptrdiff_t>(begin), members.begin() + static_cast<ptrdiff_t>(end));
    begin = end;
    co_await core::InvokeOn(
        shard, [](ConsumerGroups* peer, std::vector<Id> ids, std::string name) { peer->notify_(ids, name); }, peers_(shard),
        std::move(there), group);
  }
}

std::optional<PullSubscription> ConsumerGroups::Find(Id connection, std::string_view group, std::string_view topic) const {
  const auto groups = connections_.find(connection);
  if (groups == connections_.end()) return std::nullopt;
  const auto announced = groups->second.find(group);
  if (announced == groups->second.end()) return std::nullopt;
  PullSubscription found;
  found.group_online = true;
  found.model = announced->second.model;
  const auto subscription = announced->second.subscriptions.find(topic);
  if (subscription != announced->second.subscriptions.end()) found.subscription = subscription->second;
  return found;
}

core::Task<PullSubscription> ConsumerGroups::FindOfGroup(std::string group, std::string topic) const {
  const core::ShardId owner = placement_.OwnerOfGroup(group);
  co_return co_await core::InvokeOn(
      owner,
      [](const ConsumerGroups* there, std::string name, std::string wanted) {
        PullSubscription found;
        const std::optional<MessageModel> model = there->members_.ModelOf(name);
        if (!model.has_value()) return found;
        found.group_online = true;
        found.model = *model;
        const SubscriptionData* data = there->members_.FindSubscription(name, wanted);
        if (data != nullptr) found.subscription = std::make_shared<const SubscriptionData>(*data);
        return found;
      },
      peers_(owner), std::move(group), std::move(topic));
}

core::Task<std::optional<GroupView>> ConsumerGroups::View(std::string group) const {
  const core::ShardId owner = placement_.OwnerOfGroup(group);
  co_return co_await core::InvokeOn(
      owner, [](const ConsumerGroups* there, std::string name) { return there->members_.View(name); }, peers_(owner),
      std::move(group));
}

core::Task<std::vector<std::string>> ConsumerGroups::GroupsOfTopic(std::string topic) const {
  std::vector<std::string> all;
  for (uint32_t shard = 0; shard < placement_.shards(); ++shard) {
    std::vector<std::string> some = co_await core::InvokeOn(
        core::ShardId(shard),
        [](const ConsumerGroups* there, std::string wanted) { return there->members_.GroupsOfTopic(wanted); },
        peers_(core::ShardId(shard)), topic);
    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  std::sort(all.begin(), all.end());
  co_return all;
}

core::Task<std::vector<ConsumerGroups::Id>> ConsumerGroups::Expire(core::MonoTime oldest) {
  std::vector<GroupMembers::Expired> expired = members_.Expire(oldest);
  std::vector<Id> silent;
  for (GroupMembers::Expired& one : expired) {
    silent.push_back(one.connection);
    core::LogInfo("group ", one.group, ": a consumer is gone without a word for too long");
    std::vector<Id> left = Settle(one.group, std::move(one.outcome));
    co_await NotifyMembers(std::move(one.group), std::move(left));
  }
  co_return silent;
}

}  // namespace broker
