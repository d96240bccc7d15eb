#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/confinement.h"
#include "core/settings.h"
#include "net/server_settings.h"
#include "store/log_options.h"

namespace broker {

enum class FlushDiskType { kAsyncFlush, kSyncFlush };
/// Whether consumers of a group pull or pop, where nobody has said (SET_MESSAGE_REQUEST_MODE). Source: RocketMQ 5.3.3 MessageRequestMode.
enum class RequestMode { kPull, kPop };
inline constexpr std::string_view kRequestModeNames[] = {"PULL", "POP"};
enum class BrokerRole { kAsyncMaster, kSyncMaster, kSlave };

/// The configuration of a broker: RocketMQ's names and defaults for what is used here (BrokerConfig, NettyServerConfig and
/// MessageStoreConfig of RocketMQ 5.3.3). Read-only once the broker starts. kSettings (config.cc) ties keys to members.
struct BrokerConfig : net::ServerSettings {
  // --- Who we are.
  std::string broker_cluster_name = "DefaultCluster";
  std::string broker_name = "broker-a";  // main puts the host's name here, as RocketMQ does
  int64_t broker_id = 0;
  BrokerRole broker_role = BrokerRole::kAsyncMaster;
  int32_t broker_permission = 6;  // READ 4 | WRITE 2; ANDed into what is registered
  std::string region_id = "DefaultRegion";

  // --- Where we are.
  std::string listen_address = "0.0.0.0";  // bindAddress
  int32_t listen_port = 10911;             // the VIP port is this less 2; 0: any free one and no VIP port (tests)
  std::string broker_ip1;                  // the advertised address; empty: see advertised_host
  std::string namesrv_addr;                // "host:port;host:port"

  // --- Storage.
  std::string store_path_root_dir = "./data";
  FlushDiskType flush_disk_type = FlushDiskType::kAsyncFlush;
  int64_t segment_bytes = int64_t{store::kSegmentBytesDefault};  // mappedFileSizeCommitLog
  std::string delete_when = "04";  // hours of the day, ';' between them
  absl::Duration file_reserved_time = absl::Hours(72);
  int32_t disk_max_used_space_ratio = 75;       // percent: above, expired segments go at any hour
  bool clean_file_forcibly_enable = false;      // RocketMQ's default is true, which deletes what nobody has read
  int32_t disk_space_clean_forcibly_ratio = 85; // percent: above, with the former, the oldest segments go, expired or not
  int32_t disk_space_warning_level_ratio = 90;  // percent: above, sends are refused

  // --- Topics and groups.
  bool auto_create_topic_enable = true;
  bool auto_create_subscription_group = true;
  int32_t default_topic_queue_nums = 8;
  bool cluster_topic_enable = true;
  bool broker_topic_enable = true;
  /// RingMQ's own: creation_limits.h.
  int32_t topics_max = 10'000;
  int32_t subscription_groups_max = 10'000;
  int32_t queues_max = 100'000;
  int32_t auto_create_topics_per_minute = 64;
  bool trace_topic_enable = false;
  std::string msg_trace_topic_name = "RMQ_SYS_TRACE_TOPIC";

  // --- Sending.
  int32_t max_message_size = 4 << 20;
  bool trace_on = true;

  // --- Messages for later.
  std::string message_delay_level = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";
  bool timer_wheel_enable = true;
  absl::Duration timer_max_delay = absl::Hours(72);
  bool recall_message_enable = false;

  // --- Queries by key.
  bool message_index_enable = true;
  int32_t max_msgs_num_batch = 64;
  int32_t default_query_max_num = 32;

  // --- Transactions.
  bool reject_transaction_message = false;
  absl::Duration transaction_time_out = absl::Seconds(6);
  absl::Duration transaction_check_interval = absl::Seconds(30);
  int32_t transaction_check_max = 15;

  // --- Light message queues.
  bool enable_lmq = false;
  bool enable_multi_dispatch = false;
  bool enable_lmq_stats = false;
  int32_t max_lmq_consume_queue_num = 20'000;

  // --- Consuming.
  bool long_polling_enable = true;
  absl::Duration short_polling_time = absl::Seconds(1);
  bool lite_pull_message_enable = true;
  bool notify_consumer_ids_changed_enable = true;
  bool enable_property_filter = true;  // RocketMQ's default is false
  int32_t max_transfer_count_in_memory = 32;
  int32_t max_transfer_bytes_in_memory = 256 << 10;
  // RocketMQ's 8 messages and 64 KiB from disk spare its page cache; here old messages are read past it and need no such brake.
  int32_t max_transfer_count_on_disk = 32;
  int32_t max_transfer_bytes_on_disk = 256 << 10;
  absl::Duration flush_consumer_offset_interval = absl::Seconds(5);

  // --- Consuming by pops.
  int32_t pop_from_retry_probability = 20;  // percent of pops that look for messages that come again first
  int32_t pop_polling_size = 1024;          // pops that wait for the same
  RequestMode default_message_request_mode = RequestMode::kPull;
  int32_t default_pop_share_queue_num = -1;
  int64_t pop_messages_max = 0;  // RingMQ's own: in flight, of each shard; 0: as its memory allows

  // --- Clients and nameservers.
  absl::Duration channel_expired_timeout = absl::Seconds(120);
  absl::Duration register_name_server_period = absl::Seconds(30);  // held between 10 s and 60 s

  // --- Access control.
  bool authentication_enabled = false;
  bool authorization_enabled = false;
  std::string authentication_whitelist;  // request codes of the data plane that need no signature, and
  std::string authorization_whitelist;   // those of which no right is asked
  std::string init_authentication_user;  // JSON, as is
  std::string inner_client_authentication_credentials;

  std::string cluster_peers = "private";  // as a nameserver's; also of the one inside standalone
  core::Confinement confinement = core::Confinement::kOn;
  absl::Duration busy_poll = absl::Microseconds(10);
  std::string confinement_readable;
  // --- What peers are granted beside ServerSettings: see net/limits.h. Of each connection:
  int32_t requests_per_connection_max = 1024;
  int64_t request_bytes_per_connection_max = 8 << 20;
  int64_t output_bytes_per_connection_max = 1 << 20;
  int32_t held_pulls_per_connection_max = 4096;
  // Of each shard; what is 0 follows from the memory:
  int64_t partial_frame_bytes_max = 0;
  int64_t requests_max = 0;
  int64_t request_bytes_max = 0;
  int64_t answer_bytes_max = 0;
  int64_t held_pulls_max = 0;
  int32_t memory_busy_ratio = 90;  // percent of three times the shard's memory, in buffers: above, sends are refused

  /// "address:port" where Prometheus may ask for the metrics; empty: nowhere.
  std::string metrics_listen = "127.0.0.1:5557";

  /// What message_delay_level says: CheckBrokerConfig fills it in.
  std::vector<int64_t> delay_levels_ms = {1'000,   5'000,   10'000,  30'000,  60'000,  120'000, 180'000,   240'000,   300'000,
                                          360'000, 420'000, 480'000, 540'000, 600'000, 1'200'000, 1'800'000, 3'600'000, 7'200'000};

  // --- Not in files: set by the command line, or by who starts the broker.
  /// What routes say where brokerIP1 is not set; empty: the local address of the connection to the nameserver.
  std::string advertised_host;
  /// "ip:port" of the nameserver in the same process (standalone), or empty. Unless brokerIP1 says otherwise, its routes name the address by
  /// which the asking client has reached it.
  std::string nameserver_beside;
  /// The nameservers of namesrv_addr, resolved ("ip:port"); names are resolved off the shard, before the start.
  std::vector<std::string> namesrv_endpoints;
  /// Of each shard: batches not yet written and the tail kept for readers; older messages read again. See memory_budget.h.
  size_t append_buffer_bytes = size_t{64} << 20;
  size_t read_cache_bytes = size_t{32} << 20;
  /// Of the hours of delete_when; in RocketMQ they are local time.
  absl::TimeZone time_zone = absl::UTCTimeZone();
  /// The number of this process, for who finds the data folder in use.
  int64_t process_id = 0;
};

/// Every setting a file or the command line may give, and RocketMQ's keys that have no effect here, with the reason.
std::span<const core::Setting<BrokerConfig>> BrokerSettings();
std::span<const core::IgnoredKey> IgnoredBrokerKeys();

/// Sets `properties` of the file (or command line) `source`; see core::ApplyProperties. A brokerId or brokerRole that would need
/// replication is a finding "ignored".
absl::Status ApplyBrokerProperties(std::span<const core::Property> properties, std::string_view source,
                                   BrokerConfig& config, std::vector<core::ConfigFinding>& findings);

/// What no single setting can tell: legal names and addresses, relations between settings. Applies forced values (a
/// master has brokerId 0, as in RocketMQ, and is ASYNC_MASTER while there are no slaves). kInvalidArgument names the keys and what to write.
absl::Status CheckBrokerConfig(BrokerConfig& config);

/// Changes a running broker's settings: all of `properties` or none. Only those that CheckBrokerConfig would find good with the others, and that
/// are live (config.cc): numbers and switches without consequences for data, addresses or security. kPermissionDenied, kInvalidArgument: see
/// core::ApplyLive.
absl::Status ApplyLiveBrokerProperties(std::span<const core::Property> properties, BrokerConfig& config);

/// All settings as `key=value` lines, by key: --print-config, and without paths the body of GET_BROKER_CONFIG.
std::string BrokerConfigText(const BrokerConfig& config, bool important_only = false,
                             core::Reader reader = core::Reader::kOperator);

/// The hours of deleteWhen ("04", "04;16"), each 0..23. kInvalidArgument otherwise.
absl::StatusOr<std::vector<int>> DeleteWhenHours(std::string_view delete_when);

/// The parts of namesrvAddr: "a:1;b:2" without blanks and empty ones.
std::vector<std::string> SplitAddresses(std::string_view addresses);

}  // namespace broker
