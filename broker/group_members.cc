#include "broker/group_members.h"

#include <algorithm>
#include <utility>

#include "core/strings.h"

namespace broker {
namespace {

bool SameTopics(const Subscriptions& a, const Subscriptions& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) { return x.first == y.first; });
}

bool SameWishes(const Subscriptions& a, const Subscriptions& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.expression == y.second.expression &&
           x.second.expression_type == y.second.expression_type;
  });
}

std::string Describe(const ClientInfo& client, const Subscriptions& subscriptions) {
  std::string text = core::StrCat(client.client_id, " (", client.address, ") wants");
  for (const auto& [topic, data] : subscriptions) text += core::StrCat(" ", topic, "[", data.expression, "]");
  return text;
}

}  // namespace

std::vector<GroupMembers::Id> GroupMembers::ToNotify(const Group& group) {
  std::vector<Id> ids;
  if (group.model == MessageModel::kBroadcasting) return ids;  // each member consumes all queues: nothing to share out again
  ids.reserve(group.members.size());
  for (const auto& [id, member] : group.members) ids.push_back(id);
  return ids;
}

std::optional<std::string> GroupMembers::FindConflict(std::string_view name, const Group& group, Id with) {
  const Member& mine = group.members.at(with);
  for (const auto& [id, member] : group.members) {
    if (id == with || SameWishes(member.subscriptions, mine.subscriptions)) continue;
    return core::StrCat("group ", name, " has members with different subscriptions, whose queues go to each other: ",
                        Describe(member.client, member.subscriptions), "; ", Describe(mine.client, mine.subscriptions));
  }
  return std::nullopt;
}

GroupMembers::Outcome GroupMembers::Heartbeat(ConsumerRegistration registration) {
  const Id id = registration.client.connection;
  Group& group = groups_[registration.group];
  group.type = registration.type;
  group.model = registration.model;
  group.from = registration.from;

  const bool joined = !group.members.contains(id);
  Member& member = group.members[id];
  member.client = std::move(registration.client);
  if (joined) {
    // The same client on an older connection that we have not seen close: the client is there once.
    for (auto at = group.members.begin(); at != group.members.end();) {
      const bool replaced = at->first != id && at->second.client.client_id == member.client.client_id;
      at = replaced ? group.members.erase(at) : std::next(at);
    }
  }

  bool moved = joined;
  bool new_wishes = joined;
  if (!registration.without_subscriptions) {
    moved |= !SameTopics(member.subscriptions, registration.subscriptions);
    new_wishes |= !SameWishes(member.subscriptions, registration.subscriptions);
    member.subscriptions = std::move(registration.subscriptions);
  }
  Outcome outcome;
  if (moved) outcome.notify = ToNotify(group);
  // Broadcasting members share no queues: they may want what they like.
  if (new_wishes && group.model == MessageModel::kClustering) outcome.conflict = FindConflict(registration.group, group, id);
  return outcome;
}

std::vector<GroupMembers::Id> GroupMembers::Remove(std::string_view name, Id connection) {
  const auto group = groups_.find(name);
  if (group == groups_.end() || group->second.members.erase(connection) == 0) return {};
  std::vector<Id> left = ToNotify(group->second);
  if (group->second.members.empty()) groups_.erase(group);
  return left;
}

std::optional<GroupView> GroupMembers::View(std::string_view name) const {
  const auto found = groups_.find(name);
  if (found == groups_.end()) return std::nullopt;
  const Group& group = found->second;
  GroupView view;
  view.type = group.type;
  view.model = group.model;
  view.from = group.from;
  for (const auto& [id, member] : group.members) {
    view.members.push_back(member.client);
    for (const auto& [topic, data] : member.subscriptions) {
      const auto [at, inserted] = view.subscriptions.emplace(topic, data);
      if (!inserted && data.version > at->second.version) at->second = data;
    }
  }
  std::sort(view.members.begin(), view.members.end(),
            [](const ClientInfo& a, const ClientInfo& b) { return a.client_id < b.client_id; });
  return view;
}

const SubscriptionData* GroupMembers::FindSubscription(std::string_view name, std::string_view topic) const {
  const auto group = groups_.find(name);
  if (group == groups_.end()) return nullptr;
  const SubscriptionData* newest = nullptr;
  for (const auto& [id, member] : group->second.members) {
    const auto at = member.subscriptions.find(topic);
    if (at == member.subscriptions.end()) continue;
    if (newest == nullptr || at->second.version > newest->version) newest = &at->second;
  }
  return newest;
}

std::optional<MessageModel> GroupMembers::ModelOf(std::string_view name) const {
  const auto group = groups_.find(name);
  if (group == groups_.end()) return std::nullopt;
  return group->second.model;
}

std::vector<std::string> GroupMembers::GroupsOfTopic(std::string_view topic) const {
  std::vector<std::string> names;
  for (const auto& [name, group] : groups_) {
    const bool subscribes = std::any_of(group.members.begin(), group.members.end(), [topic](const auto& member) {
      return member.second.subscriptions.contains(topic);
    });
    if (subscribes) names.push_back(name);
  }
  return names;
}

std::vector<GroupMembers::Expired> GroupMembers::Expire(core::MonoTime oldest) {
  std::vector<Expired> expired;
  for (const auto& [name, group] : groups_) {
    for (const auto& [id, member] : group.members) {
      if (member.client.seen < oldest) expired.push_back({name, id, {}});
    }
  }
  for (Expired& one : expired) one.left = Remove(one.group, one.connection);
  return expired;
}

}  // namespace broker
