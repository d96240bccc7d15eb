#include "nameserver/route_table.h"

#include <algorithm>

#include "core/strings.h"

namespace nameserver {

bool RouteTable::MayChange(std::string_view cluster, std::string_view address, std::string_view host) const {
  const auto live = live_.find(LiveKey(cluster, address));
  return live == live_.end() || live->second.host == host;
}

bool RouteTable::MayChangeName(std::string_view broker_name, std::string_view host) const {
  const BrokerGroup* group = snapshot_.FindBroker(broker_name);
  // Slaves live on other hosts, and whoever registers one must not take the name from its master.
  return group == nullptr || group->addresses.empty() || MayChange(group->cluster, group->addresses.begin()->second, host);
}

std::string RouteTable::Refusal(const Registration& registration, core::MonoTime now, const Options& options) const {
  const BrokerIdentity& broker = registration.broker;
  if (broker.id < 0) return core::StrCat("the broker ", broker.name, " has the id ", broker.id, ": 0 is a master, slaves have more");
  const auto is_anothers = [&](LiveTable::const_iterator owner) {
    return owner != live_.end() && owner->second.host != registration.host &&
           now - owner->second.last_heard < kOwnerSilence;
  };
  const auto same_address = live_.find(LiveKey(broker.cluster, broker.address));
  if (same_address == live_.end() && live_.size() >= options.brokers_max) {
    return core::StrCat("there are ", live_.size(), " brokers already, as many as brokersMax allows");
  }
  size_t fresh = 0;
  for (const TopicReport::Topic& topic : registration.report.topics)
    fresh += snapshot_.FindTopic(topic.name) == nullptr ? 1 : 0;
  if (fresh > 0 && snapshot_.topic_count() + fresh > options.topics_max) {
    return core::StrCat("there are ", snapshot_.topic_count(), " topics already, and ", fresh,
                        " more would be more than topicsMax, ", options.topics_max);
  }
  if (is_anothers(same_address)) {
    return core::StrCat("the address ", broker.address, " belongs to a broker at ", same_address->second.host,
                        " until that is gone or silent for ", absl::FormatDuration(kOwnerSilence));
  }
  // Nor is it to be had under the name of another cluster.
  const auto elsewhere = std::find_if(live_.begin(), live_.end(), [&](const auto& entry) {
    return entry.first.second == broker.address && entry.first.first != broker.cluster && !IsWhereverDialled(broker.address);
  });
  if (is_anothers(elsewhere)) {
    return core::StrCat("the address ", broker.address, " belongs to a broker of the cluster ", elsewhere->first.first, " at ", elsewhere->second.host);
  }
  const BrokerGroup* known = snapshot_.FindBroker(broker.name);
  if (known == nullptr) return "";
  if (known->cluster != broker.cluster) {
    return core::StrCat("the broker ", broker.name, " belongs to the cluster ", known->cluster, " until it is gone");
  }
  const auto same_id = known->addresses.find(broker.id);
  if (same_id == known->addresses.end() || same_id->second == broker.address) return "";
  const auto owner = live_.find(LiveKey(broker.cluster, same_id->second));
  if (!is_anothers(owner)) return "";
  // Epochs are counted from 1 by a controller; without one they are all 0.
  const int64_t epoch = owner->second.version.state_version;
  if (epoch > 0 && registration.report.version.state_version != epoch) return "";
  return core::StrCat("the broker ", broker.name, " with the id ", broker.id, " belongs to ", owner->second.host,
                      " until that is gone or silent for ", absl::FormatDuration(kOwnerSilence),
                      "; give this one another name or id");
}

RegistrationAnswer RouteTable::Register(Registration registration, core::MonoTime now, const Options& options) {
  const BrokerIdentity& broker = registration.broker;
  RegistrationAnswer answer;
  answer.refusal = Refusal(registration, now, options);
  if (!answer.refusal.empty()) {
    answer.accepted = false;
    return answer;
  }
  const BrokerGroup* known = snapshot_.FindBroker(broker.name);
  BrokerGroup group = known != nullptr ? *known : BrokerGroup{broker.cluster, broker.name, {}, false, {}};
  group.acting_master = registration.enable_acting_master.value_or(false);
  group.zone = registration.zone;

  // One address is one broker: a slave that has become master leaves its old id.
  std::erase_if(group.addresses, [&](const auto& entry) {
    return entry.second == broker.address && entry.first != broker.id;
  });
  const auto same_id = group.addresses.find(broker.id);
  if (same_id != group.addresses.end() && same_id->second != broker.address) {
    const auto old = live_.find(LiveKey(broker.cluster, same_id->second));
    if (old != live_.end() && old->second.version.state_version > registration.report.version.state_version) {
      // The one that is known has seen later masters than the newcomer.
      // With all that leads to it: nobody would ever take out what no live broker stands for.
      if (const auto stale = live_.find(LiveKey(broker.cluster, broker.address)); stale != live_.end())
        Unregister({broker.cluster, stale->second.name, broker.address, stale->second.id});
      return answer;
    }
  }
  if (same_id == group.addresses.end() && registration.report.topics.size() == 1) {
    answer.accepted = false;
    return answer;
  }
  const bool first = same_id == group.addresses.end();
  if (!first && same_id->second != broker.address) {
    const auto old = live_.find(LiveKey(broker.cluster, same_id->second));
    if (old != live_.end() && old->second.host != registration.host) {
      answer.moved_from = same_id->second;
      Forget(old);
    }
  }
  group.addresses[broker.id] = broker.address;
  const bool prime_slave = registration.enable_acting_master.has_value() && broker.id != kMasterId &&
                           group.addresses.begin()->first == broker.id;
  const bool wipe_write = prime_slave && group.acting_master;
  if (known == nullptr || *known != group) snapshot_.PutBroker(group);
  if (broker.id == kMasterId || prime_slave) ApplyReport(registration, first, wipe_write, options);

  const LiveKey key(broker.cluster, broker.address);
  if (const auto before = live_.find(key); before != live_.end()) {
    // Who had the address under another name is gone with all that leads to it.
    if (before->second.name != broker.name) Unregister({key.first, before->second.name, key.second, before->second.id});
    else Forget(before);
  }
  Live& live = live_[key];
  live.name = broker.name;
  live.id = broker.id;
  live.last_heard = now;
  live.timeout = registration.timeout.value_or(kBrokerTimeout);
  live.version = registration.report.version;
  live.connection = registration.connection;
  live.ha_address = registration.ha_address;
  live.host = registration.host;
  connections_[registration.connection].push_back(key);

  if (broker.id != kMasterId) {
    const auto master = group.addresses.find(kMasterId);
    const auto alive = master == group.addresses.end() ? live_.end() : live_.find(LiveKey(broker.cluster, master->second));
    if (alive != live_.end()) {
      answer.ha_address = alive->second.ha_address;
      answer.master_address = master->second;
    }
  }
  return answer;
}

void RouteTable::ApplyReport(const Registration& registration, bool first, bool wipe_write, const Options& options) {
  const BrokerIdentity& broker = registration.broker;
  const TopicReport& report = registration.report;
  const bool changed = first || VersionOf(broker.cluster, broker.address) != report.version;
  if (options.delete_topic_with_registration && report.mappings.empty()) {
    std::vector<std::string_view> reported;
    for (const TopicReport::Topic& topic : report.topics) reported.push_back(topic.name);
    std::sort(reported.begin(), reported.end());
    for (const std::string& topic : TopicsOf(broker.name)) {
      if (!std::binary_search(reported.begin(), reported.end(), topic)) EraseQueues(topic, broker.name);
    }
  }
  for (const TopicReport::Topic& topic : report.topics) {
    const TopicRoute* route = snapshot_.FindTopic(topic.name);
    // What the version says is old news is applied all the same where the topic was lost (216) in the meantime.
    if (!changed && route != nullptr && route->queues.contains(broker.name)) continue;
    QueueData queues = topic.queues;
    if (wipe_write) queues.perm &= ~kPermWrite;
    const auto mapping = report.mappings.find(topic.name);
    SetQueues(topic.name, broker.name, &queues, mapping == report.mappings.end() ? nullptr : &mapping->second);
  }
}

void RouteTable::SetQueues(std::string_view topic, std::string_view broker_name, const QueueData* queues,
                           const QueueMapping* mapping) {
  const TopicRoute* known = snapshot_.FindTopic(topic);
  TopicRoute route;
  if (known != nullptr) {
    const auto same = known->queues.find(broker_name);
    const auto same_mapping = known->mappings.find(broker_name);
    if (same != known->queues.end() && same->second == *queues &&
        (mapping == nullptr || (same_mapping != known->mappings.end() && same_mapping->second == *mapping))) {
      return;  // so that its answers are kept
    }
    route = *known;
  }
  route.queues.insert_or_assign(std::string(broker_name), *queues);
  if (mapping != nullptr) route.mappings.insert_or_assign(std::string(broker_name), *mapping);
  snapshot_.PutTopic(topic, std::move(route));
}

void RouteTable::EraseQueues(std::string_view topic, std::string_view broker_name) {
  const TopicRoute* known = snapshot_.FindTopic(topic);
  if (known == nullptr) return;
  TopicRoute route = *known;
  if (const auto queues = route.queues.find(broker_name); queues != route.queues.end()) route.queues.erase(queues);
  if (const auto at = route.mappings.find(broker_name); at != route.mappings.end()) route.mappings.erase(at);
  if (route.queues.empty()) {
    snapshot_.EraseTopic(topic);
  } else {
    snapshot_.PutTopic(topic, std::move(route));
  }
}

void RouteTable::Forget(LiveTable::iterator live) {
  const auto sharing = connections_.find(live->second.connection);
  if (sharing != connections_.end()) {
    std::erase(sharing->second, live->first);
    if (sharing->second.empty()) connections_.erase(sharing);
  }
  live_.erase(live);
}

void RouteTable::Unregister(const BrokerIdentity& broker) {
  if (const auto live = live_.find(LiveKey(broker.cluster, broker.address)); live != live_.end()) Forget(live);
  RemoveFromGroup(broker);
}

void RouteTable::RemoveFromGroup(const BrokerIdentity& broker) {
  const BrokerGroup* known = snapshot_.FindBroker(broker.name);
  if (known == nullptr || known->cluster != broker.cluster) return;
  BrokerGroup group = *known;
  if (std::erase_if(group.addresses, [&](const auto& entry) { return entry.second == broker.address; }) == 0) return;
  const bool gone = group.addresses.empty();
  // With only slaves left consumers go on reading; where one of them acts as master nobody may send any more.
  const bool wipe_write = !gone && group.acting_master && !group.addresses.contains(kMasterId);
  if (gone) {
    snapshot_.EraseBroker(broker.name);
    for (const std::string& topic : TopicsOf(broker.name)) EraseQueues(topic, broker.name);
  } else {
    snapshot_.PutBroker(std::move(group));
  }
  if (wipe_write) SetWritable(broker.name, false);
}

std::vector<std::string> RouteTable::ConnectionClosed(uint64_t connection) {
  std::vector<std::string> addresses;
  const auto closed = connections_.find(connection);
  if (closed == connections_.end()) return addresses;
  for (const LiveKey& key : std::vector<LiveKey>(closed->second)) {
    const auto live = live_.find(key);
    addresses.push_back(key.second);
    Unregister({key.first, live->second.name, key.second, live->second.id});
  }
  return addresses;
}

std::vector<std::pair<std::string, uint64_t>> RouteTable::RemoveSilent(core::MonoTime now) {
  std::vector<BrokerIdentity> silent;
  std::vector<std::pair<std::string, uint64_t>> removed;
  for (const auto& [key, live] : live_) {
    if (live.last_heard + live.timeout >= now) continue;
    silent.push_back({key.first, live.name, key.second, live.id});
    removed.emplace_back(key.second, live.connection);
  }
  for (const BrokerIdentity& broker : silent) Unregister(broker);
  return removed;
}

void RouteTable::Heartbeat(std::string_view cluster, std::string_view address, core::MonoTime now) {
  const auto live = live_.find(LiveKey(cluster, address));
  if (live != live_.end()) live->second.last_heard = now;
}

std::optional<DataVersion> RouteTable::VersionOf(std::string_view cluster, std::string_view address) const {
  const auto live = live_.find(LiveKey(cluster, address));
  return live == live_.end() ? std::nullopt : std::optional(live->second.version);
}

void RouteTable::DeleteTopic(std::string_view topic, std::string_view cluster) {
  if (cluster.empty()) {
    snapshot_.EraseTopic(topic);
    return;
  }
  const TopicRoute* route = snapshot_.FindTopic(topic);
  if (route == nullptr) return;
  std::vector<std::string> names;
  for (const auto& [name, queues] : route->queues) {
    const BrokerGroup* group = snapshot_.FindBroker(name);
    if (group != nullptr && group->cluster == cluster) names.push_back(name);
  }
  for (const std::string& name : names) EraseQueues(topic, name);
}

void RouteTable::RegisterTopic(std::string_view topic, const std::vector<std::pair<std::string, QueueData>>& queues) {
  for (const auto& [name, data] : queues) {
    if (snapshot_.FindBroker(name) == nullptr) return;
  }
  for (const auto& [name, data] : queues) SetQueues(topic, name, &data, nullptr);
}

int32_t RouteTable::SetWritable(std::string_view broker_name, bool writable) {
  const std::vector<std::string> topics = TopicsOf(broker_name);
  for (const std::string& topic : topics) {
    QueueData queues = snapshot_.FindTopic(topic)->queues.find(broker_name)->second;
    queues.perm = writable ? kPermReadWrite : queues.perm & ~kPermWrite;
    SetQueues(topic, broker_name, &queues, nullptr);
  }
  return static_cast<int32_t>(topics.size());
}

std::vector<std::string> RouteTable::TopicsOf(std::string_view broker_name) const {
  std::vector<std::string> topics;
  for (const std::string_view name :
       snapshot_.TopicNames([&](std::string_view, const TopicRoute& route) { return route.queues.contains(broker_name); })) {
    topics.emplace_back(name);
  }
  return topics;
}

}  // namespace nameserver
