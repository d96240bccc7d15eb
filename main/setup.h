#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/config.h"
#include "core/confinement.h"
#include "core/io.h"
#include "core/properties.h"
#include "core/runtime.h"
#include "core/settings.h"
#include "main/memory_budget.h"
#include "main/server_options.h"
#include "nameserver/config.h"

namespace ringmq {

// From what was typed and what stands in files to the configuration of a server. Blocking, before the shards start. Later ones win: defaults,
// environment, file, key=value, flags.

struct BrokerSetup {
  broker::BrokerConfig config;
  std::vector<core::ConfigFinding> findings;
  uint32_t shards = 1;
  uint64_t memory_bytes = 0;
  MemoryBudget memory;
  core::RuntimeOptions runtime;
};

/// kInvalidArgument and others are sentences for a person. `standalone` listens on loopback unless told otherwise.
absl::StatusOr<BrokerSetup> PrepareBroker(const ServerOptions& options, bool standalone);

struct NameServerSetup {
  nameserver::NameServerConfig config;
  std::vector<core::ConfigFinding> findings;
  core::RuntimeOptions runtime;
};
absl::StatusOr<NameServerSetup> PrepareNameServer(const ServerOptions& options);
/// The nameserver inside standalone: its data beside the broker's, the same address to listen on.
nameserver::NameServerConfig NameServerBeside(const broker::BrokerConfig& broker, const ServerOptions& options);

/// What the process keeps once it serves; `nameserver_port` is set in standalone.
core::ConfinementPlan PlanOf(const BrokerSetup& setup, std::optional<int32_t> nameserver_port);
core::ConfinementPlan PlanOf(const nameserver::NameServerConfig& config);

/// The nameservers of namesrvAddr, resolved; none when it is empty.
absl::StatusOr<std::vector<core::Endpoint>> ResolveNameServers(const broker::BrokerConfig& config);

/// The address that routes name where brokerIP1 is not set and clients come from elsewhere: where the broker listens, or else the one
/// from which it reaches its nameservers, or the network at all.
std::string GuessAdvertisedHost(const broker::BrokerConfig& config, const std::vector<core::Endpoint>& nameservers);

/// How many shards the data folder was made for; nothing for a new one.
absl::StatusOr<std::optional<uint32_t>> ShardsOfFolder(const std::string& data);

absl::StatusOr<std::vector<core::Property>> ReadPropertiesFile(const std::string& path);

}  // namespace ringmq
