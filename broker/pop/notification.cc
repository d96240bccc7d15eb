#include "broker/pop/notification.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker_stats.h"
#include "broker/config.h"
#include "broker/held_pulls.h"
#include "broker/pop/hold.h"
#include "broker/pop/pops.h"
#include "broker/pop/receipt.h"
#include "broker/pull_owner.h"
#include "core/reactor.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

net::Reply Told(bool has_messages, bool full) {
  net::Reply reply;
  reply.Add("hasMsg", has_messages ? "true" : "false");
  reply.Add("pollingFull", full ? "true" : "false");
  return reply;
}

/// Queues of one shard that are looked at for messages. Text is borrowed.
struct Look {
  std::string_view group;
  std::string_view topic;
  std::string_view attempt_id;
  bool order = false;
  std::vector<int32_t> queues;
  PullLimits limits;  // of what is read, if anything
};

bool HasMessagesHere(BrokerShard& here, const Look& look) {
  return std::any_of(look.queues.begin(), look.queues.end(), [&](int32_t id) {
    const core::QueueKey queue{std::string(look.topic), id};
    if (look.order && here.pops().Blocked(look.group, queue, look.attempt_id)) return false;
    return here.store().MaxOffset(queue) > here.pops().Position(look.group, look.topic, id, false);
  });
}

struct Seen {
  std::vector<core::Foreign<store::FetchResult>> records;
  int32_t messages = 0;
  size_t bytes = 0;
  int64_t rest = 0;
};

core::Task<Seen> ReadHere(BrokerShard& here, const Look* look) {
  Seen seen;
  for (const int32_t id : look->queues) {
    const core::QueueKey queue{std::string(look->topic), id};
    const core::LogicalOffset from =
        std::max(here.pops().Position(look->group, look->topic, id, false), here.store().MinOffset(queue));
    seen.rest += std::max<int64_t>(here.store().MaxOffset(queue) - from, 0);
    PullJob job;
    job.topic = look->topic;
    job.queue_id = id;
    job.in_memory = {.messages = look->limits.messages - seen.messages,
                     .bytes = look->limits.bytes - std::min(look->limits.bytes, seen.bytes)};
    job.on_disk = job.in_memory;
    if (job.in_memory.messages <= 0 || job.in_memory.bytes == 0) continue;
    const bool on_disk = OnDisk(here.store(), queue, from);
    PullOutcome outcome =
        co_await ReadQueue(here.store(), here.pull_reads(), job, queue, from, on_disk, core::StopToken());
    if (outcome.messages == 0) continue;
    seen.messages += outcome.messages;
    seen.bytes += outcome.bytes;
    seen.records.push_back(std::move(outcome.records));
  }
  co_return seen;
}

}  // namespace

core::Task<bool> NotificationHandlers::HasMessages(const PopWish& wish, std::string_view attempt_id) {
  const std::string retry = PopRetryTopicOf(wish.topic, wish.group);
  for (const bool again : {false, true}) {
    if (again && wish.order) break;
    Look look{wish.group, again ? std::string_view(retry) : wish.topic, attempt_id, wish.order, {}, {}};
    for (auto& [owner, queues] : PopQueuesByOwner(shard_, look.topic, again ? -1 : wish.queue_id, 0)) {
      look.queues = std::move(queues);
      const Look* const borrowed = &look;
      const bool some = co_await shard_.peers().On(
          owner, [](BrokerShard& there, const Look* what) { return HasMessagesHere(there, *what); }, borrowed);
      if (some) co_return true;
    }
  }
  co_return false;
}

core::Task<net::Reply> NotificationHandlers::Notify(net::RequestContext context, net::NotificationRequest request) {
  const uint64_t judged = shard_.access_version();  // when it was let through
  std::optional<net::Reply> refusal =
      co_await RefusePop(shard_, std::string(request.consumer_group), std::string(request.topic), request.queue_id);
  if (refusal.has_value()) co_return std::move(*refusal);
  const std::string group(request.consumer_group);
  const std::string topic(request.topic);
  const std::string attempt_id(request.attempt_id.value_or(""));
  const PopWish wish{group, topic, std::max(request.queue_id, -1), request.order.value_or(false)};
  const std::optional<core::MonoTime> deadline = PopDeadline(request.born_time, request.poll_time);
  net::Connection& connection = context.connection;
  std::optional<HeldPulls::Place> place;
  while (true) {
    if (co_await HasMessages(wish, attempt_id)) co_return Told(true, false);
    if (!deadline.has_value() || core::Reactor::Current().now() >= *deadline) co_return Told(false, false);
    if (!place.has_value()) {
      place.emplace(shard_.held_pulls(), HeldPulls::Wish{group, topic, wish.queue_id}, connection.stop_token());
      if (!*place || place->brief()) co_return Told(false, true);
      if (connection.held_requests() < static_cast<size_t>(shard_.config().held_pulls_per_connection_max))
        context.ReleaseFrame();
    }
    const core::WaitResult woken = co_await WaitForPop(shard_, &wish, *deadline, connection.stop_token());
    if (woken == core::WaitResult::kStopped) co_return net::Reply::None();
    if (shard_.access_version() != judged) co_return Told(false, false);
  }
}

core::Task<net::Reply> NotificationHandlers::Peek(net::RequestContext context, net::PeekMessageRequest request) {
  std::optional<net::Reply> refusal =
      co_await RefusePop(shard_, std::string(request.consumer_group), std::string(request.topic), request.queue_id);
  if (refusal.has_value()) co_return std::move(*refusal);
  const std::string retry = PopRetryTopicOf(request.topic, request.consumer_group);
  const auto bytes_max = static_cast<size_t>(shard_.config().max_transfer_bytes_in_memory);
  net::AnswerRoom room = co_await context.connection.TakeAnswerRoom(bytes_max);
  if (!room) co_return net::Reply::None();
  Seen seen;
  for (const bool again : {true, false}) {
    Look look{request.consumer_group, again ? std::string_view(retry) : request.topic, {}, false, {}, {}};
    for (auto& [owner, queues] : PopQueuesByOwner(shard_, look.topic, again ? -1 : request.queue_id, 0)) {
      look.queues = std::move(queues);
      look.limits.messages = std::min(request.max_msg_nums, kPopMessagesMost) - seen.messages;
      look.limits.bytes = bytes_max - std::min(bytes_max, seen.bytes);
      const Look* const borrowed = &look;
      Seen some = co_await shard_.peers().On(
          owner, [](BrokerShard& there, const Look* what) { return ReadHere(there, what); }, borrowed);
      seen.messages += some.messages;
      seen.bytes += some.bytes;
      seen.rest += some.rest;
      for (auto& records : some.records) seen.records.push_back(std::move(records));
    }
  }
  const bool found = seen.messages > 0;
  net::Reply reply(
      found ? ResponseCode::kSuccess : ResponseCode::kPullNotFound,
      std::string(FetchStatusName(found ? store::FetchStatus::kFound : store::FetchStatus::kNoMessageInQueue)));
  reply.Add("popTime", core::Reactor::Current().wall_now());
  reply.Add("invisibleTime", 0);
  reply.Add("reviveQid", 0);
  reply.Add("restNum", seen.rest);
  if (!found) co_return reply;
  shard_.stats().OnGet(request.consumer_group, request.topic, BrokerStats::kNoQueue,
                       {.messages = static_cast<uint64_t>(seen.messages), .bytes = seen.bytes});
  room.ShrinkTo(seen.bytes);
  net::Reply::ForeignParts parts;
  for (const auto& records : seen.records) {
    for (const core::Slice& part : records->parts) parts.emplace_back(part);
  }
  reply.SetForeignBody(std::move(seen.records), std::move(parts)).KeepUntilSent(std::move(room));
  co_return reply;
}

core::Task<net::Reply> NotificationHandlers::PollingInfo(net::RequestContext, net::PollingInfoRequest request) {
  std::optional<net::Reply> refusal =
      co_await RefusePop(shard_, std::string(request.consumer_group), std::string(request.topic), request.queue_id);
  if (refusal.has_value()) co_return std::move(*refusal);
  PopWish wish{request.consumer_group, request.topic, std::max(request.queue_id, -1), false};
  size_t waiting = co_await CountWaitingPops(shard_, &wish);
  wish.order = true;
  waiting += co_await CountWaitingPops(shard_, &wish);
  net::Reply reply;
  reply.Add("pollingNum", static_cast<int64_t>(waiting));
  co_return reply;
}

void RegisterNotificationHandlers(BrokerShard& shard) {
  NotificationHandlers& handlers = shard.Adopt(std::make_unique<NotificationHandlers>(shard));
  shard.OnMainPort(handlers, &NotificationHandlers::Notify);
  shard.OnMainPort(handlers, &NotificationHandlers::Peek);
  shard.OnMainPort(handlers, &NotificationHandlers::PollingInfo);
}

}  // namespace broker
