#include "broker/topic_removal.h"

#include <utility>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/broker_stats.h"
#include "broker/gather.h"
#include "broker/lmq.h"
#include "broker/offset_table.h"
#include "broker/order_locks.h"
#include "broker/placement.h"
#include "broker/pop/pops.h"
#include "broker/pop/request_modes.h"
#include "broker/pop/waits.h"
#include "core/log.h"
#include "core/status.h"

namespace broker {
namespace {

core::Task<absl::Status> ForgetTopic(BrokerShard& here, std::string topic) {
  here.order_locks().ForgetTopic(topic);
  CO_RETURN_IF_ERROR(co_await here.pops().Forget({}, topic));
  here.pop_waits().WakeAllOf(topic);
  here.offsets().RemoveTopic(topic);  // behind the pops that were under way
  here.stats().ForgetTopic(topic);
  // Offsets that outlived the topic would make a new one of that name begin in the wrong place.
  CO_RETURN_IF_ERROR(co_await here.offsets().Flush());
  CO_RETURN_IF_ERROR(co_await here.store().DropTopic(topic));
  here.lmq_queues().Forget(topic);
  co_return absl::OkStatus();
}

core::Task<absl::Status> NoteRemoved(BrokerShard& here, std::string topic) {
  std::vector<store::MetaChange> changes = ForgetRequestModes(here.meta(), topic, {});
  changes.push_back({store::MetaTable::kDeletedTopics, std::move(topic), std::nullopt});
  co_return co_await here.meta().Commit(std::move(changes));
}

}  // namespace

core::Task<absl::Status> DropTopicEverywhere(BrokerShard& here, std::string topic) {
  const std::vector<absl::Status> dropped = co_await OnEveryShard(
      here.peers(), [](BrokerShard& there, std::string name) { return ForgetTopic(there, std::move(name)); }, topic);
  for (const absl::Status& status : dropped) CO_RETURN_IF_ERROR(status);
  co_return co_await here.peers().On(
      kCatalogShard, [](BrokerShard& there, std::string name) { return NoteRemoved(there, std::move(name)); },
      std::move(topic));
}

core::Task<absl::Status> FinishTopicRemovals(BrokerShard& here) {
  std::vector<std::string> topics;
  for (const auto& [topic, nothing] : here.meta().All(store::MetaTable::kDeletedTopics)) topics.push_back(topic);
  for (std::string& topic : topics) {
    if (here.catalog().FindMadeTopic(topic) != nullptr) {
      core::LogWarning("the topic ", topic, " was made anew before its deletion had ended: what was left of the old one stays");
      std::vector<store::MetaChange> changes;
      changes.push_back({store::MetaTable::kDeletedTopics, std::move(topic), std::nullopt});
      CO_RETURN_IF_ERROR(co_await here.meta().Commit(std::move(changes)));
      continue;
    }
    core::LogInfo("finishing the deletion of topic ", topic, ", which a crash has interrupted");
    CO_RETURN_IF_ERROR(co_await DropTopicEverywhere(here, std::move(topic)));
  }
  co_return absl::OkStatus();
}

}  // namespace broker
