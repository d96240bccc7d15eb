#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/dispatch_state.h"
#include "broker/held_pulls.h"
#include "broker/placement.h"
#include "broker/pull_reads.h"
#include "core/budget.h"
#include "core/io.h"
#include "core/metric_registry.h"
#include "core/scope.h"
#include "core/sharded.h"
#include "core/task.h"
#include "core/types.h"
#include "net/request_metrics.h"
#include "net/router.h"
#include "net/server.h"
#include "net/shared_budgets.h"
#include "store/manifest.h"
#include "store/meta_store.h"
#include "store/shard_store.h"

namespace broker {

class AccessControl;    // broker/access/access_control.h
class CatalogWriter;    // broker/catalog_writer.h
class OffsetTable;      // broker/offset_table.h
class BrokerStats;      // broker/broker_stats.h: what this shard has counted
class ConsumerGroups;   // broker/consumer_groups.h: the groups this shard owns
class ProducerGroups;   // broker/producer_groups.h
class Schedule;         // broker/schedule.h: messages for later of the queues this shard owns
class Transactions;     // broker/transactions.h: of the queues this shard owns
class Pops;             // broker/pop/pops.h: of the queues this shard owns
class PopWaits;         // broker/pop/waits.h: for these
class LmqQueues;        // broker/lmq.h: of which this shard has messages
class OrderLocks;       // broker/order_locks.h: of the queues this shard owns
class KeptSettings;     // broker/kept_settings.h

/// What one shard of a broker has in its hands: its log, its offsets, its router and servers, and the way to its peers. Each capability is a
/// class of its own in its own file; it adds its handlers with a function
///
///   void RegisterSendHandlers(BrokerShard& shard) {
///     auto& send = shard.Adopt(std::make_unique<SendHandlers>(shard));
///     shard.On(send, &SendHandlers::Send);
///   }
///
/// which broker.cc calls once on every shard before the servers listen. All members belong to the shard, except that peers(),
/// config() and placement() are read-only and the same everywhere.
class BrokerShard {
 public:
  /// All references outlive the shard.
  BrokerShard(core::ShardId id, const BrokerConfig& config, Placement placement, const core::Sharded<BrokerShard>& peers,
              const CatalogView& catalog_view, CatalogWriter& catalog_writer);
  ~BrokerShard();
  BrokerShard(const BrokerShard&) = delete;
  BrokerShard& operator=(const BrokerShard&) = delete;

  core::ShardId id() const { return id_; }
  const BrokerConfig& config() const { return config_; }
  /// This shard's own copy of the settings, for those that may change while it runs (admin_node.cc has the list): all of them are numbers, so that
  /// no text which somebody looks at moves.
  BrokerConfig& live_config() { return config_; }
  /// Who changes them, on shard 0.
  KeptSettings& kept_settings() { return *kept_settings_; }
  /// How often the settings have been changed while running.
  DataVersion& config_version() { return config_version_; }
  const Placement& placement() const { return placement_; }
  /// Every shard's BrokerShard: `peers().On(shard, [](BrokerShard& there, ...) {...}, ...)`.
  const core::Sharded<BrokerShard>& peers() const { return peers_; }
  store::ShardStore& store() { return *store_; }
  store::MetaStore& meta() { return *meta_; }
  OffsetTable& offsets() { return *offsets_; }
  /// Adds the handler to both ports, behind the access policy (net/access.h).
  template <typename Service, typename Request>
  void On(Service& service, core::Task<net::Reply> (Service::*method)(net::RequestContext, Request)) {
    router_.On(service, method);
    vip_router_.On(service, method);
  }
  /// Asks `direct` first on both ports (net/router.h).
  void AddDirect(net::RequestCode code, net::DirectHandler& direct) {
    router_.AddDirect(code, direct);
    vip_router_.AddDirect(code, direct);
  }
  /// Adds the handler to the main port alone: pulls. Source: RocketMQ 5.3.3, BrokerController.registerProcessor.
  template <typename Service, typename Request>
  void OnMainPort(Service& service, core::Task<net::Reply> (Service::*method)(net::RequestContext, Request)) {
    router_.On(service, method);
  }

  /// What the main port answers.
  const net::Router& router() const { return router_; }

  /// The topics and groups as this shard knows them now. The reference is good until the next suspension: look up again after it, or
  /// hold catalog_view().Share().
  const Catalog& catalog() const { return *catalog_view_; }
  const CatalogView& catalog_view() const { return catalog_view_; }
  /// Where topics and groups are made and changed; callable on every shard.
  CatalogWriter& catalog_writer() { return catalog_writer_; }

  ConsumerGroups& consumer_groups() { return *consumer_groups_; }
  ProducerGroups& producer_groups() { return *producer_groups_; }
  OrderLocks& order_locks() { return *order_locks_; }
  LmqQueues& lmq_queues() { return *lmq_queues_; }
  Schedule& schedule() { return *schedule_; }
  Transactions& transactions() { return *transactions_; }
  Pops& pops() { return *pops_; }
  PopWaits& pop_waits() { return *pop_waits_; }
  /// RegisterClientHandlers makes them, first of all; they live as long as the shard (Adopt).
  void set_consumer_groups(ConsumerGroups& groups) { consumer_groups_ = &groups; }
  /// The long polls that wait for messages of this shard's queues.
  HeldPulls& held_pulls() { return held_pulls_; }
  /// Room for what pulls of this shard's queues read from its disk.
  PullReads& pull_reads() { return pull_reads_; }
  /// Counts pulls that were held for a moment only because their connection holds too many.
  core::Budget& connection_held_pulls() { return connection_held_pulls_; }
  BrokerStats& stats() { return *stats_; }
  /// Null where there is no authentication.
  const AccessControl* access_control() const { return access_control_.get(); }
  /// The refusal of what `user` at `peer` does with a request of that code to a message of `topic`; nothing where everybody may.
  std::optional<net::Reply> RefuseTopic(net::RequestCode code, std::string_view user, const core::Endpoint& peer, std::string_view topic);
  /// Another number after each change of users and what they may do: who has waited meanwhile does not know what he may any more.
  uint64_t access_version() const;
  /// Nearly all of the memory for buffers is in use: sends are refused, reads go on. RefuseForMemory counts a refusal.
  bool MemoryTight();
  bool RefuseForMemory();
  const core::Budget& memory_budget() const { return memory_; }
  void AddNetMetrics() {
    net_budgets_.AddMetrics(metrics_);
    net::AddRequestMetrics(metrics_, {&router_, &vip_router_});
  }
  bool store_is_open() const { return pop_waits_ != nullptr; }
  /// Where all that this shard counts can be read.
  core::MetricRegistry& metrics() { return metrics_; }

  /// Keeps `service` until the shard dies (last adopted dies first) and returns it: where a capability keeps its state.
  template <typename T>
  T& Adopt(std::unique_ptr<T> service) {
    T& adopted = *service;
    adopted_.services.push_back(std::unique_ptr<Adopted>(new AdoptedAs<T>(std::move(service))));
    return adopted;
  }

  /// Background work of this shard. Stopped and joined before the store closes, after the servers have.
  core::Scope& scope() { return scope_; }

  /// The open connection with that id, of either port, if this shard has it.
  net::Connection* FindConnection(net::Connection::Id id);
  /// `listener` is told of every connection of this shard that has closed.
  void AddCloseListener(net::CloseListener listener) { close_listeners_.push_back(std::move(listener)); }
  size_t connection_count() const;

  /// The address by which the client on `connection` can reach this broker: brokerIP1 where it is configured, else the one it dialled; with the main port
  /// in any case. It is in every record (storeHost) and in offset ids, by which clients come back.
  core::Endpoint StoreHostFor(const net::Connection& connection) const;

  /// The shard of a connection id.
  static core::ShardId ShardOf(net::Connection::Id id) { return core::ShardId(static_cast<uint32_t>(id >> 48)); }

  // --- For broker.cc: the life of a shard. On the shard itself.
  /// `folder`: what the data folder is.
  core::Task<absl::Status> OpenStore(const store::ManifestContent& folder);
  /// Listens at `main` (port 0: any) and at `vip` if there is one. After this clients are answered.
  core::Task<absl::Status> Listen(core::Endpoint main, std::optional<core::Endpoint> vip);
  /// Where the main port is, its real number.
  const core::Endpoint& listening_at() const;
  /// Closes the servers and ends what runs in the background; nothing answers after it.
  core::Task<void> StopServing();
  /// Ends what is delivered in the background, which may go to other shards' logs.
  core::Task<absl::Status> StopDelivery();
  core::Task<absl::Status> CloseStore();

 private:
  core::Task<absl::Status> OpenTransactions(const store::ManifestContent& folder);
  core::Task<absl::Status> OpenPops();
  /// For messages that the broker itself puts into their queues: DispatchToLmqs, if their INNER_MULTI_DISPATCH, `names`, counts here.
  core::Task<absl::Status> Dispatch(std::string_view names, store::MessageDraft* draft, DispatchState* state, std::string* more);
  struct Adopted {
    virtual ~Adopted() = default;
  };
  template <typename T>
  struct AdoptedAs final : Adopted {
    explicit AdoptedAs(std::unique_ptr<T> s) : service(std::move(s)) {}
    std::unique_ptr<T> service;
  };
  struct AdoptedServices {
    /// A service may use what was adopted before it, so the last one goes first; std::vector promises no order.
    ~AdoptedServices() {
      while (!services.empty()) services.pop_back();
    }
    std::vector<std::unique_ptr<Adopted>> services;
  };

  const core::ShardId id_;
  BrokerConfig config_;
  DataVersion config_version_;
  const Placement placement_;
  const core::Sharded<BrokerShard>& peers_;
  const CatalogView& catalog_view_;
  CatalogWriter& catalog_writer_;
  std::unique_ptr<store::MetaStore> meta_;
  std::unique_ptr<store::ShardStore> store_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Transactions> transactions_;
  std::unique_ptr<OffsetTable> offsets_;
  ConsumerGroups* consumer_groups_ = nullptr;
  std::unique_ptr<ProducerGroups> producer_groups_;
  std::unique_ptr<OrderLocks> order_locks_;
  std::unique_ptr<LmqQueues> lmq_queues_;
  std::unique_ptr<BrokerStats> stats_;
  std::unique_ptr<KeptSettings> kept_settings_;
  std::unique_ptr<AccessControl> access_control_;  // null: there is no authentication
  HeldPulls held_pulls_;
  PullReads pull_reads_;
  std::unique_ptr<Pops> pops_;  // reads with room of pull_reads_
  std::unique_ptr<PopWaits> pop_waits_;
  core::Budget connection_held_pulls_;
  core::Budget memory_;
  net::SharedBudgets net_budgets_;
  core::MetricRegistry metrics_;
  net::Router router_;
  net::Router vip_router_;
  std::vector<net::CloseListener> close_listeners_;
  // Before what runs in them: where a process dies, the handlers of open connections and what is in `scope_` are still there, and go first.
  AdoptedServices adopted_;
  std::unique_ptr<core::Endpoint> advertised_;  // brokerIP1, when configured
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<net::Server> vip_server_;
  core::Scope scope_;
};

}  // namespace broker
