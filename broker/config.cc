#include "broker/config.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "broker/access/access_settings.h"
#include "broker/delay.h"
#include "core/io.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/peer_list.h"

namespace broker {

// The keys of RocketMQ's that have no effect here are in config_ignored.cc.

namespace {

using Config = BrokerConfig;
using Setting = core::Setting<BrokerConfig>;
using core::Range;

constexpr std::string_view kFlushDiskTypes[] = {"ASYNC_FLUSH", "SYNC_FLUSH"};
constexpr std::string_view kBrokerRoles[] = {"ASYNC_MASTER", "SYNC_MASTER", "SLAVE"};

constexpr std::string_view kBrokerId = "brokerId";
constexpr std::string_view kBrokerRole = "brokerRole";

constexpr absl::Duration kMillisecond = absl::Milliseconds(1);
constexpr absl::Duration kSecond = absl::Seconds(1);
constexpr absl::Duration kHour = absl::Hours(1);

constexpr Setting kSettings[] = {
    Setting("brokerClusterName", &Config::broker_cluster_name, Range{1, 127}, "Cluster this broker belongs to.")
        .Important(),
    Setting("brokerName", &Config::broker_name, Range{1, 127}, "Name of the broker; default: the host's.").Important(),
    Setting(kBrokerId, &Config::broker_id, Range{0, std::numeric_limits<int32_t>::max()},
            "0, the master; no slaves yet.")
        .Important(),
    Setting::Choice<&Config::broker_role>(kBrokerRole, kBrokerRoles,
                                          "ASYNC_MASTER; no slaves yet that a send could wait for.")
        .Important(),
    Setting("brokerPermission", &Config::broker_permission, Range{0, 7}, "Sum of 4 read, 2 write; of all its topics.")
        .Important(),
    Setting("regionId", &Config::region_id, Range{0, 255}, "Put into messages as MSG_REGION."),

    Setting("bindAddress", &Config::listen_address, Range{1, 64}, "Address to listen on.").Important(),
    Setting("listenPort", &Config::listen_port, Range{0, 65535}, "TCP port for clients; this less 2 is the VIP port.")
        .Important(),
    Setting("brokerIP1", &Config::broker_ip1, Range{0, 255}, "Address that clients are told; default: found out.")
        .Important(),
    Setting("namesrvAddr", &Config::namesrv_addr, Range{0, 4096}, "Nameservers, host:port;host:port.").Important(),

    Setting("storePathRootDir", &Config::store_path_root_dir, Range{1, 4000}, "Data folder.").Important().Private(),
    Setting::Choice<&Config::flush_disk_type>("flushDiskType", kFlushDiskTypes, "When a send is acknowledged.")
        .Important(),
    Setting("mappedFileSizeCommitLog", &Config::segment_bytes, Range{8 << 20, int64_t{1} << 40},
            "Bytes of a log segment."),
    Setting("deleteWhen", &Config::delete_when, Range{1, 127},
            "Hours of the day at which old segments go, 04 or 04;16.")
        .Important(),
    Setting("fileReservedTime", &Config::file_reserved_time, kHour, Range{1, 24 * 36500},
            "Hours a message is kept at least.")
        .Important(),
    Setting("diskMaxUsedSpaceRatio", &Config::disk_max_used_space_ratio, Range{10, 95},
            "Percent of the disk: above, old segments go at any hour."),
    Setting("cleanFileForciblyEnable", &Config::clean_file_forcibly_enable,
            "Old segments go when the disk is nearly full, also with messages that have not expired."),
    Setting("diskSpaceCleanForciblyRatio", &Config::disk_space_clean_forcibly_ratio, Range{30, 100},
            "Percent of the disk: above, cleanFileForciblyEnable acts."),
    Setting("diskSpaceWarningLevelRatio", &Config::disk_space_warning_level_ratio, Range{35, 100},
            "Percent of the disk: above, sends are refused."),

    Setting("autoCreateTopicEnable", &Config::auto_create_topic_enable, "A send to an unknown topic makes it.")
        .Important(),
    Setting("autoCreateSubscriptionGroup", &Config::auto_create_subscription_group, "An unknown group is made.")
        .Important(),
    Setting("defaultTopicQueueNums", &Config::default_topic_queue_nums, Range{1, 65535},
            "Queues of the template TBW102."),
    Setting("topicsMax", &Config::topics_max, Range{1, 10'000'000},
            "Topics, beside those for retries and dead letters."),
    Setting("subscriptionGroupsMax", &Config::subscription_groups_max, Range{1, 10'000'000}, "Subscription groups."),
    Setting("queuesMax", &Config::queues_max, Range{1, 100'000'000}, "Queues of all topics."),
    Setting("autoCreateTopicsPerMinute", &Config::auto_create_topics_per_minute, Range{0, 1'000'000},
            "Topics that sends may make."),
    Setting("clusterTopicEnable", &Config::cluster_topic_enable, "The topic named like the cluster can be used."),
    Setting("brokerTopicEnable", &Config::broker_topic_enable, "The topic named like the broker can be used."),
    Setting("traceTopicEnable", &Config::trace_topic_enable, "Make the topic for message traces."),
    Setting("msgTraceTopicName", &Config::msg_trace_topic_name, Range{1, 127}, "Name of the topic for message traces."),

    Setting("maxMessageSize", &Config::max_message_size, Range{1, 15 << 20}, "Bytes of a message's body at most.")
        .Live(),
    Setting("traceOn", &Config::trace_on, "Tell clients that they may trace (TRACE_ON).").Live(),

    Setting("messageDelayLevel", &Config::message_delay_level, Range{2, 4000},
            "What delay level 1, 2, ... means: numbers of s, m, h or d."),
    Setting("timerWheelEnable", &Config::timer_wheel_enable, "Take timer messages (TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS).").Live(),
    Setting("timerMaxDelaySec", &Config::timer_max_delay, kSecond, Range{1, int64_t{36500} * 24 * 3600}, "Farthest time of a timer message, in s from now.")
        .Live(),
    Setting("recallMessageEnable", &Config::recall_message_enable, "Producers may take timer messages back (RECALL_MESSAGE).").Live(),

    Setting("messageIndexEnable", &Config::message_index_enable, "Keep an index of keys: messages are found by KEYS and UNIQ_KEY (QUERY_MESSAGE)."),
    Setting("maxMsgsNumBatch", &Config::max_msgs_num_batch, Range{1, 1024}, "Messages that a query by key finds at most.").Live(),
    Setting("defaultQueryMaxNum", &Config::default_query_max_num, Range{1, 1024}, "Messages that a query by unique key finds at most.").Live(),

    Setting("rejectTransactionMessage", &Config::reject_transaction_message, "Take no transaction messages.").Live(),
    Setting("transactionTimeOut", &Config::transaction_time_out, kMillisecond, Range{0, int64_t{24} * 3600'000},
            "A transaction that is older is asked for, in ms.")
        .Live(),
    Setting("transactionCheckInterval", &Config::transaction_check_interval, kMillisecond, Range{100, int64_t{24} * 3600'000},
            "Pending transactions are asked for so often, in ms.")
        .Live(),
    Setting("transactionCheckMax", &Config::transaction_check_max, Range{1, 1'000'000},
            "A transaction that was asked for so many times is put aside (TRANS_CHECK_MAX_TIME_TOPIC).")
        .Live(),

    Setting("enableLmq", &Config::enable_lmq, "Topics %LMQ%... are light message queues, which are there without being made."),
    Setting("enableMultiDispatch", &Config::enable_multi_dispatch,
            "With enableLmq: messages go to the light queues that their property INNER_MULTI_DISPATCH names as well."),
    Setting("enableLmqStats", &Config::enable_lmq_stats, "Count for each light queue apart, not for all of them as %LMQ%."),
    Setting("maxLmqConsumeQueueNum", &Config::max_lmq_consume_queue_num, Range{1, 10'000'000}, "Light queues that may have messages."),

    Setting("longPollingEnable", &Config::long_polling_enable, "Hold a pull that finds nothing until a message comes.")
        .Live(),
    Setting("shortPollingTimeMills", &Config::short_polling_time, kMillisecond, Range{1, 3600'000},
            "How long a pull is held without long polling.")
        .Live(),
    Setting("litePullMessageEnable", &Config::lite_pull_message_enable, "Serve LITE_PULL_MESSAGE.").Live(),
    Setting("notifyConsumerIdsChangedEnable", &Config::notify_consumer_ids_changed_enable,
            "Tell a group's members at once that members have changed.")
        .Live(),
    Setting("enablePropertyFilter", &Config::enable_property_filter, "Filter by SQL92 expressions.").Live(),
    Setting("maxTransferCountOnMessageInMemory", &Config::max_transfer_count_in_memory, Range{1, 100'000},
            "Messages of one pull at most, from memory.")
        .Live(),
    Setting("maxTransferBytesOnMessageInMemory", &Config::max_transfer_bytes_in_memory, Range{1, 15 << 20},
            "Bytes of one pull at most, from memory; one message in any case.")
        .Live(),
    Setting("maxTransferCountOnMessageInDisk", &Config::max_transfer_count_on_disk, Range{1, 100'000},
            "Messages of one pull at most, from disk.")
        .Live(),
    Setting("maxTransferBytesOnMessageInDisk", &Config::max_transfer_bytes_on_disk, Range{1, 15 << 20},
            "Bytes of one pull at most, from disk; one message in any case.")
        .Live(),
    Setting("flushConsumerOffsetInterval", &Config::flush_consumer_offset_interval, kMillisecond, Range{10, 3600'000},
            "ms between writes of consumer offsets."),

    Setting("popFromRetryProbability", &Config::pop_from_retry_probability, Range{0, 100},
            "Percent of pops that look first for messages that come again.")
        .Live(),
    Setting("popPollingSize", &Config::pop_polling_size, Range{1, 100'000}, "Pops of a group and topic that wait for messages.").Live(),
    Setting::Choice<&Config::default_message_request_mode>("defaultMessageRequestMode", kRequestModeNames,
                                                           "How groups consume that were not told by setConsumeMode.")
        .Live(),
    Setting("defaultPopShareQueueNum", &Config::default_pop_share_queue_num, Range{-1, 100'000},
            "Members of a group whose queues each of them pops from, beside its own; -1: all.")
        .Live(),
    Setting("popMessagesMax", &Config::pop_messages_max, Range{0, 1'000'000'000},
            "Messages popped and not yet acknowledged, of each shard; 0: as its memory allows."),

    Setting("channelExpiredTimeout", &Config::channel_expired_timeout, kMillisecond, Range{1000, 3600'000},
            "ms without heartbeat until a client is gone.")
        .Live(),
    Setting("registerNameServerPeriod", &Config::register_name_server_period, kMillisecond, Range{1, 3600'000},
            "ms between registrations, held between 10,000 and 60,000."),
    Setting("authenticationEnabled", &Config::authentication_enabled, "Take signed requests of known users only.").Important(),
    Setting("authorizationEnabled", &Config::authorization_enabled,
            "Users who are not super may do what their access control list says, and nothing else.")
        .Important(),
    Setting("authenticationWhitelist", &Config::authentication_whitelist, Range{0, 4096},
            "Codes of requests that need no signature, with commas between them; of administration from this machine only."),
    Setting("authorizationWhitelist", &Config::authorization_whitelist, Range{0, 4096}, "Codes of requests for which no right is asked."),
    Setting("initAuthenticationUser", &Config::init_authentication_user, Range{0, 4096},
            "The first super user, {\"username\":\"...\",\"password\":\"...\"}: made at the start unless it is there.")
        .Secret(),
    Setting("innerClientAuthenticationCredentials", &Config::inner_client_authentication_credentials, Range{0, 4096},
            "The super user whom proxies sign as, {\"accessKey\":\"...\",\"secretKey\":\"...\"}: made at the start unless it is there.")
        .Secret(),

    Setting("clusterPeers", &Config::cluster_peers, Range{0, 4096},
            "standalone: addresses whose brokers may register, beside this machine's: 10.0.0.5;10.1.0.0/16, private, "
            "any, or nothing."),
    Setting("busyPollMicros", &Config::busy_poll, absl::Microseconds(1), Range{0, 1000},
            "us for which a shard watches for work before it sleeps, while work comes that fast; 0: never. It takes "
            "processor time from others on the machine."),
    Setting(
        "confinementReadable", &Config::confinement_readable, Range{0, 4096},
        "Folders that a confined process may read beside its own, ';' between them; for tools that are loaded into it.")
        .Private(),
    Setting::Choice<&Config::confinement>("confinement", core::kConfinementNames,
                                          "on: the process gives up what it does not need; off: for debugging."),

#include "net/server_settings.inc"
    Setting("requestsPerConnectionMax", &Config::requests_per_connection_max, Range{1, 1'000'000},
            "Requests at work; a connection with more is not read. Held pulls do not count."),
    Setting("requestBytesPerConnectionMax", &Config::request_bytes_per_connection_max, Range{1, int64_t{1} << 30},
            "Bytes of requests at work; a connection with more is not read."),
    Setting("outputBytesPerConnectionMax", &Config::output_bytes_per_connection_max, Range{1, int64_t{1} << 30},
            "Bytes of answers, or one answer, that wait to be sent; a connection with more is not read."),
    Setting("heldPullsPerConnectionMax", &Config::held_pulls_per_connection_max, Range{1, 1'000'000},
            "Long polls held; more are held for shortPollingTimeMills at most."),
    Setting("partialFrameBytesMax", &Config::partial_frame_bytes_max, Range{0, int64_t{1} << 40},
            "Bytes of frames not yet there as a whole, of each shard; 0: 1/8 of its memory."),
    Setting("requestsMax", &Config::requests_max, Range{0, 100'000'000}, "Requests at work, of each shard; 0: as its memory allows."),
    Setting("requestBytesMax", &Config::request_bytes_max, Range{0, int64_t{1} << 40},
            "Bytes of these, of each shard; 0: half of its memory."),
    Setting("answerBytesMax", &Config::answer_bytes_max, Range{0, int64_t{1} << 40},
            "Bytes of answers to pulls not yet sent, of each shard, and half as many of other answers; 0: half of its "
            "memory."),
    Setting("heldPullsMax", &Config::held_pulls_max, Range{0, 100'000'000},
            "Long polls held, of each shard; 0: as its memory allows, at most 100,000."),
    Setting("memoryBusyRatio", &Config::memory_busy_ratio, Range{10, 100},
            "Percent of three times a shard's memory: with more in buffers, sends get SYSTEM_BUSY."),
    Setting("metricsListen", &Config::metrics_listen, Range{0, 64},
            "Where Prometheus finds /metrics, address:port; nothing: nowhere.")
        .Important(),
};

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '%' ||
         c == '|' || c == '.';
}

absl::Status CheckName(std::string_view key, std::string_view name) {
  // Both become topic names; a host name also has dots, which RocketMQ lets pass here.
  if (!name.empty() && name.size() <= 127 && std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      core::StrCat(key, "='", name, "': 1 to 127 letters, digits and _ - % | . are a legal name"));
}

/// Says of the value that counts for `key` that it changes nothing, and why.
void MarkIgnored(std::string_view key, std::string_view why, std::vector<core::ConfigFinding>& findings) {
  for (core::ConfigFinding& finding : findings) {
    if (finding.key != key || finding.kind != core::ConfigFinding::Kind::kUsed) continue;
    finding.kind = core::ConfigFinding::Kind::kIgnored;
    finding.note = core::StrCat("'", finding.note, "': ", why);
  }
}

}  // namespace

std::span<const core::Setting<BrokerConfig>> BrokerSettings() { return kSettings; }

absl::Status ApplyBrokerProperties(std::span<const core::Property> properties, std::string_view source,
                                   BrokerConfig& config, std::vector<core::ConfigFinding>& findings) {
  RETURN_IF_ERROR(
      core::ApplyProperties<BrokerConfig>(properties, source, BrokerSettings(), IgnoredBrokerKeys(), config, findings));
  if (config.broker_id != 0) MarkIgnored(kBrokerId, "there is no replication yet: it is the master, 0", findings);
  if (config.broker_role == BrokerRole::kSyncMaster) {
    MarkIgnored(kBrokerRole, "there is no replication yet, so no slave to wait for: it is ASYNC_MASTER", findings);
  }
  return absl::OkStatus();
}

absl::Status CheckBrokerConfig(BrokerConfig& config) {
  RETURN_IF_ERROR(CheckName("brokerClusterName", config.broker_cluster_name));
  RETURN_IF_ERROR(CheckName("brokerName", config.broker_name));
  if (config.broker_role == BrokerRole::kSlave) {
    return absl::InvalidArgumentError("brokerRole=SLAVE: there is no replication yet; use ASYNC_MASTER");
  }
  config.broker_role = BrokerRole::kAsyncMaster;  // what it does: a printed configuration must not promise more
  config.broker_id = 0;                           // as RocketMQ forces on a master
  if (!core::Endpoint::Parse(config.listen_address, 0).ok()) {
    return absl::InvalidArgumentError(
        core::StrCat("bindAddress='", config.listen_address, "' is not an IPv4 or IPv6 address, e.g. 0.0.0.0"));
  }
  absl::StatusOr<std::vector<int64_t>> levels = DelayLevelsMs(config.message_delay_level);
  if (!levels.ok()) {
    return absl::InvalidArgumentError(core::StrCat("messageDelayLevel='", config.message_delay_level, "': ", core::ToStd(levels.status().message())));
  }
  config.delay_levels_ms = *std::move(levels);
  if (!config.metrics_listen.empty() && !core::Endpoint::Parse(config.metrics_listen).ok()) {
    return absl::InvalidArgumentError(
        core::StrCat("metricsListen='", config.metrics_listen, "' is not an address with a port, e.g. 127.0.0.1:5557"));
  }
  if (config.listen_port == 1 || config.listen_port == 2) {
    return absl::InvalidArgumentError("listenPort: the VIP port is listenPort - 2, so the least is 3");
  }
  if (const absl::Status peers = net::PeerList::Parse(config.cluster_peers).status(); !peers.ok()) {
    return core::Annotate(peers, "clusterPeers");
  }
  RETURN_IF_ERROR(CheckAccessSettings(config));
  if (!DeleteWhenHours(config.delete_when).ok()) return DeleteWhenHours(config.delete_when).status();
  if (config.segment_bytes < 2 * int64_t{config.max_message_size}) {
    return absl::InvalidArgumentError(core::StrCat("mappedFileSizeCommitLog=", config.segment_bytes,
                                                   ": at least twice maxMessageSize, ", config.max_message_size));
  }
  if (config.disk_space_warning_level_ratio < config.disk_max_used_space_ratio) {
    return absl::InvalidArgumentError(core::StrCat("diskSpaceWarningLevelRatio=", config.disk_space_warning_level_ratio,
                                                   ": at least diskMaxUsedSpaceRatio, ",
                                                   config.disk_max_used_space_ratio));
  }
  config.register_name_server_period =
      std::clamp(config.register_name_server_period, absl::Seconds(10), absl::Seconds(60));
  return absl::OkStatus();
}

absl::Status ApplyLiveBrokerProperties(std::span<const core::Property> properties, BrokerConfig& config) {
  BrokerConfig trial = config;
  RETURN_IF_ERROR(core::ApplyLive<BrokerConfig>(properties, BrokerSettings(), IgnoredBrokerKeys(), trial));
  RETURN_IF_ERROR(CheckBrokerConfig(trial));
  return core::ApplyLive<BrokerConfig>(properties, BrokerSettings(), IgnoredBrokerKeys(), config);
}

std::string BrokerConfigText(const BrokerConfig& config, bool important_only, core::Reader reader) {
  return core::ToProperties<BrokerConfig>(BrokerSettings(), config, important_only, reader);
}

absl::StatusOr<std::vector<int>> DeleteWhenHours(std::string_view delete_when) {
  std::vector<int> hours;
  std::string_view rest = delete_when;
  for (bool more = true; more;) {
    const size_t end = rest.find(';');
    std::string_view part = rest.substr(0, end);
    more = end != std::string_view::npos;
    rest = more ? rest.substr(end + 1) : std::string_view();
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (part.empty() && !more && !hours.empty()) break;  // "04;"
    int hour = -1;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), hour);
    if (error != std::errc() || stop != part.data() + part.size() || hour < 0 || hour > 23) {
      return absl::InvalidArgumentError(
          core::StrCat("deleteWhen='", delete_when, "': hours from 00 to 23 with ';' between them, e.g. 04 or 04;16"));
    }
    hours.push_back(hour);
  }
  return hours;
}

std::vector<std::string> SplitAddresses(std::string_view addresses) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : addresses) {
    if (c == ';' || c == ',') {
      if (!part.empty()) parts.push_back(std::move(part));
      part.clear();
    } else if (c != ' ' && c != '\t') {
      part += c;
    }
  }
  if (!part.empty()) parts.push_back(std::move(part));
  return parts;
}

}  // namespace broker
