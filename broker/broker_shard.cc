#include "broker/broker_shard.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "broker/access/access_control.h"
#include "broker/broker_stats.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/kept_settings.h"
#include "broker/lmq.h"
#include "broker/multi_dispatch.h"
#include "broker/offset_table.h"
#include "broker/order_locks.h"
#include "broker/pop/pops.h"
#include "broker/pop/waits.h"
#include "broker/producer_groups.h"
#include "broker/schedule.h"
#include "broker/send_check.h"
#include "broker/server_limits.h"
#include "broker/shard_metrics.h"
#include "broker/system_topics.h"
#include "broker/transaction_check.h"
#include "broker/transactions.h"
#include "core/assert.h"
#include "core/file.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "store/half_record.h"
#include "store/record.h"

namespace broker {
namespace {

/// Each shard has a queue of it, so that what a shard's queues give back stays there. Source: RocketMQ 5.3.3 PopReviveService.addRetryTopicIfNotExist, which makes one queue.
core::Task<absl::Status> MakePopRetryTopic(BrokerShard& shard, std::string topic) {
  TopicConfig config;
  config.name = std::move(topic);
  config.read_queues = static_cast<int32_t>(shard.placement().shards());
  config.write_queues = config.read_queues;
  const int32_t queues = config.read_queues;
  absl::StatusOr<TopicConfig> found = co_await FindOrMakeTopic(shard, std::move(config));
  if (!found.ok()) co_return found.status();
  if (found->read_queues >= queues) co_return absl::OkStatus();
  // One that has come with RocketMQ's store.
  found->read_queues = queues;
  found->write_queues = std::max(found->write_queues, queues);
  std::vector<TopicConfig> wider = {*std::move(found)};
  co_return co_await shard.catalog_writer().PutTopics(std::move(wider));
}

/// Of a configuration that CheckBrokerConfig has found good.
net::AccessPolicy PolicyOf(const BrokerConfig& config, net::UserGuard* guard) {
  const absl::StatusOr<net::PeerList> peers = net::PeerList::Parse(config.cluster_peers);
  CORE_ASSERT(peers.ok());
  return net::AccessPolicy("broker", *peers, "clusterPeers", guard);
}

BrokerStatsOptions StatsOptionsOf(const BrokerConfig& config, const CatalogWriter& catalog) {
  return {.is_system = [&catalog](std::string_view topic) { return IsSystemTopicOf(catalog.options(), topic); },
          .lmqs_together = config.enable_lmq && !config.enable_lmq_stats,
          .time_zone = config.time_zone};
}

/// The metadata are made before the log: where messages are and they are not, somebody has lost them. Without them topics, offsets that were given out
/// and what was deleted would be forgotten without a word.
core::Task<absl::Status> RefuseLogWithoutMetadata(std::string log, std::string metadata) {
  const absl::Status there = (co_await core::fs::Stat(metadata)).status();
  if (!absl::IsNotFound(there)) co_return there;
  const absl::StatusOr<std::vector<core::DirectoryEntry>> files = co_await core::fs::List(log);
  if (absl::IsNotFound(files.status())) co_return absl::OkStatus();
  CO_RETURN_IF_ERROR(files.status());
  for (const core::DirectoryEntry& file : *files) {
    if (!file.name.ends_with(".log")) continue;
    co_return absl::DataLossError(core::StrCat(metadata, " is gone, but ", log, " holds messages: put it back, or begin with an empty data folder"));
  }
  co_return absl::OkStatus();
}

/// Commits what consumers have confirmed, now and then, until the shard stops.
core::Task<void> FlushOffsetsForever(OffsetTable& offsets, absl::Duration interval, core::StopToken stop) {
  bool failed = false;
  while (co_await core::Sleep(interval, stop) != core::WaitResult::kStopped) {
    const absl::Status status = co_await offsets.Flush();
    if (!status.ok() && !failed) {
      core::LogError("consumer offsets are no longer made durable: ", core::ToStd(status.message()));
    }
    failed = !status.ok();
  }
}

}  // namespace

BrokerShard::BrokerShard(core::ShardId id, const BrokerConfig& config, Placement placement,
                         const core::Sharded<BrokerShard>& peers, const CatalogView& catalog_view,
                         CatalogWriter& catalog_writer)
    : id_(id),
      config_(config),
      placement_(placement),
      peers_(peers),
      catalog_view_(catalog_view),
      catalog_writer_(catalog_writer),
      producer_groups_(std::make_unique<ProducerGroups>()),
      order_locks_(std::make_unique<OrderLocks>()),
      lmq_queues_(std::make_unique<LmqQueues>(config.max_lmq_consume_queue_num, placement.shards())),
      stats_(std::make_unique<BrokerStats>(core::Reactor::Current().now(), StatsOptionsOf(config, catalog_writer))),
      kept_settings_(std::make_unique<KeptSettings>(*this)),
      access_control_(AccessControl::Make(config, catalog_view)),
      held_pulls_(HeldPullsMax(config)),
      pull_reads_(PullReadBytesMax(config), static_cast<size_t>(config.max_message_size)),
      net_budgets_(ServerLimitsOf(config, placement.shards())),
      router_(PolicyOf(config, access_control_.get())),
      vip_router_(PolicyOf(config, access_control_.get())) {
  const auto message_bytes_max = [this] { return static_cast<size_t>(config_.max_message_size); };
  router_.LimitMessages(message_bytes_max);
  vip_router_.LimitMessages(message_bytes_max);
  memory_.limit = BusyBufferBytes(config);
  connection_held_pulls_.limit = static_cast<size_t>(config.held_pulls_per_connection_max);
  AddShardMetrics(*this);
  if (!config.broker_ip1.empty()) {
    const absl::StatusOr<core::Endpoint> advertised = core::Endpoint::Parse(config.broker_ip1, 0);
    if (advertised.ok()) advertised_ = std::make_unique<core::Endpoint>(*advertised);
  }
}

BrokerShard::~BrokerShard() = default;

core::Task<absl::Status> BrokerShard::OpenStore(const store::ManifestContent& folder) {
  const std::string log = core::StrCat(id_.value());
  const std::string log_directory = core::StrCat(config_.store_path_root_dir, "/log-", log);
  std::string meta_directory = core::StrCat(config_.store_path_root_dir, "/meta-", log);
  CO_RETURN_IF_ERROR(co_await RefuseLogWithoutMetadata(log_directory, core::StrCat(meta_directory, "/meta.log")));
  CO_ASSIGN_OR_RETURN(meta_, co_await store::MetaStore::Open(std::move(meta_directory)));

  store::StoreOptions options;
  options.directory = log_directory;
  options.log_number = id_.value();
  options.store_id = folder.store_id;
  options.segment_bytes = folder.segment_bytes;
  options.durability =
      config_.flush_disk_type == FlushDiskType::kSyncFlush ? store::Durability::kSynced : store::Durability::kAsync;
  options.append_buffer_bytes = config_.append_buffer_bytes;
  options.read_cache_bytes = config_.read_cache_bytes;
  CO_ASSIGN_OR_RETURN(options.delete_when_hours, DeleteWhenHours(config_.delete_when));
  options.reserved_time = config_.file_reserved_time;
  options.disk_used_ratio_max = config_.disk_max_used_space_ratio / 100.0;
  options.time_zone = config_.time_zone;
  options.delete_forcibly = config_.clean_file_forcibly_enable;
  options.disk_used_ratio_forcible = config_.disk_space_clean_forcibly_ratio / 100.0;
  options.keepers = 2;  // schedule_, transactions_
  options.key_index = config_.message_index_enable;
  options.key_table_entries = KeyTableEntries(config_);
  options.disk_used_ratio_refuse = config_.disk_space_warning_level_ratio / 100.0;
  CO_ASSIGN_OR_RETURN(store_, co_await store::ShardStore::Open(std::move(options), *meta_));

  if (config_.enable_lmq) lmq_queues_->Load(store_->Topics());
  offsets_ = std::make_unique<OffsetTable>(*meta_);
  const size_t cut = offsets_->CutAtEnds([this](const core::QueueKey& queue) { return store_->MaxOffset(queue); });
  if (cut > 0) {
    core::LogWarning("log ", log, ": ", cut, " consumer offsets pointed beyond the messages that are left and now end with them");
    CO_RETURN_IF_ERROR(co_await offsets_->Flush());
  }
  ScheduleOptions schedule;
  schedule.index.directory = log_directory;
  schedule.index.log = {folder.store_id, id_.value()};
  schedule.index.queue_id = placement_.QueueOn(id_, store::kDueTopic);
  schedule.topic_exists = [this](std::string_view topic) { return catalog().FindTopic(topic) != nullptr; };
  schedule.on_delivered = [this](const store::MessageDraft& draft) {
    stats_->OnDelivered(draft.topic, draft.queue_id, store::RecordBytes(draft));
  };
  if (DispatchesAny(config_)) schedule.dispatch = [this](std::string_view names, store::MessageDraft* draft, DispatchState* state, std::string* more) {
    return Dispatch(names, draft, state, more);
  };
  CO_ASSIGN_OR_RETURN(schedule_, co_await Schedule::Open(std::move(schedule), *meta_, *store_));
  CO_RETURN_IF_ERROR(co_await OpenTransactions(folder));
  CO_RETURN_IF_ERROR(co_await OpenPops());
  scope_.Spawn(FlushOffsetsForever(*offsets_, config_.flush_consumer_offset_interval, scope_.stop_token()));
  co_return absl::OkStatus();
}

core::Task<absl::Status> BrokerShard::OpenTransactions(const store::ManifestContent& folder) {
  TransactionsOptions options;
  Transactions::MakeHalfIndex(options.index);
  options.index.directory = core::StrCat(config_.store_path_root_dir, "/half-", id_.value());
  options.index.log = {folder.store_id, id_.value()};
  options.index.queue_id = placement_.QueueOn(id_, store::kHalfTopic);
  options.end_queue = placement_.QueueOn(id_, store::kHalfEndTopic);
  options.aside_queue = placement_.QueueOn(id_, kPutAsideTopic);
  options.topic_exists = [this](std::string_view topic) { return catalog().FindTopic(topic) != nullptr; };
  options.on_stored = [this](const store::MessageDraft& draft) {
    stats_->OnDelivered(draft.topic, draft.queue_id, store::RecordBytes(draft));
  };
  if (DispatchesAny(config_)) options.dispatch = [this](std::string_view names, store::MessageDraft* draft, DispatchState* state, std::string* more) {
    return Dispatch(names, draft, state, more);
  };
  options.ask = [this](const TransactionCheck* check) { return AskProducer(*this, check); };
  options.refuse = [this](const EndOfTransaction& end, std::string_view topic) -> std::optional<SendRefusal> {
    const std::optional<net::Reply> refusal = RefuseTopic(net::RequestCode::kEndTransaction, end.user, end.peer, topic);
    if (!refusal.has_value()) return std::nullopt;
    return SendRefusal{refusal->code(), std::string(refusal->remark())};
  };
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(options.index.directory));
  CO_ASSIGN_OR_RETURN(transactions_, co_await Transactions::Open(std::move(options), config_, *meta_, *store_, *schedule_));
  co_return absl::OkStatus();
}

core::Task<absl::Status> BrokerShard::OpenPops() {
  PopsOptions options;
  options.messages_max = PopMessagesMax(config_);
  options.copies.topic_exists = [this](std::string_view topic) { return catalog().FindTopic(topic) != nullptr; };
  options.copies.retry_queue = [this](std::string_view topic) { return placement_.QueueOn(id_, topic); };
  options.copies.retry_topic_is_ready = [this](std::string_view topic) {
    const TopicConfig* const found = catalog().FindTopic(topic);
    return found != nullptr && found->read_queues >= static_cast<int32_t>(placement_.shards());
  };
  options.copies.make_retry_topic = [this](std::string topic) { return MakePopRetryTopic(*this, std::move(topic)); };
  options.copies.on_stored = [this](const store::MessageDraft& draft) {
    stats_->OnDelivered(draft.topic, draft.queue_id, store::RecordBytes(draft));
  };
  pops_ = std::make_unique<Pops>(std::move(options), *meta_, *store_, *offsets_, pull_reads_);
  CO_RETURN_IF_ERROR(co_await pops_->CutAtEnds());
  pop_waits_ = std::make_unique<PopWaits>(
      *store_, [this](std::string_view group, const core::QueueKey& queue) { return pops_->Position(group, queue.topic, queue.queue_id, false); },
      [this](const std::string* group, const core::QueueKey* queue, core::StopToken stop) { return pops_->WaitUnblocked(group, queue, stop); });
  co_return absl::OkStatus();
}

core::Task<absl::Status> BrokerShard::Listen(core::Endpoint main, std::optional<core::Endpoint> vip) {
  const net::ServerLimits limits = ServerLimitsOf(config_, placement_.shards());
  const net::CloseListener on_close = [this](net::Connection& connection) {
    for (const net::CloseListener& listener : close_listeners_) listener(connection);
  };
  server_ = std::make_unique<net::Server>(router_, limits, net_budgets_, on_close);
  CO_RETURN_IF_ERROR(co_await server_->ListenWhenFree(main));
  if (!vip.has_value()) co_return absl::OkStatus();
  vip_server_ = std::make_unique<net::Server>(vip_router_, limits, net_budgets_, on_close);
  co_return co_await vip_server_->ListenWhenFree(*vip);
}

const core::Endpoint& BrokerShard::listening_at() const { return server_->local(0); }

std::optional<net::Reply> BrokerShard::RefuseTopic(net::RequestCode code, std::string_view user, const core::Endpoint& peer,
                                                   std::string_view topic) {
  if (access_control_ == nullptr || !access_control_->has_rights()) return std::nullopt;
  return access_control_->RefuseTopic(*net::FindRequest(static_cast<int32_t>(code)), peer, user, topic, {});
}

uint64_t BrokerShard::access_version() const {
  const AccessTables* const access = catalog().access();
  return access == nullptr ? 0 : access->version();
}

net::Connection* BrokerShard::FindConnection(net::Connection::Id id) {
  net::Connection* found = server_ == nullptr ? nullptr : server_->Find(id);
  if (found == nullptr && vip_server_ != nullptr) found = vip_server_->Find(id);
  return found;
}

size_t BrokerShard::connection_count() const {
  return (server_ == nullptr ? 0 : server_->connection_count()) +
         (vip_server_ == nullptr ? 0 : vip_server_->connection_count());
}

bool BrokerShard::MemoryTight() {
  memory_.used = core::Reactor::Current().buffers().bytes_out();
  return memory_.full();
}

bool BrokerShard::RefuseForMemory() {
  if (!MemoryTight()) return false;
  ++memory_.hits;
  return true;
}

core::Endpoint BrokerShard::StoreHostFor(const net::Connection& connection) const {
  core::Endpoint host = advertised_ != nullptr ? *advertised_ : connection.local();
  host.port = listening_at().port;  // also for who came by the VIP port
  return host;
}

core::Task<void> BrokerShard::StopServing() {
  if (server_ != nullptr) co_await server_->Stop();
  if (vip_server_ != nullptr) co_await vip_server_->Stop();
  scope_.RequestStop();
  co_await scope_.Join();
}

core::Task<absl::Status> BrokerShard::Dispatch(std::string_view names, store::MessageDraft* draft, DispatchState* state, std::string* more) {
  if (!Dispatches(config_, draft->topic)) co_return absl::OkStatus();
  co_return co_await DispatchToLmqs(*this, names, std::nullopt, DispatchFor::kDelivery, draft, state, more);
}

core::Task<absl::Status> BrokerShard::StopDelivery() {
  if (pop_waits_ != nullptr) co_await pop_waits_->Stop();
  if (pops_ != nullptr) co_await pops_->Stop();
  absl::Status status = transactions_ == nullptr ? absl::OkStatus() : co_await transactions_->Stop();
  if (schedule_ != nullptr) {
    const absl::Status stopped = co_await schedule_->Stop();
    status.Update(stopped);
  }
  co_return status;
}

core::Task<absl::Status> BrokerShard::CloseStore() {
  absl::Status status;
  if (offsets_ != nullptr) {
    const absl::Status flushed = co_await offsets_->Flush();
    status.Update(flushed);
  }
  if (store_ != nullptr) {
    const absl::Status closed = co_await store_->Close();
    status.Update(closed);
  }
  if (meta_ != nullptr) {
    const absl::Status closed = co_await meta_->Close();
    status.Update(closed);
  }
  co_return status;
}

}  // namespace broker
