#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/confinement.h"
#include "core/settings.h"
#include "net/server_settings.h"

namespace nameserver {

/// The configuration of a nameserver: RocketMQ's names and defaults for what is used here (NamesrvConfig and NettyServerConfig of RocketMQ
/// 5.3.3). Settings marked "live" may be changed by UPDATE_NAMESRV_CONFIG.
struct NameServerConfig : net::ServerSettings {
  std::string listen_address = "0.0.0.0";  // bindAddress
  int32_t listen_port = 9876;              // 0: any free one (tests)
  std::string kv_config_path = "./data/namesrv/kvConfig.json";
  absl::Duration scan_not_active_broker_interval = absl::Seconds(5);
  /// "address:port" where Prometheus may ask for the metrics; empty: nowhere.
  std::string metrics_listen = "127.0.0.1:5558";
  bool order_message_enable = false;                      // live
  bool return_order_topic_config_to_broker = true;        // live
  bool enable_all_topic_list = true;                      // live
  bool delete_topic_with_broker_registration = false;     // live
  /// RingMQ's own: whose registrations are taken, beside those of this machine. Brokers live in networks of one's own; whoever has
  /// others names them.
  std::string cluster_peers = "private";
  int32_t brokers_max = 4096;
  int32_t topics_per_broker_max = 100'000;
  int32_t topics_max = 200'000;
  core::Confinement confinement = core::Confinement::kOn;
  std::string confinement_readable;
};

std::span<const core::Setting<NameServerConfig>> NameServerSettings();
std::span<const core::IgnoredKey> IgnoredNameServerKeys();

/// Sets `properties` of the file (or command line) `source`; see core::ApplyProperties.
absl::Status ApplyNameServerProperties(std::span<const core::Property> properties, std::string_view source,
                                       NameServerConfig& config, std::vector<core::ConfigFinding>& findings);

/// kInvalidArgument names the key and what to write.
absl::Status CheckNameServerConfig(const NameServerConfig& config);

/// All settings as `key=value` lines, for --print-config; without paths the body of GET_NAMESRV_CONFIG.
std::string NameServerConfigText(const NameServerConfig& config, core::Reader reader);

/// Applies the body of UPDATE_NAMESRV_CONFIG: all of it or nothing, until the next start. kPermissionDenied names a key that is not one of the live
/// ones, and says why.
absl::Status UpdateLiveSettings(std::string_view properties_text, NameServerConfig& config);

}  // namespace nameserver
