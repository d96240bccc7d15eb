#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/catalog.h"
#include "broker/data_version.h"
#include "core/io.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "net/client.h"

namespace broker {

/// As advertised host: whichever address a client dials the nameserver by. Only a RingMQ nameserver on the same machine understands it.
inline constexpr char kWhereverDialled[] = "0.0.0.0";

/// A nameserver to register with.
struct NameServerTarget {
  core::Endpoint at;
  /// The host that its routes shall name. Empty: the local address of the connection to it.
  std::string advertised_host;
};

struct RegistrationOptions {
  std::string cluster_name;
  std::string broker_name;
  int64_t broker_id = 0;
  int32_t broker_permission = 6;  // ANDed into every topic's
  uint16_t port = 0;              // where clients connect
  absl::Duration period = absl::Seconds(30);
  std::vector<NameServerTarget> targets;
};

/// Keeps a broker registered with every one of its nameservers, each for itself: the whole table when a connection is made and every
/// period, changes at once, a goodbye at the end. A nameserver that is away is tried again after 0.1 s, then ever more seldom up to
/// 3 s, and is told everything when it is back. On the shard that starts it. Source: RocketMQ 5.3.3 BrokerController.registerBrokerAll.
class NameServerRegistration {
 public:
  /// `catalog` is this shard's view and outlives the registration.
  NameServerRegistration(RegistrationOptions options, const CatalogView& catalog);
  ~NameServerRegistration();
  NameServerRegistration(const NameServerRegistration&) = delete;
  NameServerRegistration& operator=(const NameServerRegistration&) = delete;

  /// Registers; returns when each has answered or cannot be reached. An unreachable one is a warning in the log, no error.
  core::Task<void> Start();
  /// The topics have changed to `version`, and the catalog has them already. Returns when every nameserver that can be reached knows,
  /// after kCallTimeout in any case. Fits CatalogWriter::Announcer.
  core::Task<void> Announce(std::vector<std::shared_ptr<const TopicConfig>> changed, DataVersion version);
  /// Says goodbye to all that can be reached, within 1 s. Announce does nothing from now on.
  core::Task<void> Stop();

  /// How many nameservers know the broker now.
  size_t registered_count() const;

  static constexpr absl::Duration kCallTimeout = absl::Seconds(3);

 private:
  struct Link {
    NameServerTarget target;
    std::unique_ptr<net::Client> client;
    bool attempted = false;   // the first attempt has succeeded or failed
    bool registered = false;
    bool warned = false;      // that it is away
    std::vector<std::shared_ptr<const TopicConfig>> pending;
    DataVersion pending_version;
    uint64_t wanted = 0;      // the last announcement it is to be told
    uint64_t told = 0;
    core::Notifier work;
  };

  core::Task<void> Run(Link& link);
  core::Task<absl::Status> Connect(Link& link);
  core::Task<absl::Status> Serve(Link& link);
  core::Task<absl::Status> RegisterAll(Link& link);
  core::Task<absl::Status> RegisterPending(Link& link);
  core::Task<absl::Status> Register(Link& link, std::string body);
  core::Task<void> SayGoodbye(Link& link);
  core::Task<void> Disconnect(Link& link);
  std::string AddressFor(const Link& link) const;

  const RegistrationOptions options_;
  const CatalogView& catalog_;
  std::vector<std::unique_ptr<Link>> links_;
  uint64_t announced_ = 0;
  bool stopping_ = false;
  core::Notifier progress_;
  core::Scope scope_;
};

/// The bodies of REGISTER_BROKER for a whole table: one, unless it grows beyond `body_bytes_max`; then several, each with a version of its own,
/// so that each is news to the nameserver. `permission` is the broker's.
std::vector<std::string> RegistrationBodies(const std::vector<std::shared_ptr<const TopicConfig>>& topics,
                                            DataVersion version, int32_t permission, size_t body_bytes_max);

}  // namespace broker
