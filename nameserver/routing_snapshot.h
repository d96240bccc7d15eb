#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "core/buffer.h"
#include "core/io.h"
#include "nameserver/route_data.h"

namespace nameserver {

/// What about a route answer depends on who asks.
struct RouteQuestion {
  bool quoted_keys =
      false;  // standard JSON: clients of 4.9.4 and later, or who asks for it. RocketMQ 5.3.3 ClientRequestProcessor
  core::Endpoint dialled = {};     // where the client reached us: stands in for brokers that registered as "0.0.0.0:port"
  std::string_view zone = {};      // not empty: only brokers of this zone, and those without a master
  std::string_view order_config = {};  // the topic's ORDER_TOPIC_CONFIG, where routes carry it
};

/// One topic's queues by broker name. Immutable but for the answers it remembers; one shard.
class TopicRoute {
 public:
  std::map<std::string, QueueData, std::less<>> queues;
  std::map<std::string, QueueMapping, std::less<>> mappings;  // static topics only

 private:
  friend class RoutingSnapshot;
  struct Answers {
    core::Endpoint dialled;  // of answers that name it; port 0
    core::Slice bare;
    core::Slice quoted;
  };
  // What has been serialized since the brokers last changed: [0] holds for everyone, or else one for each address dialled.
  mutable uint64_t answers_epoch = 0;
  mutable std::vector<Answers> answers;
};

/// All routes at one moment. A copy is cheap and shares everything with its original: a change copies one bucket of topics, or the
/// brokers. Answers are serialized once and then given out as references; a change leaves those under way untouched.
class RoutingSnapshot {
 public:
  using Brokers = std::map<std::string, std::shared_ptr<const BrokerGroup>, std::less<>>;

  RoutingSnapshot() : brokers_(std::make_shared<const Brokers>()) {}

  const TopicRoute* FindTopic(std::string_view topic) const;
  const BrokerGroup* FindBroker(std::string_view name) const;
  const Brokers& brokers() const { return *brokers_; }
  size_t topic_count() const { return topic_count_; }
  /// Names of the topics for which `matches(name, route)`, sorted.
  template <typename Matches>
  std::vector<std::string_view> TopicNames(Matches matches) const;

  /// The body of GET_ROUTEINFO_BY_TOPIC (TopicRouteData); nullopt when no broker serves the topic. Copies nothing when it was asked
  /// before.
  std::optional<core::Slice> RouteAnswer(std::string_view topic, const RouteQuestion& question, core::BufferPool& pool) const;
  /// The body of GET_BROKER_CLUSTER_INFO.
  std::string ClusterInfo(const core::Endpoint& dialled) const;

  // --- For the table that writes it.
  void PutTopic(std::string_view topic, TopicRoute route);
  void EraseTopic(std::string_view topic);
  void PutBroker(BrokerGroup group);
  void EraseBroker(std::string_view name);
  /// Answers given so far hold no longer.
  void ForgetAnswers() { ++epoch_; }

 private:
  static constexpr size_t kBuckets = 512;
  static constexpr size_t kDialledMax = 8;  // addresses a host is dialled by; beyond, answers are not kept
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return absl::Hash<std::string_view>{}(name); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };
  using Bucket = absl::flat_hash_map<std::string, std::shared_ptr<const TopicRoute>, Hash, Equal>;

  // The low bits choose within the bucket's table; these are others.
  static size_t BucketOf(std::string_view topic) { return (Hash{}(topic) >> 40) % kBuckets; }
  Bucket& Own(std::string_view topic);
  std::string Serialize(const TopicRoute& route, const RouteQuestion& question) const;

  std::array<std::shared_ptr<Bucket>, kBuckets> topics_;  // shared ones are never changed: see Own
  size_t topic_count_ = 0;
  std::shared_ptr<const Brokers> brokers_;
  uint64_t epoch_ = 1;
};

/// `address` as the client that dialled `dialled` reaches it.
std::string ReachableAddress(std::string_view address, const core::Endpoint& dialled);
/// It registered as reachable wherever the nameserver is: "0.0.0.0:port".
bool IsWhereverDialled(std::string_view address);

template <typename Matches>
std::vector<std::string_view> RoutingSnapshot::TopicNames(Matches matches) const {
  std::vector<std::string_view> names;
  for (const auto& bucket : topics_) {
    if (bucket == nullptr) continue;
    for (const auto& [name, route] : *bucket) {
      if (matches(std::string_view(name), *route)) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace nameserver
