#include "broker/broker.h"

#include <optional>
#include <utility>

#include "broker/access/change_access.h"
#include "broker/gather.h"
#include "broker/kept_settings.h"
#include "broker/pop/pops.h"
#include "broker/register_handlers.h"
#include "broker/schedule.h"
#include "broker/topic_removal.h"
#include "broker/transactions.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

CatalogOptions CatalogOptionsOf(const BrokerConfig& config, uint32_t shards) {
  CatalogOptions options;
  options.logs = static_cast<int32_t>(shards);
  options.cluster_name = config.broker_cluster_name;
  options.broker_name = config.broker_name;
  options.lmq = config.enable_lmq;
  options.auto_create_topic = config.auto_create_topic_enable;
  options.auto_create_group = config.auto_create_subscription_group;
  options.default_topic_queues = config.default_topic_queue_nums;
  options.cluster_topic_enable = config.cluster_topic_enable;
  options.broker_topic_enable = config.broker_topic_enable;
  options.limits = {.topics = config.topics_max,
                    .groups = config.subscription_groups_max,
                    .queues = config.queues_max,
                    .automatic_topics_per_minute = config.auto_create_topics_per_minute};
  options.trace_topic_enable = config.trace_topic_enable;
  options.trace_topic = config.msg_trace_topic_name;
  return options;
}

}  // namespace

Broker::Broker(BrokerConfig config, uint32_t shards)
    : config_(std::move(config)),
      placement_(shards),
      views_(shards),
      catalog_writer_(CatalogOptionsOf(config_, shards), views_),
      shards_(shards) {}

Broker::~Broker() { CORE_ASSERT(stopped_ || core::Reactor::Current().abandoned()); }

core::Task<absl::StatusOr<std::unique_ptr<Broker>>> Broker::Start(BrokerConfig config) {
  const auto shards = static_cast<uint32_t>(core::Reactor::Current().shard_count());
  std::unique_ptr<Broker> broker(new Broker(std::move(config), shards));
  absl::Status status = co_await broker->OpenEverything();
  if (status.ok()) status = co_await broker->ListenEverywhere();
  if (status.ok()) status = co_await broker->RegisterWithNameServers();
  if (status.ok()) co_return broker;
  const absl::Status stopped = co_await broker->Stop();
  static_cast<void>(stopped);  // the start failed first, and that is what the person at the keyboard needs to know
  co_return status;
}

core::Task<absl::Status> Broker::OnEveryShard(Step step) {
  std::vector<absl::Status> results(shards_.size());
  core::Scope scope;
  for (uint32_t i = 0; i < shards_.size(); ++i) scope.Spawn(RunStep(*this, core::ShardId(i), step, results[i]));
  co_await scope.Join();
  for (const absl::Status& result : results) {
    if (!result.ok()) co_return result;
  }
  co_return absl::OkStatus();
}

core::Task<void> Broker::RunStep(Broker& broker, core::ShardId shard, Step step, absl::Status& result) {
  result = co_await core::InvokeOn(
      shard, [](Broker* self, core::ShardId id, Step what) { return what(*self, id); }, &broker, shard, step);
}

core::Task<absl::Status> Broker::OpenEverything() {
  CO_RETURN_IF_ERROR(co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    broker.views_.Set(id, std::make_unique<CatalogView>());
    broker.shards_.Set(id, std::make_unique<BrokerShard>(id, broker.config_, broker.placement_, broker.shards_,
                                                         *broker.views_.at(id), broker.catalog_writer_));
    co_return absl::OkStatus();
  }));
  store::Manifest::Options folder;
  folder.directory = config_.store_path_root_dir;
  folder.logs = placement_.shards();
  folder.segment_bytes = static_cast<uint64_t>(config_.segment_bytes);
  folder.process = config_.process_id;
  CO_ASSIGN_OR_RETURN(manifest_, co_await store::Manifest::Open(std::move(folder)));
  folder_open_ = true;
  CO_RETURN_IF_ERROR(co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    co_return co_await broker.shards_.at(id)->OpenStore(broker.manifest_.content());
  }));
  CO_RETURN_IF_ERROR(co_await catalog_writer_.Start(shards_.local().meta()));
  CO_RETURN_IF_ERROR(co_await catalog_writer_.ChangeAccess(MakeConfiguredUsers(config_)));
  CO_RETURN_IF_ERROR(co_await FinishTopicRemovals(shards_.local()));
  CO_RETURN_IF_ERROR(co_await shards_.local().kept_settings().Restore());
  co_return co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    RegisterHandlers(*broker.shards_.at(id));
    broker.shards_.at(id)->schedule().Start();
    broker.shards_.at(id)->transactions().Start();
    broker.shards_.at(id)->pops().Start();
    co_return absl::OkStatus();
  });
}

core::Task<absl::Status> Broker::ListenEverywhere() {
  // Shard 0 goes first: it finds the port that the others share where any will do, and reports a taken one once.
  CO_ASSIGN_OR_RETURN(listening_at_,
                      core::Endpoint::Parse(config_.listen_address, static_cast<uint16_t>(config_.listen_port)));
  CO_RETURN_IF_ERROR(co_await ListenOn(core::ShardId(0)));
  listening_at_.port = shards_.local().listening_at().port;
  co_return co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    if (id == core::ShardId(0)) co_return absl::OkStatus();
    co_return co_await broker.ListenOn(id);
  });
}

core::Task<absl::Status> Broker::ListenOn(core::ShardId id) {
  constexpr uint16_t kVipDistance = 2;
  std::optional<core::Endpoint> vip;
  if (config_.listen_port > kVipDistance) {
    vip = listening_at_;
    vip->port = static_cast<uint16_t>(vip->port - kVipDistance);
  }
  return shards_.at(id)->Listen(listening_at_, vip);
}

core::Task<absl::Status> Broker::RegisterWithNameServers() {
  RegistrationOptions options;
  options.cluster_name = config_.broker_cluster_name;
  options.broker_name = config_.broker_name;
  options.broker_id = config_.broker_id;
  options.broker_permission = config_.broker_permission;
  options.port = listening_at_.port;
  options.period = config_.register_name_server_period;
  const auto add_target = [&](const std::string& address, const std::string& advertised_host) -> absl::Status {
    NameServerTarget target;
    ASSIGN_OR_RETURN(target.at, core::Endpoint::Parse(address));
    target.advertised_host = config_.broker_ip1.empty() ? advertised_host : config_.broker_ip1;
    options.targets.push_back(std::move(target));
    return absl::OkStatus();
  };
  if (!config_.nameserver_beside.empty()) CO_RETURN_IF_ERROR(add_target(config_.nameserver_beside, kWhereverDialled));
  for (const std::string& address : config_.namesrv_endpoints) {
    CO_RETURN_IF_ERROR(add_target(address, config_.advertised_host));
  }
  if (options.targets.empty()) co_return absl::OkStatus();
  registration_ = std::make_unique<NameServerRegistration>(std::move(options), views_.local());
  NameServerRegistration* const registration = registration_.get();
  catalog_writer_.SetAnnouncer(
      [registration](std::vector<std::shared_ptr<const TopicConfig>> changed, DataVersion version) {
        return registration->Announce(std::move(changed), version);
      });
  co_await registration_->Start();
  co_return absl::OkStatus();
}

core::Task<std::vector<core::MetricSource>> Broker::ReadMetrics() const {
  std::vector<std::vector<core::MetricSample>> shards = co_await broker::OnEveryShard(
      shards_, [](BrokerShard& there) { return there.metrics().Collect(); });
  std::vector<core::MetricSource> sources;
  for (std::vector<core::MetricSample>& samples : shards) {
    sources.push_back({core::StrCat("server=\"broker\",shard=\"", sources.size(), "\""), std::move(samples)});
  }
  co_return sources;
}

core::Task<absl::Status> Broker::Stop() {
  stopped_ = true;
  if (registration_ != nullptr) co_await registration_->Stop();
  // Clients first, everywhere: until the last one is gone, shards still call each other.
  absl::Status status = co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    if (BrokerShard* shard = broker.shards_.at(id); shard != nullptr) co_await shard->StopServing();
    co_return absl::OkStatus();
  });
  co_await catalog_writer_.Stop();
  const absl::Status ended = co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    BrokerShard* const shard = broker.shards_.at(id);
    if (shard == nullptr) co_return absl::OkStatus();
    co_return co_await shard->StopDelivery();
  });
  status.Update(ended);
  const absl::Status closed = co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    absl::Status result;
    if (BrokerShard* shard = broker.shards_.at(id); shard != nullptr) result = co_await shard->CloseStore();
    co_return result;
  });
  status.Update(closed);
  const absl::Status freed = co_await OnEveryShard([](Broker& broker, core::ShardId id) -> core::Task<absl::Status> {
    broker.shards_.Set(id, nullptr);
    broker.views_.Set(id, nullptr);
    co_return absl::OkStatus();
  });
  status.Update(freed);
  if (folder_open_) {
    const absl::Status released = co_await manifest_.Close();
    status.Update(released);
  }
  co_return status;
}

}  // namespace broker
