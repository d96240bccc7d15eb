#include "nameserver/name_server.h"

#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "net/request_metrics.h"

namespace nameserver {
namespace {

/// Of a configuration that CheckNameServerConfig has found good.
net::PeerList PeersOf(const NameServerConfig& config) {
  const absl::StatusOr<net::PeerList> peers = net::PeerList::Parse(config.cluster_peers);
  CORE_ASSERT(peers.ok());
  return *peers;
}

}  // namespace

NameServer::NameServer(NameServerConfig config)
    : config_(std::move(config)),
      kv_(config_.kv_config_path),
      router_(net::AccessPolicy("nameserver", PeersOf(config_), "clusterPeers")),
      budgets_(net::LimitsOf(config_, 1)),
      server_(router_, net::LimitsOf(config_, 1), budgets_, [this](net::Connection& connection) { OnClose(connection); }) {
  core::AddReactorMetrics(metrics_);
  budgets_.AddMetrics(metrics_);
  net::AddRequestMetrics(metrics_, {&router_});
  AddHandlers();
}

NameServer::~NameServer() = default;

core::Task<absl::StatusOr<std::unique_ptr<NameServer>>> NameServer::Start(NameServerConfig config) {
  CO_RETURN_IF_ERROR(CheckNameServerConfig(config));
  std::unique_ptr<NameServer> server(new NameServer(std::move(config)));
  CO_RETURN_IF_ERROR(co_await server->kv_.Load());
  const auto port = static_cast<uint16_t>(server->config_.listen_port);
  CO_ASSIGN_OR_RETURN(const core::Endpoint at, core::Endpoint::Parse(server->config_.listen_address, port));
  CO_RETURN_IF_ERROR(co_await server->server_.ListenWhenFree(at));
  server->scope_.Spawn(server->WatchSilence());
  co_return std::move(server);
}

core::Task<void> NameServer::Stop() {
  scope_.RequestStop();
  co_await server_.Stop();
  co_await scope_.Join();
}

void NameServer::AddHandlers() {
  router_.On(*this, &NameServer::GetRouteInfo);
  router_.On(*this, &NameServer::RegisterBroker);
  router_.On(*this, &NameServer::UnregisterBroker);
  router_.On(*this, &NameServer::QueryDataVersion);
  router_.On(*this, &NameServer::BrokerHeartbeat);
  router_.On(*this, &NameServer::GetBrokerMemberGroup);
  router_.On(*this, &NameServer::GetBrokerClusterInfo);
  router_.On(*this, &NameServer::GetAllTopicList);
  router_.On(*this, &NameServer::GetTopicsByCluster);
  router_.On(*this, &NameServer::GetSystemTopicList);
  router_.On(*this, &NameServer::GetUnitTopicList);
  router_.On(*this, &NameServer::GetHasUnitSubTopicList);
  router_.On(*this, &NameServer::GetHasUnitSubUnunitTopicList);
  router_.On(*this, &NameServer::DeleteTopic);
  router_.On(*this, &NameServer::RegisterTopic);
  router_.On(*this, &NameServer::WipeWritePerm);
  router_.On(*this, &NameServer::AddWritePerm);
  router_.On(*this, &NameServer::PutKvConfig);
  router_.On(*this, &NameServer::GetKvConfig);
  router_.On(*this, &NameServer::DeleteKvConfig);
  router_.On(*this, &NameServer::GetKvList);
  router_.On(*this, &NameServer::UpdateConfig);
  router_.On(*this, &NameServer::GetConfig);
}

core::Task<void> NameServer::WatchSilence() {
  const core::StopToken stop = scope_.stop_token();
  while (!stop.stop_requested()) {
    co_await core::Sleep(config_.scan_not_active_broker_interval, stop);
    if (stop.stop_requested()) break;
    for (const auto& [address, connection] : table_.RemoveSilent(core::Reactor::Current().now())) {
      core::LogWarning("nameserver: the broker at ", address, " is gone: no heartbeat in time");
      if (net::Connection* open = server_.Find(connection); open != nullptr) open->Close("no heartbeat in time");
    }
  }
}

void NameServer::OnClose(net::Connection& connection) {
  for (const std::string& address : table_.ConnectionClosed(connection.id())) {
    core::LogWarning("nameserver: the broker at ", address, " is gone: its connection has closed");
  }
}

}  // namespace nameserver
