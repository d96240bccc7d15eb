#include "broker/group_members.h"

#include <algorithm>
#include <utility>

#include "broker/placement.h"
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

/// For people: what is larger is cut.
constexpr size_t kWishTextMax = 100;
constexpr size_t kCampsInText = 8;

std::string WishText(const SubscriptionData& data) {
  const std::string type = data.is_tag() ? "" : core::StrCat(data.expression_type, " ");
  if (data.expression.size() <= kWishTextMax) return core::StrCat("[", type, data.expression, "]");
  // What is cut may be all the difference.
  return core::StrCat("[", type, std::string_view(data.expression).substr(0, kWishTextMax), "... of ", data.expression.size(), " bytes, hash ",
                      StableHash(data.expression), "]");
}

}  // namespace

std::vector<GroupMembers::Id> GroupMembers::ToNotify(const Group& group) {
  std::vector<Id> ids;
  if (group.model == MessageModel::kBroadcasting) return ids;  // each member consumes all queues: nothing to share out again
  ids.reserve(group.members.size());
  for (const auto& [id, member] : group.members) ids.push_back(id);
  return ids;
}

std::string Disagreement::Text() const {
  std::string text;
  for (size_t i = 0; i < camps.size() && i < kCampsInText; ++i) {
    const Camp& camp = camps[i];
    if (i > 0) text += "; ";
    text += core::StrCat(camp.members, camp.members == 1 ? " wants " : " want ", camp.wish, camp.members == 1 ? ": " : ", such as ",
                         camp.such_as);
  }
  if (camps.size() > kCampsInText) text += core::StrCat("; and ", camps.size() - kCampsInText, " more wishes");
  return text;
}

bool Disagreement::SameWishes(const Disagreement& other) const {
  return topic == other.topic && std::equal(camps.begin(), camps.end(), other.camps.begin(), other.camps.end(),
                                            [](const Camp& a, const Camp& b) { return a.wish == b.wish; });
}

std::vector<Disagreement> GroupMembers::Compare(const Group& group) {
  std::vector<Disagreement> found;
  if (group.members.empty() || group.model == MessageModel::kBroadcasting) return found;
  const Subscriptions& first = group.members.begin()->second.subscriptions;
  if (std::all_of(group.members.begin(), group.members.end(),
                  [&first](const auto& one) { return SameWishes(one.second.subscriptions, first); })) {
    return found;
  }
  struct Wishing {
    std::string wish;
    std::string client_id;
    std::string address;
  };
  std::map<std::string_view, std::vector<Wishing>> by_topic;
  for (const auto& [id, member] : group.members) {
    for (const auto& [topic, data] : member.subscriptions) by_topic[topic];
  }
  for (auto& [topic, wishing] : by_topic) {
    for (const auto& [id, member] : group.members) {
      const auto at = member.subscriptions.find(topic);
      std::string wish = at == member.subscriptions.end() ? "nothing" : WishText(at->second);
      wishing.push_back({std::move(wish), member.client.client_id, member.client.address});
    }
    std::sort(wishing.begin(), wishing.end(), [](const Wishing& a, const Wishing& b) {
      return a.wish != b.wish ? a.wish < b.wish : a.client_id < b.client_id;
    });
    Disagreement one;
    one.topic = topic;
    for (const Wishing& each : wishing) {
      if (one.camps.empty() || one.camps.back().wish != each.wish) {
        one.camps.push_back({each.wish, 0, core::StrCat(each.client_id, " (", each.address, ")")});
      }
      ++one.camps.back().members;
    }
    if (one.camps.size() > 1) found.push_back(std::move(one));
  }
  return found;
}

bool GroupMembers::Judge(Group& group) {
  std::vector<Disagreement> now = Compare(group);
  const bool same = std::equal(now.begin(), now.end(), group.disagreements.begin(), group.disagreements.end(),
                               [](const Disagreement& a, const Disagreement& b) { return a.SameWishes(b); });
  disagreeing_ += now.empty() ? 0 : 1;
  disagreeing_ -= group.disagreements.empty() ? 0 : 1;
  group.disagreements = std::move(now);
  return !same;
}

GroupMembers::Outcome GroupMembers::Heartbeat(ConsumerRegistration registration) {
  const Id id = registration.client.connection;
  Group& group = groups_[registration.group];
  const bool other_model = group.model != registration.model;
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
  bool new_wishes = joined || other_model;
  if (!registration.without_subscriptions) {
    moved |= !SameTopics(member.subscriptions, registration.subscriptions);
    new_wishes |= !SameWishes(member.subscriptions, registration.subscriptions);
    member.subscriptions = std::move(registration.subscriptions);
  }
  Outcome outcome;
  if (moved) outcome.notify = ToNotify(group);
  if (new_wishes) outcome.disagreements_changed = Judge(group);
  return outcome;
}

GroupMembers::Outcome GroupMembers::Remove(std::string_view name, Id connection) {
  Outcome outcome;
  const auto group = groups_.find(name);
  if (group == groups_.end() || group->second.members.erase(connection) == 0) return outcome;
  outcome.notify = ToNotify(group->second);
  outcome.disagreements_changed = Judge(group->second);
  if (group->second.members.empty()) groups_.erase(group);
  return outcome;
}

std::optional<GroupView> GroupMembers::View(std::string_view name) const {
  const auto found = groups_.find(name);
  if (found == groups_.end()) return std::nullopt;
  const Group& group = found->second;
  GroupView view;
  view.type = group.type;
  view.model = group.model;
  view.from = group.from;
  view.disagreements = group.disagreements;
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

std::vector<Disagreement> GroupMembers::Disagreements(std::string_view name) const {
  const auto group = groups_.find(name);
  if (group == groups_.end()) return {};
  return group->second.disagreements;
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
      if (member.client.seen < oldest) expired.push_back({name, id, Outcome()});
    }
  }
  for (Expired& one : expired) one.outcome = Remove(one.group, one.connection);
  return expired;
}

}  // namespace broker
