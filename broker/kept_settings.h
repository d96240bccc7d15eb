#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker_shard.h"
#include "broker/config.h"
#include "core/properties.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/meta_store.h"

namespace broker {

/// Settings that administrators have changed while the broker ran (UPDATE_BROKER_CONFIG). They last over restarts, in MetaTable::kKeptSettings beside what the
/// configuration said at the time; the configuration file stays as it is. One that the configuration says otherwise by now was set there later: then the file
/// counts, and what was kept is forgotten. Shard 0.
class KeptSettings {
 public:
  /// `broker_shard`: shard 0. It outlives this.
  explicit KeptSettings(BrokerShard& broker_shard) : shard_(broker_shard) {}

  /// At the start, before anybody is answered: what was kept counts on every shard.
  core::Task<absl::Status> Restore();
  /// Changes live settings, all or none: kept on stable storage first, then on every shard. kPermissionDenied, kInvalidArgument: as ApplyLiveBrokerProperties.
  core::Task<absl::Status> Change(std::vector<core::Property> properties);

 private:
  core::Task<void> ApplyEverywhere(std::vector<core::Property> properties);

  BrokerShard& shard_;
  core::Semaphore turn_{1};
};

}  // namespace broker
