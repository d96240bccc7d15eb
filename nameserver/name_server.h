#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/metric_registry.h"
#include "core/scope.h"
#include "core/task.h"
#include "nameserver/config.h"
#include "nameserver/kv_config.h"
#include "nameserver/route_table.h"
#include "net/requests/nameserver.h"
#include "net/router.h"
#include "net/server.h"
#include "net/shared_budgets.h"

namespace nameserver {

/// A nameserver: brokers register here, clients ask here which broker serves a topic. Independent of any other. Lives on the shard that
/// starts it; everything on it. Semantics: RocketMQ 5.3.3 DefaultRequestProcessor, ClientRequestProcessor, RouteInfoManager.
class NameServer {
 public:
  /// Reads the KV configuration and listens. kAlreadyExists: the port is in use.
  static core::Task<absl::StatusOr<std::unique_ptr<NameServer>>> Start(NameServerConfig config);
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  /// Closes every connection and waits for all that runs.
  core::Task<void> Stop();
  /// The address and real port.
  const core::Endpoint& listening_at() const { return server_.local(0); }
  const RoutingSnapshot& routes() const { return table_.snapshot(); }
  /// All that it counts, for Prometheus. On its shard.
  core::MetricSource ReadMetrics() const { return {"server=\"namesrv\",shard=\"0\"", metrics_.Collect()}; }
  /// The handlers alone, for the table of what is supported.
  const net::Router& router() const { return router_; }

 private:
  using Context = net::RequestContext;
  using ReplyTask = core::Task<net::Reply>;

  explicit NameServer(NameServerConfig config);
  void AddHandlers();
  core::Task<void> WatchSilence();
  void OnClose(net::Connection& connection);

  // Routes (route_handlers.cc).
  ReplyTask GetRouteInfo(Context context, net::GetRouteInfoRequest request);
  ReplyTask RegisterBroker(Context context, net::RegisterBrokerRequest request);
  ReplyTask UnregisterBroker(Context context, net::UnregisterBrokerRequest request);
  ReplyTask QueryDataVersion(Context context, net::QueryDataVersionRequest request);
  ReplyTask BrokerHeartbeat(Context context, net::BrokerHeartbeatRequest request);
  ReplyTask GetBrokerMemberGroup(Context context, net::GetBrokerMemberGroupRequest request);
  ReplyTask GetBrokerClusterInfo(Context context, net::GetBrokerClusterInfoRequest request);

  // Administration (admin_handlers.cc).
  ReplyTask GetAllTopicList(Context context, net::GetAllTopicListRequest request);
  ReplyTask GetTopicsByCluster(Context context, net::GetTopicsByClusterRequest request);
  ReplyTask GetSystemTopicList(Context context, net::GetSystemTopicListFromNsRequest request);
  ReplyTask GetUnitTopicList(Context context, net::GetUnitTopicListRequest request);
  ReplyTask GetHasUnitSubTopicList(Context context, net::GetHasUnitSubTopicListRequest request);
  ReplyTask GetHasUnitSubUnunitTopicList(Context context, net::GetHasUnitSubUnunitTopicListRequest request);
  ReplyTask DeleteTopic(Context context, net::DeleteTopicInNamesrvRequest request);
  ReplyTask RegisterTopic(Context context, net::RegisterTopicInNamesrvRequest request);
  ReplyTask WipeWritePerm(Context context, net::WipeWritePermRequest request);
  ReplyTask AddWritePerm(Context context, net::AddWritePermRequest request);
  ReplyTask PutKvConfig(Context context, net::PutKvConfigRequest request);
  ReplyTask GetKvConfig(Context context, net::GetKvConfigRequest request);
  ReplyTask DeleteKvConfig(Context context, net::DeleteKvConfigRequest request);
  ReplyTask GetKvList(Context context, net::GetKvListRequest request);
  ReplyTask UpdateConfig(Context context, net::UpdateNamesrvConfigRequest request);
  ReplyTask GetConfig(Context context, net::GetNamesrvConfigRequest request);

  NameServerConfig config_;
  RouteTable table_;
  KvConfig kv_;
  net::Router router_;
  net::SharedBudgets budgets_;
  core::MetricRegistry metrics_;
  net::Server server_;
  core::Scope scope_;
};

}  // namespace nameserver
