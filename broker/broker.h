#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/broker_shard.h"
#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/nameserver_registration.h"
#include "core/metric_registry.h"
#include "core/sharded.h"
#include "core/task.h"
#include "store/manifest.h"

namespace broker {

/// A broker on all shards of the current runtime. Made, used and stopped on shard 0; Stop must have returned before it dies.
class Broker {
 public:
  /// Opens the data folder, recovers every shard's log, loads topics and groups, listens, and registers with the nameservers of
  /// namesrv_endpoints (those that are away are told later). Clients are answered when it returns. `config` has passed CheckBrokerConfig.
  /// Errors are lines for a person: the folder is in use or not writable, was made for another number of shards, the port is taken.
  static core::Task<absl::StatusOr<std::unique_ptr<Broker>>> Start(BrokerConfig config);
  ~Broker();

  /// Ends connections, writes everything, closes the folder. The first thing that went wrong, if any.
  core::Task<absl::Status> Stop();

  const BrokerConfig& config() const { return config_; }
  /// Where clients connect, with the real port.
  const core::Endpoint& listening_at() const { return listening_at_; }
  const core::Sharded<BrokerShard>& shards() const { return shards_; }
  const CatalogView& catalog_view() const { return views_.local(); }
  CatalogWriter& catalog_writer() { return catalog_writer_; }
  /// All that every shard counts, for Prometheus.
  core::Task<std::vector<core::MetricSource>> ReadMetrics() const;
  /// How many nameservers know this broker now.
  size_t registered_count() const { return registration_ == nullptr ? 0 : registration_->registered_count(); }

 private:
  explicit Broker(BrokerConfig config, uint32_t shards);

  core::Task<absl::Status> OpenEverything();
  core::Task<absl::Status> ListenEverywhere();
  core::Task<absl::Status> RegisterWithNameServers();
  /// Runs `step` on every shard at once; the first error by shard.
  using Step = core::Task<absl::Status> (*)(Broker& broker, core::ShardId shard);
  core::Task<absl::Status> OnEveryShard(Step step);
  static core::Task<void> RunStep(Broker& broker, core::ShardId shard, Step step, absl::Status& result);
  /// On that shard.
  core::Task<absl::Status> ListenOn(core::ShardId id);

  const BrokerConfig config_;
  const Placement placement_;
  core::Sharded<CatalogView> views_;
  CatalogWriter catalog_writer_;
  core::Sharded<BrokerShard> shards_;
  store::Manifest manifest_;  // holds the folder's lock
  std::unique_ptr<NameServerRegistration> registration_;
  core::Endpoint listening_at_;
  bool folder_open_ = false;
  bool stopped_ = false;
};

}  // namespace broker
