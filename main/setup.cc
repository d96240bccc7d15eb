#include "main/setup.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/host.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/manifest.h"

namespace ringmq {
namespace {

constexpr size_t kConfigBytesMax = size_t{4} << 20;
constexpr char kLoopback[] = "127.0.0.1";
/// Documentation addresses (RFC 5737): never dialled, only asked which way they lie.
constexpr char kSomewhereElse[] = "192.0.2.1:9";

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return core::ErrnoStatus(EISDIR, core::StrCat("read ", path));
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || file.bad()) return core::ErrnoStatus(errno != 0 ? errno : EIO, core::StrCat("read ", path));
  std::string content = std::move(text).str();
  if (content.size() > bytes_max) return absl::InvalidArgumentError(core::StrCat(path, " is no configuration: too large"));
  return content;
}

/// Applies file and command line to `config` through `apply(properties, source)`.
template <typename Apply>
absl::Status ApplySources(const ServerOptions& options, Apply apply) {
  if (!options.config_file.empty()) {
    ASSIGN_OR_RETURN(const std::vector<core::Property> properties, ReadPropertiesFile(options.config_file));
    RETURN_IF_ERROR(apply(properties, options.config_file));
  }
  std::vector<core::Property> typed;
  for (const std::string& assignment : options.assignments) {
    ASSIGN_OR_RETURN(core::Property property, core::ParseAssignment(assignment));
    typed.push_back(std::move(property));
  }
  return apply(typed, "command line");
}

absl::Status ChooseShards(const ServerOptions& options, BrokerSetup& setup) {
  const std::string& data = setup.config.store_path_root_dir;
  ASSIGN_OR_RETURN(const std::optional<uint32_t> made_for, ShardsOfFolder(data));
  if (made_for.has_value() && options.shards.has_value() && *options.shards != *made_for) {
    return absl::FailedPreconditionError(core::StrCat("the data folder ", data, " was made for ", *made_for,
                                                      " shards: leave --shards out, or give another --data"));
  }
  const uint32_t ours = options.shards.value_or(static_cast<uint32_t>(core::DefaultShardCount()));
  setup.shards = made_for.value_or(ours);
  return absl::OkStatus();
}

absl::Status ChooseMemory(const ServerOptions& options, BrokerSetup& setup) {
  setup.memory_bytes = DefaultMemory(core::MemoryLimitBytes(), setup.shards);
  if (options.memory.has_value()) {
    const absl::StatusOr<uint64_t> given = ParseSize(*options.memory);
    if (!given.ok()) return core::Annotate(given.status(), "--memory");
    setup.memory_bytes = *given;
  }
  ASSIGN_OR_RETURN(setup.memory, SplitMemory(setup.memory_bytes, setup.shards));
  setup.config.append_buffer_bytes = setup.memory.append_buffer_bytes;
  setup.config.read_cache_bytes = setup.memory.read_cache_bytes;
  setup.runtime.shards = setup.shards;
  setup.runtime.receive_buffers = setup.memory.receive_buffers;
  setup.runtime.receive_buffer_bytes = setup.memory.receive_buffer_bytes;
  setup.runtime.reactor.pool_keep_bytes = setup.memory.pool_keep_bytes;
  setup.runtime.reactor.pool_bytes = setup.memory.pool_keep_bytes + setup.memory.read_cache_bytes;  // the cache's blocks are the pool's
  return absl::OkStatus();
}

/// Also lets the process listen where its metrics are shown.
void AllowMetricsPort(const std::string& metrics_listen, core::ConfinementPlan& plan) {
  const absl::StatusOr<core::Endpoint> metrics = core::Endpoint::Parse(metrics_listen);
  if (plan.bind_ports.has_value() && metrics.ok()) plan.bind_ports->push_back(metrics->port);
}

}  // namespace

absl::StatusOr<std::vector<core::Property>> ReadPropertiesFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kConfigBytesMax));
  absl::StatusOr<std::vector<core::Property>> properties = core::ParseProperties(text);
  if (!properties.ok()) return core::Annotate(properties.status(), path);
  return properties;
}

absl::StatusOr<BrokerSetup> PrepareBroker(const ServerOptions& options, bool standalone) {
  BrokerSetup setup;
  broker::BrokerConfig& config = setup.config;
  config.process_id = core::ProcessId();
  config.time_zone = absl::LocalTimeZone();
  if (const std::string name = core::HostName(); !name.empty()) config.broker_name = name;
  if (standalone) config.listen_address = kLoopback;
  if (const char* address = std::getenv("NAMESRV_ADDR"); address != nullptr && !standalone) config.namesrv_addr = address;
  RETURN_IF_ERROR(ApplySources(options, [&](const std::vector<core::Property>& properties, std::string_view source) {
    return broker::ApplyBrokerProperties(properties, source, config, setup.findings);
  }));
  if (options.namesrv_addr.has_value()) config.namesrv_addr = *options.namesrv_addr;
  if (options.data.has_value()) config.store_path_root_dir = *options.data;
  if (options.listen.has_value()) config.listen_address = *options.listen;
  if (options.listen_port.has_value()) config.listen_port = *options.listen_port;
  RETURN_IF_ERROR(broker::CheckBrokerConfig(config));
  RETURN_IF_ERROR(ChooseShards(options, setup));
  RETURN_IF_ERROR(ChooseMemory(options, setup));
  setup.runtime.reactor.spin_limit = setup.config.busy_poll;
  if (options.print_config || options.print_important_config) return setup;  // nobody is going to be asked
  ASSIGN_OR_RETURN(const std::vector<core::Endpoint> nameservers, ResolveNameServers(config));
  for (const core::Endpoint& nameserver : nameservers) config.namesrv_endpoints.push_back(nameserver.Text());
  config.advertised_host = GuessAdvertisedHost(config, nameservers);
  return setup;
}

absl::StatusOr<NameServerSetup> PrepareNameServer(const ServerOptions& options) {
  NameServerSetup setup;
  if (options.data.has_value()) setup.config.kv_config_path = core::StrCat(*options.data, "/namesrv/kvConfig.json");
  RETURN_IF_ERROR(ApplySources(options, [&](const std::vector<core::Property>& properties, std::string_view source) {
    return nameserver::ApplyNameServerProperties(properties, source, setup.config, setup.findings);
  }));
  if (options.listen.has_value()) setup.config.listen_address = *options.listen;
  if (options.namesrv_port.has_value()) setup.config.listen_port = *options.namesrv_port;
  RETURN_IF_ERROR(nameserver::CheckNameServerConfig(setup.config));
  setup.runtime.shards = 1;
  return setup;
}

nameserver::NameServerConfig NameServerBeside(const broker::BrokerConfig& broker, const ServerOptions& options) {
  nameserver::NameServerConfig config;
  config.listen_address = broker.listen_address;
  config.listen_port = options.namesrv_port.value_or(config.listen_port);
  config.kv_config_path = core::StrCat(broker.store_path_root_dir, "/namesrv/kvConfig.json");
  config.cluster_peers = broker.cluster_peers;
  return config;
}

core::ConfinementPlan PlanOf(const BrokerSetup& setup, std::optional<int32_t> nameserver_port) {
  const broker::BrokerConfig& config = setup.config;
  core::ConfinementPlan plan;
  plan.writable = {config.store_path_root_dir};
  plan.readable = broker::SplitAddresses(config.confinement_readable);
  // Port 0 is "any free one", which can't be known before the process is confined.
  if (config.listen_port > 0 && nameserver_port != 0) {
    plan.bind_ports = {static_cast<uint16_t>(config.listen_port)};
    if (config.listen_port > 2) plan.bind_ports->push_back(static_cast<uint16_t>(config.listen_port - 2));
    if (nameserver_port.has_value()) plan.bind_ports->push_back(static_cast<uint16_t>(*nameserver_port));
  }
  if (nameserver_port != 0) {
    plan.connect_ports.emplace();
    for (const std::string& address : config.namesrv_endpoints) {
      const absl::StatusOr<core::Endpoint> nameserver = core::Endpoint::Parse(address);
      if (nameserver.ok()) plan.connect_ports->push_back(nameserver->port);
    }
    if (nameserver_port.has_value()) plan.connect_ports->push_back(static_cast<uint16_t>(*nameserver_port));
  }
  AllowMetricsPort(config.metrics_listen, plan);
  return plan;
}

core::ConfinementPlan PlanOf(const nameserver::NameServerConfig& config) {
  core::ConfinementPlan plan;
  const size_t slash = config.kv_config_path.rfind('/');
  plan.writable = {slash == std::string::npos ? "." : slash == 0 ? "/" : config.kv_config_path.substr(0, slash)};
  plan.readable = broker::SplitAddresses(config.confinement_readable);
  if (config.listen_port > 0) plan.bind_ports = {static_cast<uint16_t>(config.listen_port)};
  plan.connect_ports.emplace();  // it calls nobody
  AllowMetricsPort(config.metrics_listen, plan);
  return plan;
}

absl::StatusOr<std::vector<core::Endpoint>> ResolveNameServers(const broker::BrokerConfig& config) {
  std::vector<core::Endpoint> nameservers;
  for (const std::string& address : broker::SplitAddresses(config.namesrv_addr)) {
    const absl::StatusOr<core::Endpoint> endpoint = core::ResolveBlocking(address);
    if (!endpoint.ok()) return core::Annotate(endpoint.status(), "namesrvAddr");
    nameservers.push_back(*endpoint);
  }
  return nameservers;
}

std::string GuessAdvertisedHost(const broker::BrokerConfig& config,
                                const std::vector<core::Endpoint>& nameservers) {
  if (!config.broker_ip1.empty()) return config.broker_ip1;
  const absl::StatusOr<core::Endpoint> listening = core::Endpoint::Parse(config.listen_address, 0);
  if (listening.ok() && !listening->IsAny()) return listening->HostText();
  for (const core::Endpoint& nameserver : nameservers) {
    const std::optional<core::Endpoint> source = core::SourceAddressFor(nameserver);
    // To a nameserver on this machine the way is loopback, which says nothing to clients on others.
    if (source.has_value() && !source->IsLoopback()) return source->HostText();
  }
  const std::optional<core::Endpoint> source = core::SourceAddressFor(*core::Endpoint::Parse(kSomewhereElse));
  return source.has_value() ? source->HostText() : kLoopback;
}

absl::StatusOr<std::optional<uint32_t>> ShardsOfFolder(const std::string& data) {
  const std::string path = core::StrCat(data, "/manifest");
  const absl::StatusOr<std::string> text = ReadFile(path, kConfigBytesMax);
  if (absl::IsNotFound(text.status())) return std::optional<uint32_t>();
  if (!text.ok()) return text.status();
  const absl::StatusOr<store::ManifestContent> manifest = store::ParseManifest(*text);
  if (!manifest.ok()) return core::Annotate(manifest.status(), path);
  return std::optional<uint32_t>(manifest->logs);
}

}  // namespace ringmq
