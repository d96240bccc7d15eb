#include "nameserver/config.h"

#include "core/io.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/peer_list.h"

namespace nameserver {
namespace {

using Config = NameServerConfig;
using Setting = core::Setting<NameServerConfig>;
using core::Range;

constexpr Setting kSettings[] = {
    Setting("bindAddress", &Config::listen_address, Range{1, 64}, "Address to listen on."),
    Setting("listenPort", &Config::listen_port, Range{0, 65535}, "TCP port."),
    Setting("kvConfigPath", &Config::kv_config_path, Range{1, 4000}, "File of the KV configuration.").Private(),
    Setting("scanNotActiveBrokerInterval", &Config::scan_not_active_broker_interval, absl::Milliseconds(1),
            Range{100, 3600'000}, "ms between looks for silent brokers."),
#include "net/server_settings.inc"
    Setting("metricsListen", &Config::metrics_listen, Range{0, 64},
            "Where Prometheus finds /metrics, address:port; nothing: nowhere."),
    Setting("orderMessageEnable", &Config::order_message_enable, "Routes carry the topic's ORDER_TOPIC_CONFIG.").Live(),
    Setting("returnOrderTopicConfigToBroker", &Config::return_order_topic_config_to_broker,
            "Registering brokers are told ORDER_TOPIC_CONFIG.")
        .Live(),
    Setting("enableAllTopicList", &Config::enable_all_topic_list, "Answer GET_ALL_TOPIC_LIST_FROM_NAMESERVER.").Live(),
    Setting("deleteTopicWithBrokerRegistration", &Config::delete_topic_with_broker_registration,
            "A topic that a broker no longer reports is gone.")
        .Live(),
    Setting(
        "clusterPeers", &Config::cluster_peers, Range{0, 4096},
        "Addresses whose brokers may register, beside this machine's: 10.0.0.5;10.1.0.0/16, private, any, or nothing."),
    Setting("brokersMax", &Config::brokers_max, Range{1, 1'000'000}, "Brokers that may be registered at a time."),
    Setting("topicsPerBrokerMax", &Config::topics_per_broker_max, Range{1, 10'000'000}, "Topics of one registration."),
    Setting("topicsMax", &Config::topics_max, Range{1, 10'000'000}, "Topics of all brokers."),
    Setting(
        "confinementReadable", &Config::confinement_readable, Range{0, 4096},
        "Folders that a confined process may read beside its own, ';' between them; for tools that are loaded into it.")
        .Private(),
    Setting::Choice<&Config::confinement>("confinement", core::kConfinementNames,
                                          "on: the process gives up what it does not need; off: for debugging."),
};

constexpr std::string_view kThreads = "one thread serves all, no thread pools";
constexpr std::string_view kNetwork = "the network layer is io_uring and has its own limits";
constexpr std::string_view kNoMeaning = "has no meaning here";
constexpr std::string_view kReady = "answers are right from the first registration on";
constexpr std::string_view kActing = "slaves that act as masters are not there yet";
constexpr std::string_view kController = "there is no controller yet";

// RocketMQ's keys of 4.9.7 and 5.3.3 (NamesrvConfig, NettyServerConfig) without effect here.
constexpr core::IgnoredKey kIgnored[] = {
    {"rocketmqHome", kNoMeaning},
    {"configStorePath", kNoMeaning},
    {"productEnvName", kNoMeaning},
    {"configBlackList", "only a few harmless keys can be changed from outside"},
    {"clusterTest", kNoMeaning},
    {"enableTopicList", kNoMeaning},
    {"clientRequestThreadPoolNums", kThreads},
    {"defaultThreadPoolNums", kThreads},
    {"clientRequestThreadPoolQueueCapacity", kThreads},
    {"defaultThreadPoolQueueCapacity", kThreads},
    {"unRegisterBrokerQueueCapacity", kThreads},
    {"serverWorkerThreads", kThreads},
    {"serverCallbackExecutorThreads", kThreads},
    {"serverSelectorThreads", kThreads},
    {"serverNettyWorkerGroupEnable", kThreads},
    {"serverOnewaySemaphoreValue", kNetwork},
    {"serverAsyncSemaphoreValue", kNetwork},
    {"serverSocketSndBufSize", kNetwork},
    {"serverSocketRcvBufSize", kNetwork},
    {"writeBufferHighWaterMark", kNetwork},
    {"writeBufferLowWaterMark", kNetwork},
    {"serverSocketBacklog", kNetwork},
    {"serverPooledByteBufAllocatorEnable", kNetwork},
    {"useEpollNativeSelector", kNetwork},
    {"enableShutdownGracefully", "it always ends cleanly"},
    {"shutdownWaitTimeSeconds", "it always ends cleanly"},
    {"needWaitForService", kReady},
    {"waitSecondsForService", kReady},
    {"supportActingMaster", kActing},
    {"notifyMinBrokerIdChanged", kActing},
    {"enableControllerInNamesrv", kController, "true"},
};

}  // namespace

std::span<const core::Setting<NameServerConfig>> NameServerSettings() { return kSettings; }
std::span<const core::IgnoredKey> IgnoredNameServerKeys() { return kIgnored; }

absl::Status ApplyNameServerProperties(std::span<const core::Property> properties, std::string_view source,
                                       NameServerConfig& config, std::vector<core::ConfigFinding>& findings) {
  return core::ApplyProperties<NameServerConfig>(properties, source, kSettings, kIgnored, config, findings);
}

absl::Status CheckNameServerConfig(const NameServerConfig& config) {
  if (!config.metrics_listen.empty() && !core::Endpoint::Parse(config.metrics_listen).ok()) {
    return absl::InvalidArgumentError(
        core::StrCat("metricsListen='", config.metrics_listen, "' is not an address with a port, e.g. 127.0.0.1:5558"));
  }
  if (!core::Endpoint::Parse(config.listen_address, 0).ok()) {
    return absl::InvalidArgumentError(
        core::StrCat("bindAddress='", config.listen_address, "' is not an IPv4 or IPv6 address, e.g. 0.0.0.0"));
  }
  const absl::StatusOr<net::PeerList> peers = net::PeerList::Parse(config.cluster_peers);
  return peers.ok() ? absl::OkStatus() : core::Annotate(peers.status(), "clusterPeers");
}

std::string NameServerConfigText(const NameServerConfig& config, core::Reader reader) {
  return core::ToProperties<NameServerConfig>(kSettings, config, /*important_only=*/false, reader);
}

absl::Status UpdateLiveSettings(std::string_view properties_text, NameServerConfig& config) {
  ASSIGN_OR_RETURN(const std::vector<core::Property> properties, core::ParseProperties(properties_text));
  NameServerConfig changed = config;
  RETURN_IF_ERROR(core::ApplyLive<NameServerConfig>(properties, kSettings, kIgnored, changed));
  config = std::move(changed);
  return absl::OkStatus();
}

}  // namespace nameserver
