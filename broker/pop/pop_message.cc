#include "broker/pop/pop_message.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/broker_stats.h"
#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/held_pulls.h"
#include "broker/now.h"
#include "broker/pop/hold.h"
#include "broker/pop/receipt.h"
#include "broker/pull.h"
#include "broker/topic_config.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::ResponseCode;

/// Beyond its time a request is not begun any more: its client has given up.
constexpr int64_t kTooLateMs = 500;
/// A client has given up a moment before its time is up. Source: RocketMQ 5.3.3 PopRequest.isTimeout.
constexpr int64_t kAnswerBeforeMs = 50;
/// No client waits longer for an answer.
constexpr int64_t kPollMsMax = 3'600'000;
constexpr int64_t kInitFromLast = 1;

}  // namespace

std::optional<core::MonoTime> PopDeadline(std::optional<int64_t> born_time, int64_t poll_time) {
  if (poll_time <= 0) return std::nullopt;
  const core::WallMillis now = Now();
  const int64_t born = born_time.value_or(0) > 0 ? std::min(*born_time, now) : now;
  return core::Reactor::Current().now() +
         absl::Milliseconds(born + std::min(poll_time, kPollMsMax) - kAnswerBeforeMs - now);
}

core::Task<std::optional<net::Reply>> RefusePop(BrokerShard& shard, std::string group, std::string topic,
                                                int32_t queue_id) {
  const BrokerConfig& config = shard.config();
  if ((config.broker_permission & kPermRead) == 0) {
    co_return net::Reply(ResponseCode::kNoPermission,
                         core::StrCat("the broker[", config.broker_name, "] pop message is forbidden"));
  }
  const TopicConfig* found = shard.catalog().FindTopic(topic);
  if (found == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist,
                         core::StrCat("topic[", topic, "] not exist, apply first please!"));
  }
  if (!found->readable()) {
    co_return net::Reply(ResponseCode::kNoPermission,
                         core::StrCat("the topic[", topic, "] peeking message is forbidden"));
  }
  if (queue_id >= found->read_queues) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("queueId[", queue_id, "] is illegal, topic:[", topic,
                                      "] topicConfig.readQueueNums:[", found->read_queues, "]: -1 means any of them"));
  }
  if (shard.catalog().FindGroup(group) == nullptr) {
    const absl::StatusOr<GroupConfig> made = co_await shard.catalog_writer().EnsureGroup(group);
    if (!made.ok()) co_return ReplyFromStatus(made.status(), ResponseCode::kSubscriptionGroupNotExist);
  }
  const GroupConfig* config_of_group = shard.catalog().FindGroup(group);
  // Of groups that nobody has made there may be any number, and each would leave something behind.
  if (config_of_group == nullptr || shard.catalog().IsLmqGroup(group)) {
    co_return net::Reply(ResponseCode::kSubscriptionGroupNotExist,
                         core::StrCat("subscription group [", group, "] does not exist"));
  }
  if (!config_of_group->consume_enable) {
    co_return net::Reply(ResponseCode::kNoPermission, core::StrCat("subscription group no permission, ", group));
  }
  // As pulls; RocketMQ does not ask this of pops.
  if (config_of_group->forbidden_topics.contains(topic)) {
    co_return net::Reply(ResponseCode::kNoPermission, core::StrCat("the consumer group[", group, "] is forbidden for topic[", topic, "]"));
  }
  co_return std::nullopt;
}

std::vector<std::pair<core::ShardId, std::vector<int32_t>>> PopQueuesByOwner(const BrokerShard& shard,
                                                                             std::string_view topic, int32_t queue_id,
                                                                             uint32_t first) {
  std::vector<std::pair<core::ShardId, std::vector<int32_t>>> owners;
  const auto add = [&](int32_t id) {
    const core::ShardId owner = shard.placement().OwnerOf(topic, id);
    auto it = std::find_if(owners.begin(), owners.end(), [&](const auto& one) { return one.first == owner; });
    if (it == owners.end()) it = owners.insert(owners.end(), {owner, {}});
    it->second.push_back(id);
  };
  const TopicConfig* const config = shard.catalog().FindTopic(topic);
  if (config == nullptr) return owners;
  if (queue_id >= 0) {
    if (queue_id < config->read_queues) add(queue_id);
    return owners;
  }
  const auto queues = static_cast<uint32_t>(std::max(config->read_queues, 0));
  for (uint32_t i = 0; i < queues; ++i) add(static_cast<int32_t>((first + i) % queues));
  return owners;
}

core::Task<std::optional<net::Reply>> PopHandlers::Check(const net::PopMessageRequest& request) {
  const core::WallMillis now = Now();
  const int64_t born = request.born_time.value_or(0);
  if (born > 0 && born < now && now - born - kTooLateMs > std::clamp<int64_t>(request.poll_time, 0, kPollMsMax)) {
    net::Reply late(ResponseCode::kPollingTimeout, core::StrCat("the broker[", shard_.config().broker_name,
                                                                "] pop message is timeout too much: bornTime is ",
                                                                now - born, " ms ago by this broker's clock"));
    AddHeader(Wanted(), Found(), late);  // clients dereference it
    co_return late;
  }
  if (request.max_msg_nums > kPopMessagesMost || request.max_msg_nums < 1) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("the broker[", shard_.config().broker_name, "] pop message's num is ",
                                      request.max_msg_nums, ", not 1 to ", kPopMessagesMost));
  }
  if (request.attempt_id.value_or("").size() > net::kLabelBytesMax) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("an attemptId has at most ", net::kLabelBytesMax, " bytes"));
  }
  if (request.invisible_time < 0) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("invisibleTime is ", request.invisible_time, " ms, which lies in the past"));
  }
  if (const std::optional<std::string> wrong =
          net::WrongTopicName(PopRetryTopicOf(request.topic, request.consumer_group));
      wrong.has_value()) {
    co_return net::Reply(
        ResponseCode::kInvalidParameter,
        core::StrCat("the names of group and topic do not make one of a retry topic: ", *wrong));
  }
  co_return co_await RefusePop(shard_, std::string(request.consumer_group), std::string(request.topic),
                               request.queue_id);
}

core::Task<void> PopHandlers::TakeFromTopic(const Wanted& wanted, bool retry, Found& found) {
  PopJob job;
  job.group = wanted.group;
  job.topic = retry ? wanted.retry_topic : wanted.topic;
  if (retry) job.shown_topic = wanted.topic;
  job.broker_name = shard_.config().broker_name;
  job.pop_time = found.pop_time;
  job.invisible = wanted.invisible;
  job.from_last = wanted.from_last;
  job.order = wanted.order;
  job.attempt_id = wanted.attempt_id;
  job.filter = wanted.filter;
  const char kind = PopTopicKind(job.topic);
  for (auto& [owner, queues] : PopQueuesByOwner(shard_, job.topic, retry ? -1 : wanted.queue_id, turn_++)) {
    job.limits.messages = wanted.messages - found.messages;
    const auto bytes_max = static_cast<size_t>(shard_.config().max_transfer_bytes_in_memory);
    if (job.limits.messages <= 0 || found.bytes >= bytes_max) co_return;
    job.limits.bytes = bytes_max - found.bytes;
    job.queues = std::move(queues);
    const PopJob* const borrowed = &job;
    PopOutcome outcome = co_await shard_.peers().On(
        owner, [](BrokerShard& there, const PopJob* pop) { return there.pops().Take(pop); }, borrowed);
    found.status.Update(outcome.status);
    found.messages += outcome.messages;
    found.bytes += outcome.bytes;
    found.rest += outcome.rest;
    found.full = found.full || outcome.full;
    for (PoppedQueue& queue : outcome.queues) found.queues.emplace_back(kind, std::move(queue));
  }
}

core::Task<PopHandlers::Found> PopHandlers::Attempt(const Wanted& wanted) {
  Found found;
  found.pop_time = Now();
  // Messages that come again have their share, so that neither they nor new ones wait for the end of the others.
  const auto share = static_cast<uint64_t>(shard_.config().pop_from_retry_probability);
  const bool retry_first = !wanted.order && core::Reactor::Current().RandomBits() % 100 < share;
  if (retry_first) co_await TakeFromTopic(wanted, true, found);
  co_await TakeFromTopic(wanted, false, found);
  if (!retry_first && !wanted.order) co_await TakeFromTopic(wanted, true, found);
  co_return found;
}

void PopHandlers::AddHeader(const Wanted& wanted, const Found& found, net::Reply& reply) const {
  std::string starts;
  std::string offsets;
  std::string counts;
  for (const auto& [kind, queue] : found.queues) {
    AppendStartOffset(starts, kind, queue.queue_id, queue.start);
    AppendMessageOffsets(offsets, kind, queue.queue_id, queue.offsets);
    int32_t least = std::numeric_limits<int32_t>::max();
    for (const OrderedBatch::Message& message : queue.ordered) {
      if (message.times > 0) AppendOrderCountOf(counts, kind, queue.queue_id, message.offset, message.times);
      least = std::min(least, message.times);
    }
    // Old clients know the number of the whole queue only.
    if (!queue.ordered.empty()) AppendOrderCount(counts, kind, queue.queue_id, least);
  }
  reply.Add("popTime", found.pop_time);
  reply.Add("invisibleTime", wanted.invisible);
  reply.Add("reviveQid", wanted.order ? kOrderedReviveQueue : 0);
  reply.Add("restNum", found.rest);
  reply.Add("startOffsetInfo", starts);
  reply.Add("msgOffsetInfo", offsets);
  if (wanted.order) reply.Add("orderCountInfo", counts);
}

net::Reply PopHandlers::Nothing(const Wanted& wanted, const Found& found, net::ResponseCode code) const {
  net::Reply reply(code, std::string(FetchStatusName(store::FetchStatus::kNoMessageInQueue)));
  if (found.full)
    reply.set_remark(
        "too many messages of this broker are popped and not acknowledged: acknowledge some, or raise popMessagesMax");
  AddHeader(wanted, found, reply);
  return reply;
}

net::Reply PopHandlers::Answer(const Wanted& wanted, Found found, net::AnswerRoom room) {
  net::Reply reply(ResponseCode::kSuccess, std::string(FetchStatusName(store::FetchStatus::kFound)));
  AddHeader(wanted, found, reply);
  std::string shown;
  std::vector<core::Foreign<store::FetchResult>> holders;
  net::Reply::ForeignParts parts;
  for (auto& [kind, queue] : found.queues) {
    shard_.stats().OnGet(wanted.group, wanted.topic, queue.queue_id,
                         {.messages = queue.offsets.size(), .bytes = queue.records ? queue.records->bytes : queue.shown.size()});
    shown += queue.shown;
    if (!queue.records) continue;
    for (const core::Slice& part : queue.records->parts) parts.emplace_back(part);
    holders.push_back(std::move(queue.records));
  }
  reply.SetBody(std::move(shown));
  if (!holders.empty()) reply.SetForeignBody(std::move(holders), std::move(parts));
  reply.KeepUntilSent(std::move(room));
  return reply;
}

core::Task<net::Reply> PopHandlers::Pop(net::RequestContext context, net::PopMessageRequest request) {
  const uint64_t judged = shard_.access_version();  // when it was let through
  std::optional<net::Reply> refusal = co_await Check(request);
  if (refusal.has_value()) co_return std::move(*refusal);
  const BrokerConfig& config = shard_.config();
  Wanted wanted;
  refusal = wanted.filter.Use(request.topic, request.expression_type.value_or(kExpressionTag),
                              request.expression.value_or(""), config, filters_);
  if (refusal.has_value()) co_return std::move(*refusal);
  wanted.group = request.consumer_group;
  wanted.topic = request.topic;
  wanted.retry_topic = PopRetryTopicOf(wanted.topic, wanted.group);
  wanted.attempt_id = request.attempt_id.value_or("");
  wanted.queue_id = std::max(request.queue_id, -1);
  wanted.messages = request.max_msg_nums;
  wanted.invisible = request.invisible_time;
  wanted.from_last = request.init_mode == kInitFromLast;
  wanted.order = request.order.value_or(false);
  const std::optional<core::MonoTime> deadline = PopDeadline(request.born_time, request.poll_time);

  net::Connection& connection = context.connection;
  const uint64_t size_key = PullSizes::KeyOf(wanted.topic, wanted.queue_id);
  std::optional<HeldPulls::Place> place;
  bool parked = false;
  while (true) {
    const PullSizes::Size* const known = sizes_.Find(size_key);
    const size_t expected = known == nullptr ? 1 : std::max<size_t>(known->bytes, 1);
    net::AnswerRoom room = connection.TryTakeAnswerRoom(expected);
    if (!room) room = co_await connection.TakeAnswerRoom(expected);
    if (!room) co_return net::Reply::None();
    Found found = co_await Attempt(wanted);
    sizes_.Learn(size_key, found.bytes, false);
    if (!found.status.ok()) co_return ReplyFromStatus(found.status);
    if (found.messages > 0) {
      if (found.bytes > expected) {
        // They are taken and so can't wait for room: what there is of it counts them.
        room.ShrinkTo(0);
        room = connection.TryTakeAnswerRoom(found.bytes);
      }
      room.ShrinkTo(found.bytes);
      co_return Answer(wanted, std::move(found), std::move(room));
    }
    room.ShrinkTo(0);
    if (!deadline.has_value() || core::Reactor::Current().now() >= *deadline)
      co_return Nothing(wanted, found, ResponseCode::kPollingTimeout);
    const PopWish wish{wanted.group, wanted.topic, wanted.queue_id, wanted.order};
    if (!place.has_value()) {
      place.emplace(shard_.held_pulls(), HeldPulls::Wish{wanted.group, wanted.topic, wanted.queue_id},
                    connection.stop_token());
      const bool crowded = co_await CountWaitingPops(shard_, &wish) >= static_cast<size_t>(config.pop_polling_size);
      if (!*place || place->brief() || crowded) co_return Nothing(wanted, found, ResponseCode::kPollingFull);
    }
    if (!parked && connection.held_requests() < static_cast<size_t>(config.held_pulls_per_connection_max)) {
      context.ReleaseFrame();  // `request` points nowhere from here on
      parked = true;
    }
    const core::WaitResult woken = co_await WaitForPop(shard_, &wish, *deadline, connection.stop_token());
    if (woken == core::WaitResult::kStopped) co_return net::Reply::None();
    // Who asks may not be allowed to any more: he is to ask again.
    if (shard_.access_version() != judged) co_return Nothing(wanted, found, ResponseCode::kPollingTimeout);
    // Meanwhile the topic may have been deleted, or the group forbidden to read it.
    refusal = co_await RefusePop(shard_, wanted.group, wanted.topic, wanted.queue_id);
    if (refusal.has_value()) co_return std::move(*refusal);
  }
}

void RegisterPopHandlers(BrokerShard& shard) {
  PopHandlers& handlers = shard.Adopt(std::make_unique<PopHandlers>(shard));
  shard.OnMainPort(handlers, &PopHandlers::Pop);
}

}  // namespace broker
