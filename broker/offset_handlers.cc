#include "broker/offset_handlers.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/catalog.h"
#include "broker/lmq.h"
#include "broker/offset_table.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

net::Reply OffsetReply(core::LogicalOffset offset) {
  net::Reply reply;
  reply.Add("offset", offset.value());
  return reply;
}

bool IsUpper(std::string_view boundary) {
  constexpr std::string_view kUpper = "upper";
  if (boundary.size() != kUpper.size()) return false;
  for (size_t i = 0; i < boundary.size(); ++i) {
    if ((boundary[i] | 0x20) != kUpper[i]) return false;
  }
  return true;
}

core::Task<core::WallMillis> FirstStoreTime(BrokerShard& here, core::QueueKey queue) {
  const core::LogicalOffset min = here.store().MinOffset(queue);
  co_return co_await here.store().StoreTimeOf(std::move(queue), min);
}

}  // namespace

core::Task<net::Reply> OffsetHandlers::Query(net::RequestContext context, net::QueryConsumerOffsetRequest request) {
  static_cast<void>(context);
  struct Found {
    std::optional<core::LogicalOffset> committed;
    bool begins_at_zero = false;  // and the first message is at hand
  };
  const Found found = co_await OnOwner(
      request.topic, request.queue_id,
      [](BrokerShard& owner, core::QueueKey queue, std::string group) {
        Found here;
        here.committed = owner.offsets().Find(group, queue.topic, queue.queue_id);
        if (here.committed.has_value()) return here;
        const core::LogicalOffset zero(0);
        here.begins_at_zero = owner.store().MinOffset(queue) <= zero && owner.store().MaxOffset(queue) > zero &&
                              owner.store().OffsetInMemory(queue, zero);
        return here;
      },
      std::string(request.consumer_group));
  if (found.committed.has_value()) co_return OffsetReply(*found.committed);
  // Without a stored offset a young topic is read from its beginning, so that a group's first consumer misses nothing that was sent
  // while it was starting.
  if (found.begins_at_zero && request.set_zero_if_not_found.value_or(true)) co_return OffsetReply(core::LogicalOffset(0));
  co_return net::Reply(ResponseCode::kQueryNotFound, "Not found, maybe this group consumer boot first");
}

core::Task<net::Reply> OffsetHandlers::Update(net::RequestContext context, net::UpdateConsumerOffsetRequest request) {
  static_cast<void>(context);
  if (shard_.catalog().FindGroup(request.consumer_group) == nullptr) {
    co_return net::Reply(ResponseCode::kSubscriptionGroupNotExist,
                         core::StrCat("Group ", request.consumer_group, " not exist!"));
  }
  const TopicConfig* topic = shard_.catalog().FindTopic(request.topic);
  if (topic == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("Topic ", request.topic, " not exist!"));
  }
  if (request.queue_id < 0 || request.queue_id >= topic->queues()) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("queueId[", request.queue_id, "] is illegal, topic[", request.topic, "] has ",
                                      topic->queues(), " queues"));
  }
  if (request.commit_offset < 0) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("offset[", request.commit_offset, "] is below 0"));
  }
  enum class Outcome { kTaken, kReset, kNoRoom };
  const Outcome outcome = co_await OnOwner(
      request.topic, request.queue_id,
      [](BrokerShard& owner, core::QueueKey queue, std::string group, core::LogicalOffset offset) {
        if (owner.catalog().FindTopic(queue.topic) == nullptr) return Outcome::kTaken;  // deleted just now
        if (!owner.offsets().HasRoomFor(group, queue.topic, queue.queue_id, owner.lmq_queues().offsets_max())) return Outcome::kNoRoom;
        return owner.offsets().Commit(group, queue.topic, queue.queue_id, offset) ? Outcome::kTaken : Outcome::kReset;
      },
      std::string(request.consumer_group), core::LogicalOffset(request.commit_offset));
  if (outcome == Outcome::kNoRoom) {
    co_return net::Reply(ResponseCode::kSystemError, "there are too many consumer offsets of light queues: raise maxLmqConsumeQueueNum, or delete topics "
                                                     "%LMQ%... that are not used any more");
  }
  // Its next pull tells the consumer; an error would only make it say so again.
  if (outcome == Outcome::kReset) co_return net::Reply(ResponseCode::kSuccess, "Offset has been previously reset");
  co_return net::Reply();
}

core::Task<net::Reply> OffsetHandlers::Max(net::RequestContext context, net::GetMaxOffsetRequest request) {
  static_cast<void>(context);
  const core::LogicalOffset max =
      co_await OnOwner(request.topic, request.queue_id,
                       [](BrokerShard& owner, core::QueueKey queue) { return owner.store().MaxOffset(queue); });
  co_return OffsetReply(max);
}

core::Task<net::Reply> OffsetHandlers::Min(net::RequestContext context, net::GetMinOffsetRequest request) {
  static_cast<void>(context);
  const core::LogicalOffset min =
      co_await OnOwner(request.topic, request.queue_id,
                       [](BrokerShard& owner, core::QueueKey queue) { return owner.store().MinOffset(queue); });
  co_return OffsetReply(min);
}

core::Task<net::Reply> OffsetHandlers::Search(net::RequestContext context, net::SearchOffsetRequest request) {
  static_cast<void>(context);
  const core::LogicalOffset offset = co_await OnOwner(
      request.topic, request.queue_id,
      [](BrokerShard& owner, core::QueueKey queue, core::WallMillis timestamp, bool upper) {
        return owner.store().OffsetByTime(std::move(queue), timestamp, upper);
      },
      request.timestamp, IsUpper(request.boundary_type.value_or("")));
  co_return OffsetReply(offset);
}

core::Task<net::Reply> OffsetHandlers::EarliestTime(net::RequestContext context,
                                                    net::GetEarliestMsgStoreTimeRequest request) {
  static_cast<void>(context);
  const core::WallMillis time = co_await OnOwner(
      request.topic, request.queue_id,
      [](BrokerShard& owner, core::QueueKey queue) { return FirstStoreTime(owner, std::move(queue)); });
  net::Reply reply;
  reply.Add("timestamp", time);
  co_return reply;
}

void RegisterOffsetHandlers(BrokerShard& shard) {
  OffsetHandlers& handlers = shard.Adopt(std::make_unique<OffsetHandlers>(shard));
  shard.On(handlers, &OffsetHandlers::Query);
  shard.On(handlers, &OffsetHandlers::Update);
  shard.On(handlers, &OffsetHandlers::Max);
  shard.On(handlers, &OffsetHandlers::Min);
  shard.On(handlers, &OffsetHandlers::Search);
  shard.On(handlers, &OffsetHandlers::EarliestTime);
}

}  // namespace broker
