#include "broker/admin_node.h"

#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/broker_stats.h"
#include "broker/config.h"
#include "broker/gather.h"
#include "broker/kept_settings.h"
#include "broker/runtime_info.h"
#include "broker/schedule.h"
#include "broker/wire_status.h"
#include "core/properties.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {
namespace {

using net::ResponseCode;

void WriteWindow(net::JsonWriter& json, std::string_view name, const StatsWindow& window) {
  json.Key(name).BeginObject().Member("avgpt", window.average());
  json.Member("sum", static_cast<int64_t>(window.sum)).Member("tps", window.tps()).EndObject();
}

ShardRuntime RuntimeOf(BrokerShard& here) {
  const core::Reactor& reactor = core::Reactor::Current();
  return {.totals = here.stats().Totals(),
          .store = here.store().Stats(),
          .connections = here.connection_count(),
          .held_pulls = here.held_pulls().count(),
          .stalls = reactor.counters().stalls,
          .waiting = here.schedule().stats().waiting};
}

}  // namespace

AdminNodeHandlers::AdminNodeHandlers(BrokerShard& shard) : shard_(shard), boot_(core::Reactor::Current().wall_now()) {}

core::Task<net::Reply> AdminNodeHandlers::RuntimeInfo(net::RequestContext, net::GetBrokerRuntimeInfoRequest) {
  const std::vector<ShardRuntime> shards =
      co_await OnEveryShard(shard_.peers(), [](BrokerShard& there) { return RuntimeOf(there); });
  const RuntimeMoment moment{.now = core::Reactor::Current().wall_now(), .boot = boot_};
  net::JsonWriter json;
  json.BeginObject().Key("table").BeginObject();
  for (const auto& [key, value] : broker::RuntimeInfo(shards, moment)) json.Member(key, value);
  json.EndObject().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> AdminNodeHandlers::GetConfig(net::RequestContext, net::GetBrokerConfigRequest) {
  net::Reply reply;
  reply.Add("version", shard_.config_version().ToJson());
  reply.SetBody(BrokerConfigText(shard_.config(), /*important_only=*/false, core::Reader::kPeer));
  co_return reply;
}

core::Task<net::Reply> AdminNodeHandlers::UpdateConfig(net::RequestContext context, net::UpdateBrokerConfigRequest) {
  const absl::StatusOr<std::vector<core::Property>> properties = core::ParseProperties(context.frame.body.text());
  if (!properties.ok()) co_return ReplyFromStatus(properties.status());
  co_return ReplyFromStatus(co_await shard_.peers().On(
      core::ShardId(0),
      [](BrokerShard& there, std::vector<core::Property> changes) {
        return there.kept_settings().Change(std::move(changes));
      },
      *properties));
}

core::Task<net::Reply> AdminNodeHandlers::Stats(net::RequestContext, net::ViewBrokerStatsDataRequest request) {
  const std::string name(request.stats_name);
  const std::string key(request.stats_key);
  std::optional<StatsView> sum;
  if (!name.starts_with("BROKER_") || key == shard_.config().broker_cluster_name) {
    const std::vector<std::optional<StatsView>> views = co_await OnEveryShard(
        shard_.peers(), [](BrokerShard& there, std::string n, std::string k) { return there.stats().Find(n, k); }, name, key);
    for (const std::optional<StatsView>& view : views) {
      if (!view.has_value()) continue;
      if (!sum.has_value()) sum.emplace();
      *sum += *view;
    }
  }
  if (!sum.has_value()) {
    co_return net::Reply(ResponseCode::kSystemError, core::StrCat("The stats <", name, "> <", key, "> not exist"));
  }
  net::JsonWriter json;
  json.BeginObject();
  WriteWindow(json, "statsDay", sum->day);
  WriteWindow(json, "statsHour", sum->hour);
  WriteWindow(json, "statsMinute", sum->minute);
  json.EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

core::Task<net::Reply> AdminNodeHandlers::HaStatus(net::RequestContext, net::GetBrokerHaStatusRequest) {
  const std::vector<uint64_t> ends = co_await OnEveryShard(shard_.peers(), [](BrokerShard& there) { return there.store().Stats().log_end; });
  net::JsonWriter json;
  json.BeginObject().Member("master", true);
  json.Member("masterCommitLogMaxOffset", static_cast<int64_t>(std::accumulate(ends.begin(), ends.end(), uint64_t{0})));
  json.Member("inSyncSlaveNums", 0).Key("haConnectionInfo").BeginArray().EndArray().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

void RegisterAdminNodeHandlers(BrokerShard& shard) {
  auto& handlers = shard.Adopt(std::make_unique<AdminNodeHandlers>(shard));
  shard.On(handlers, &AdminNodeHandlers::RuntimeInfo);
  shard.On(handlers, &AdminNodeHandlers::GetConfig);
  shard.On(handlers, &AdminNodeHandlers::UpdateConfig);
  shard.On(handlers, &AdminNodeHandlers::Stats);
  shard.On(handlers, &AdminNodeHandlers::HaStatus);
}

}  // namespace broker
