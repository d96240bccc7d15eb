#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/time.h"
#include "nameserver/registration.h"
#include "nameserver/routing_snapshot.h"

namespace nameserver {

/// One broker process: brokers of one name and cluster differ in their id and address.
struct BrokerIdentity {
  std::string cluster;
  std::string name;
  std::string address;
  int64_t id = kMasterId;
};

struct Registration {
  BrokerIdentity broker;
  std::string ha_address;
  std::string zone;
  std::optional<absl::Duration> timeout;    // without: kBrokerTimeout
  std::optional<bool> enable_acting_master; // absent: a broker of 4.9, whose slaves' topics do not count
  TopicReport report;
  uint64_t connection = 0;                  // net::Connection::Id; its end is the broker's
  std::string host;                         // from where it was made: the owner, until the broker is gone
};

struct RegistrationAnswer {
  /// False: a single topic of a broker that has not registered its table yet (code 1 "register broker failed"), or `refusal` says why.
  bool accepted = true;
  std::string refusal;
  std::string ha_address;      // of the master, for slaves
  std::string master_address;
  std::string moved_from;  // where the broker was until now, when that was on another host
};

/// Without a heartbeat for this long a broker is gone, unless it says otherwise. Source: RocketMQ 5.3.3 RouteInfoManager.
inline constexpr absl::Duration kBrokerTimeout = absl::Seconds(120);

/// After so long a silence another host may take a broker's place: longer than any live broker is silent, as brokers register every 60 s at least
/// (RocketMQ 5.3.3 BrokerController, registerNameServerPeriod; 30 s unless set).
inline constexpr absl::Duration kOwnerSilence = absl::Seconds(65);

/// The one writer of routes: RocketMQ's rules for what a registration changes and what a broker's end takes away. Pure: time is
/// handed in. One shard. Source of each rule: RocketMQ 5.3.3 RouteInfoManager.
class RouteTable {
 public:
  struct Options {
    bool delete_topic_with_registration = false;
    size_t brokers_max = 4096;    // addresses
    size_t topics_max = 200'000;  // of all brokers
  };

  /// The routes as they are now; good until the next change.
  const RoutingSnapshot& snapshot() const { return snapshot_; }

  /// A broker (name and id) belongs to the host that registered it until its connection closes or it has been silent for kOwnerSilence: until then another
  /// host is refused. So is an address that another host has registered. Where a controller decides who is master, the later epoch (stateVersion) wins
  /// as in RocketMQ.
  RegistrationAnswer Register(Registration registration, core::MonoTime now, const Options& options);
  void Unregister(const BrokerIdentity& broker);
  /// Whether `host` may speak for the broker: it registered it, or nobody did.
  bool MayChange(std::string_view cluster, std::string_view address, std::string_view host) const;
  /// The same for all brokers of that name.
  bool MayChangeName(std::string_view broker_name, std::string_view host) const;
  /// The brokers that registered through it are gone, unless they have registered through another since. Returns their addresses.
  std::vector<std::string> ConnectionClosed(uint64_t connection);
  /// Removes the brokers that have been silent for too long; returns each with its connection, which is to be closed.
  std::vector<std::pair<std::string, uint64_t>> RemoveSilent(core::MonoTime now);

  /// The broker lives.
  void Heartbeat(std::string_view cluster, std::string_view address, core::MonoTime now);
  /// The version that the broker registered last; nullopt when it is not known.
  std::optional<DataVersion> VersionOf(std::string_view cluster, std::string_view address) const;

  /// Of all clusters, or (not empty) of `cluster` only.
  void DeleteTopic(std::string_view topic, std::string_view cluster);
  /// Nothing happens when one of the brokers is unknown.
  void RegisterTopic(std::string_view topic, const std::vector<std::pair<std::string, QueueData>>& queues);
  /// Takes the write permission of all topics of a broker, or gives read and write; how many topics it has.
  int32_t SetWritable(std::string_view broker_name, bool writable);
  /// Something else that answers show has changed.
  void ForgetAnswers() { snapshot_.ForgetAnswers(); }

 private:
  using LiveKey = std::pair<std::string, std::string>;  // cluster, address
  struct Live {
    std::string name;
    int64_t id = 0;
    core::MonoTime last_heard;
    absl::Duration timeout;
    DataVersion version;
    uint64_t connection = 0;
    std::string ha_address;
    std::string host;
  };
  using LiveTable = std::map<LiveKey, Live, std::less<>>;

  /// Why the registration can't be taken; empty when it can.
  std::string Refusal(const Registration& registration, core::MonoTime now, const Options& options) const;
  void ApplyReport(const Registration& registration, bool first, bool wipe_write, const Options& options);
  void SetQueues(std::string_view topic, std::string_view broker_name, const QueueData* queues, const QueueMapping* mapping);
  void EraseQueues(std::string_view topic, std::string_view broker_name);
  void Forget(LiveTable::iterator live);
  void RemoveFromGroup(const BrokerIdentity& broker);
  std::vector<std::string> TopicsOf(std::string_view broker_name) const;

  RoutingSnapshot snapshot_;
  LiveTable live_;
  absl::flat_hash_map<uint64_t, std::vector<LiveKey>> connections_;
};

}  // namespace nameserver
