#include "broker/reset_offset.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/consumer_groups.h"
#include "broker/gather.h"
#include "broker/offset_table.h"
#include "broker/pop/pops.h"
#include "broker/pop/waits.h"
#include "broker/queue_facts.h"
#include "broker/wire_status.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {
namespace {

using net::ResponseCode;

/// What is to be done, carried to the shards that own the queues.
struct Order {
  std::string group;
  std::string topic;
  int32_t first = 0;  // queues first .. last
  int32_t last = 0;
  core::WallMillis timestamp = 0;
  std::optional<int64_t> offset;
  OffsetTable::Consumers consumers = OffsetTable::Consumers::kNone;
};

struct ResetPlace {
  core::QueueKey queue;
  core::LogicalOffset offset;
};

/// Where the queue's offset goes. kOutOfRange: not to where it was wanted.
core::Task<absl::StatusOr<core::LogicalOffset>> Target(BrokerShard& here, const Order* order, core::QueueKey queue) {
  const core::LogicalOffset max = here.store().MaxOffset(queue);
  if (!order->offset.has_value()) {
    if (order->timestamp < 0) co_return max;
    co_return co_await here.store().OffsetByTime(std::move(queue), order->timestamp, false);
  }
  const core::LogicalOffset min = here.store().MinOffset(queue);
  // One past the end: RocketMQ lets it pass.
  if (*order->offset < min.value() || *order->offset - 1 > max.value()) {
    co_return absl::OutOfRangeError(core::StrCat("Target offset ", *order->offset, " not in consume queue range [", min.value(), "-",
                                                 max.value(), "]: name one of these, or a time"));
  }
  co_return core::LogicalOffset(*order->offset);
}

core::Task<absl::StatusOr<std::vector<ResetPlace>>> ResetHere(BrokerShard& here, Order order) {
  std::vector<ResetPlace> places;
  for (int32_t id = order.first; id <= order.last; ++id) {
    if (here.placement().OwnerOf(order.topic, id) != here.id()) continue;
    core::QueueKey queue{order.topic, id};
    const absl::StatusOr<core::LogicalOffset> target = co_await Target(here, &order, queue);
    if (!target.ok()) co_return target.status();
    const auto move = [&here, &order, id, &target] { here.offsets().Reset(order.group, order.topic, id, *target, order.consumers); };
    CO_RETURN_IF_ERROR(co_await here.pops().Reset(order.group, queue, move));
    here.held_pulls().Call({order.group, order.topic, id});
    places.push_back({std::move(queue), *target});
    co_await core::Yield();  // every pull that is held was looked at
  }
  if (!places.empty()) CO_RETURN_IF_ERROR(co_await here.offsets().Flush());
  here.pop_waits().WakeAll(order.group, order.topic);
  co_return places;
}

}  // namespace

core::Task<net::Reply> ResetOffsetHandlers::Reset(net::RequestContext, net::InvokeBrokerToResetOffsetRequest request) {
  Order order;
  order.group = request.group;
  order.topic = request.topic;
  order.timestamp = request.timestamp;
  const PullSubscription online = co_await shard_.consumer_groups().FindOfGroup(order.group, order.topic);
  if (online.group_online) order.consumers = OffsetTable::Consumers::kOnline;
  const TopicConfig* topic = shard_.catalog().FindTopic(order.topic);
  if (topic == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("Topic ", order.topic, " does not exist"));
  }
  if (shard_.catalog().FindGroup(order.group) == nullptr) {
    co_return net::Reply(ResponseCode::kSubscriptionGroupNotExist, core::StrCat("Group ", order.group, " does not exist"));
  }
  order.last = topic->read_queues - 1;
  if (request.queue_id >= 0) {
    if (request.queue_id > order.last) {
      co_return net::Reply(ResponseCode::kInvalidParameter,
                           core::StrCat("queueId[", request.queue_id, "] is illegal, topic[", order.topic, "] has ",
                                        topic->read_queues, " queues"));
    }
    order.first = request.queue_id;
    order.last = request.queue_id;
    if (request.offset.value_or(-1) != -1) order.offset = request.offset;
  }
  std::vector<ResetPlace> places;
  const std::vector<absl::StatusOr<std::vector<ResetPlace>>> by_shard =
      co_await OnEveryShard(shard_.peers(), [](BrokerShard& there, Order what) { return ResetHere(there, std::move(what)); }, order);
  for (const absl::StatusOr<std::vector<ResetPlace>>& some : by_shard) {
    if (!some.ok()) co_return ReplyFromStatus(some.status());
    places.insert(places.end(), some->begin(), some->end());
  }
  if (places.empty()) co_return net::Reply(ResponseCode::kSystemError, "No queues to reset.");
  std::sort(places.begin(), places.end(), [](const ResetPlace& a, const ResetPlace& b) { return a.queue < b.queue; });
  net::JsonWriter json;
  json.BeginObject().Key("offsetTable").BeginObject();
  for (const ResetPlace& place : places) {
    WriteQueueKey(json, shard_.config().broker_name, place.queue);
    json.Int(place.offset.value());
  }
  json.EndObject().EndObject();
  core::LogInfo("group ", order.group, ": the offsets of ", places.size(), " queues of topic ", order.topic, " were reset");
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

void RegisterResetOffsetHandlers(BrokerShard& shard) {
  ResetOffsetHandlers& handlers = shard.Adopt(std::make_unique<ResetOffsetHandlers>(shard));
  shard.On(handlers, &ResetOffsetHandlers::Reset);
}

}  // namespace broker
