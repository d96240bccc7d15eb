#include "nameserver/routing_snapshot.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/strings.h"
#include "net/json.h"

namespace nameserver {
namespace {

constexpr std::string_view kWherever = "0.0.0.0:";

/// Members in fastjson's order. Source: RocketMQ 5.3.3 BrokerData.
void WriteBroker(const BrokerGroup& group, const core::Endpoint& dialled, bool quoted_keys, net::JsonWriter& json) {
  json.BeginObject().Key("brokerAddrs").BeginObject();
  for (const auto& [id, address] : group.addresses) {
    json.NumberKey(id, quoted_keys).String(ReachableAddress(address, dialled));
  }
  json.EndObject().Member("brokerName", group.name).Member("cluster", group.cluster);
  json.Member("enableActingMaster", group.acting_master);
  if (!group.zone.empty()) json.Member("zoneName", group.zone);
  json.EndObject();
}

void WriteMapping(const QueueMapping& mapping, bool quoted_keys, net::JsonWriter& json) {
  json.BeginObject().Member("bname", mapping.broker_name).Key("currIdMap").BeginObject();
  for (const auto& [global_id, local_id] : mapping.current_ids) json.NumberKey(global_id, quoted_keys).Int(local_id);
  json.EndObject().Member("dirty", mapping.dirty).Member("epoch", mapping.epoch).Member("scope", mapping.scope);
  json.Member("topic", mapping.topic).Member("totalQueues", mapping.total_queues).EndObject();
}

bool SameHost(const core::Endpoint& a, const core::Endpoint& b) {
  return a.ipv6 == b.ipv6 && std::memcmp(a.address, b.address, a.ipv6 ? 16 : 4) == 0;
}

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

bool IsWhereverDialled(std::string_view address) { return address.starts_with(kWherever); }

std::string ReachableAddress(std::string_view address, const core::Endpoint& dialled) {
  if (!IsWhereverDialled(address)) return std::string(address);
  const std::string_view port = address.substr(kWherever.size());
  return dialled.ipv6 ? core::StrCat("[", dialled.HostText(), "]:", port) : core::StrCat(dialled.HostText(), ":", port);
}

const TopicRoute* RoutingSnapshot::FindTopic(std::string_view topic) const {
  const std::shared_ptr<Bucket>& bucket = topics_[BucketOf(topic)];
  if (bucket == nullptr) return nullptr;
  const auto at = bucket->find(topic);
  return at == bucket->end() ? nullptr : at->second.get();
}

const BrokerGroup* RoutingSnapshot::FindBroker(std::string_view name) const {
  const auto at = brokers_->find(name);
  return at == brokers_->end() ? nullptr : at->second.get();
}

std::optional<core::Slice> RoutingSnapshot::RouteAnswer(std::string_view topic, const RouteQuestion& question,
                                                        core::BufferPool& pool) const {
  const TopicRoute* route = FindTopic(topic);
  if (route == nullptr) return std::nullopt;
  bool served = false;
  bool depends_on_dialled = false;
  for (const auto& [name, queue] : route->queues) {
    const BrokerGroup* group = FindBroker(name);
    if (group == nullptr) continue;
    served = true;
    for (const auto& [id, address] : group->addresses) depends_on_dialled |= IsWhereverDialled(address);
  }
  if (!served) return std::nullopt;
  if (!question.zone.empty()) return pool.Copy(Serialize(*route, question));

  if (route->answers_epoch != epoch_) {
    route->answers.clear();
    route->answers_epoch = epoch_;
  }
  core::Endpoint key;
  if (depends_on_dialled) key = question.dialled;
  key.port = 0;
  auto& answers = route->answers;
  auto known = std::find_if(answers.begin(), answers.end(), [&](const auto& a) { return SameHost(a.dialled, key); });
  if (known == answers.end()) {
    if (answers.size() == kDialledMax) return pool.Copy(Serialize(*route, question));
    known = answers.insert(answers.end(), TopicRoute::Answers{key, {}, {}});
  }
  core::Slice& answer = question.quoted_keys ? known->quoted : known->bare;
  if (answer.empty()) answer = pool.Copy(Serialize(*route, question));
  return answer;
}

// Compact, without a blank: the Go client takes brokerAddrs apart by hand. Source: RocketMQ 5.3.3 TopicRouteData, ZoneRouteRPCHook.
std::string RoutingSnapshot::Serialize(const TopicRoute& route, const RouteQuestion& question) const {
  const auto wanted = [&](const BrokerGroup* group) {
    if (group == nullptr) return false;
    // Without a master, its consumers must not go without their messages for the sake of nearness.
    return question.zone.empty() || !group->addresses.contains(kMasterId) || SameIgnoringCase(group->zone, question.zone);
  };
  net::JsonWriter json;
  json.BeginObject().Key("brokerDatas").BeginArray();
  for (const auto& [name, queue] : route.queues) {
    const BrokerGroup* group = FindBroker(name);
    if (wanted(group)) WriteBroker(*group, question.dialled, question.quoted_keys, json);
  }
  json.EndArray().Key("filterServerTable").BeginObject().EndObject();
  if (!question.order_config.empty()) json.Member("orderTopicConf", question.order_config);
  json.Key("queueDatas").BeginArray();
  for (const auto& [name, queue] : route.queues) {
    if (!wanted(FindBroker(name))) continue;
    json.BeginObject().Member("brokerName", name).Member("perm", queue.perm).Member("readQueueNums", queue.read_queues);
    json.Member("topicSysFlag", queue.topic_sys_flag).Member("writeQueueNums", queue.write_queues).EndObject();
  }
  json.EndArray();
  if (!route.mappings.empty()) {
    json.Key("topicQueueMappingByBroker").BeginObject();
    for (const auto& [name, mapping] : route.mappings) {
      json.Key(name);
      WriteMapping(mapping, question.quoted_keys, json);
    }
    json.EndObject();
  }
  json.EndObject();
  return json.Take();
}

std::string RoutingSnapshot::ClusterInfo(const core::Endpoint& dialled) const {
  std::map<std::string_view, std::vector<std::string_view>> clusters;
  net::JsonWriter json;
  json.BeginObject().Key("brokerAddrTable").BeginObject();
  for (const auto& [name, group] : *brokers_) {
    json.Key(name);
    WriteBroker(*group, dialled, /*quoted_keys=*/false, json);
    clusters[group->cluster].push_back(name);
  }
  json.EndObject().Key("clusterAddrTable").BeginObject();
  for (const auto& [cluster, names] : clusters) json.StringsMember(cluster, names);
  json.EndObject().EndObject();
  return json.Take();
}

RoutingSnapshot::Bucket& RoutingSnapshot::Own(std::string_view topic) {
  std::shared_ptr<Bucket>& bucket = topics_[BucketOf(topic)];
  if (bucket == nullptr) {
    bucket = std::make_shared<Bucket>();
  } else if (bucket.use_count() > 1) {
    bucket = std::make_shared<Bucket>(*bucket);  // another snapshot has it, too
  }
  return *bucket;
}

void RoutingSnapshot::PutTopic(std::string_view topic, TopicRoute route) {
  route.answers.clear();  // it may be a changed copy of what was here
  const auto [at, inserted] =
      Own(topic).insert_or_assign(std::string(topic), std::make_shared<const TopicRoute>(std::move(route)));
  topic_count_ += inserted ? 1 : 0;
}

void RoutingSnapshot::EraseTopic(std::string_view topic) {
  if (FindTopic(topic) == nullptr) return;
  Bucket& bucket = Own(topic);
  bucket.erase(bucket.find(topic));
  --topic_count_;
}

void RoutingSnapshot::PutBroker(BrokerGroup group) {
  auto changed = std::make_shared<Brokers>(*brokers_);
  const std::string name = group.name;
  changed->insert_or_assign(name, std::make_shared<const BrokerGroup>(std::move(group)));
  brokers_ = std::move(changed);
  ForgetAnswers();
}

void RoutingSnapshot::EraseBroker(std::string_view name) {
  auto changed = std::make_shared<Brokers>(*brokers_);
  if (const auto at = changed->find(name); at != changed->end()) changed->erase(at);
  brokers_ = std::move(changed);
  ForgetAnswers();
}

}  // namespace nameserver
