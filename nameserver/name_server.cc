#include "nameserver/name_server.h"

#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "net/header.h"
#include "net/request_table.h"

namespace nameserver {
namespace {

net::ServerLimits LimitsOf(const NameServerConfig& config) {
  net::ServerLimits limits;
  limits.idle_timeout = config.server_channel_max_idle;
  limits.connections_max = static_cast<size_t>(config.connections_max);
  limits.address_connections_max = static_cast<size_t>(config.connections_per_address_max);
  limits.accepts_per_second_max = static_cast<uint32_t>(config.accepts_per_second_max);
  limits.frame_deadline = config.frame_timeout;
  limits.output_stall_timeout = config.output_stall_timeout;
  return limits;
}

}  // namespace

NameServer::NameServer(NameServerConfig config)
    : config_(std::move(config)),
      kv_(config_.kv_config_path),
      budgets_(LimitsOf(config_)),
      server_(router_, LimitsOf(config_), budgets_, [this](net::Connection& connection) { OnClose(connection); }) {
  core::AddReactorMetrics(metrics_);
  budgets_.AddMetrics(metrics_);
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

// Until authentication is configured, administration is for who sits on the same machine.
template <typename Request>
void NameServer::On(ReplyTask (NameServer::*method)(Context, Request)) {
  const net::RequestInfo* info = net::FindRequest(static_cast<int32_t>(Request::kCode));
  CORE_ASSERT(info != nullptr);
  const bool admin = info->plane == net::RequestPlane::kAdmin;
  router_.Add(Request::kCode, [this, method, admin, name = info->name](Context context) -> ReplyTask {  // no coroutine
    if (admin && !context.connection.peer().IsLoopback()) {
      return net::Router::Answer(net::Reply(
          net::ResponseCode::kNoPermission,
          core::StrCat(name, " is administration, which this nameserver answers only from its own machine; you are ",
                       context.connection.peer_text())));
    }
    Request header;
    const net::HeaderError error = net::DecodeHeader(context.frame, header);
    if (!error.ok()) return net::Router::Answer(net::Reply(net::ResponseCode::kSystemError, error.Text()));
    return (this->*method)(context, header);
  });
}

void NameServer::AddHandlers() {
  On(&NameServer::GetRouteInfo);
  On(&NameServer::RegisterBroker);
  On(&NameServer::UnregisterBroker);
  On(&NameServer::QueryDataVersion);
  On(&NameServer::BrokerHeartbeat);
  On(&NameServer::GetBrokerMemberGroup);
  On(&NameServer::GetBrokerClusterInfo);
  On(&NameServer::GetAllTopicList);
  On(&NameServer::GetTopicsByCluster);
  On(&NameServer::GetSystemTopicList);
  On(&NameServer::GetUnitTopicList);
  On(&NameServer::GetHasUnitSubTopicList);
  On(&NameServer::GetHasUnitSubUnunitTopicList);
  On(&NameServer::DeleteTopic);
  On(&NameServer::RegisterTopic);
  On(&NameServer::WipeWritePerm);
  On(&NameServer::AddWritePerm);
  On(&NameServer::PutKvConfig);
  On(&NameServer::GetKvConfig);
  On(&NameServer::DeleteKvConfig);
  On(&NameServer::GetKvList);
  On(&NameServer::UpdateConfig);
  On(&NameServer::GetConfig);
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
