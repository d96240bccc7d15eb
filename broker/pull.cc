#include "broker/pull.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/broker_stats.h"
#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/consumer_groups.h"
#include "broker/pull_owner.h"
#include "broker/topic_config.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;
using store::FetchStatus;

// Source: RocketMQ 5.3.3 PullSysFlag, PermName, ForbiddenType.
constexpr int32_t kFlagCommitOffset = 1;
constexpr int32_t kFlagSuspend = 2;
constexpr int32_t kFlagSubscription = 4;
enum ForbiddenType : int32_t { kBroker = 1, kGroup = 2, kTopic = 3, kBroadcasting = 4, kSubscription = 5 };

/// No client waits longer for an answer; what would hold memory for days is cut.
constexpr absl::Duration kHoldMax = absl::Hours(1);

net::Reply Forbidden(ForbiddenType type, std::string remark) {
  net::Reply reply(ResponseCode::kNoPermission, std::move(remark));
  reply.Add("forbiddenType", type);
  return reply;
}

/// What the client asks for, within what the broker gives.
PullLimits LimitsOf(const net::PullMessageRequest& request, int32_t messages_max, int32_t bytes_max) {
  PullLimits limits;
  limits.messages = std::clamp(request.max_msg_nums, 1, std::max(messages_max, 1));
  limits.bytes = static_cast<size_t>(std::max(bytes_max, 1));
  if (request.max_msg_bytes.value_or(0) > 0) {
    limits.bytes = std::min(limits.bytes, static_cast<size_t>(*request.max_msg_bytes));
  }
  return limits;
}

}  // namespace

std::string_view FetchStatusName(FetchStatus status) {
  switch (status) {
    case FetchStatus::kFound:
      return "FOUND";
    case FetchStatus::kNoMatchedMessage:
      return "NO_MATCHED_MESSAGE";
    case FetchStatus::kMessageWasRemoving:
      return "MESSAGE_WAS_REMOVING";
    case FetchStatus::kNoMatchedLogicQueue:
      return "NO_MATCHED_LOGIC_QUEUE";
    case FetchStatus::kNoMessageInQueue:
      return "NO_MESSAGE_IN_QUEUE";
    case FetchStatus::kOffsetOverflowOne:
      return "OFFSET_OVERFLOW_ONE";
    case FetchStatus::kOffsetFoundNull:
      return "OFFSET_FOUND_NULL";
    case FetchStatus::kOffsetOverflowBadly:
      return "OFFSET_OVERFLOW_BADLY";
    case FetchStatus::kOffsetTooSmall:
      return "OFFSET_TOO_SMALL";
  }
  return "UNKNOWN";
}

ResponseCode PullResponseCode(FetchStatus status, core::LogicalOffset requested) {
  switch (status) {
    case FetchStatus::kFound:
      return ResponseCode::kSuccess;
    case FetchStatus::kNoMatchedMessage:
    case FetchStatus::kMessageWasRemoving:
      return ResponseCode::kPullRetryImmediately;
    case FetchStatus::kNoMatchedLogicQueue:
    case FetchStatus::kNoMessageInQueue:
      return requested.value() == 0 ? ResponseCode::kPullNotFound : ResponseCode::kPullOffsetMoved;
    case FetchStatus::kOffsetOverflowOne:
    case FetchStatus::kOffsetFoundNull:
      return ResponseCode::kPullNotFound;
    case FetchStatus::kOffsetOverflowBadly:
    case FetchStatus::kOffsetTooSmall:
      return ResponseCode::kPullOffsetMoved;
  }
  return ResponseCode::kSystemError;
}

ResponseCode PullResponseCode(const PullOutcome& outcome, core::LogicalOffset requested) {
  return outcome.reset ? ResponseCode::kPullOffsetMoved : PullResponseCode(outcome.status, requested);
}

core::Task<net::Reply> PullHandlers::Pull(net::RequestContext context, net::PullMessageRequest request) {
  return Serve(context, request);
}

core::Task<net::Reply> PullHandlers::LitePull(net::RequestContext context, net::LitePullMessageRequest request) {
  return Serve(context, request);
}

std::optional<net::Reply> PullHandlers::CheckTopicAndGroup(const net::PullMessageRequest& request,
                                                           Checked& checked) const {
  const GroupConfig* group = shard_.catalog().FindGroup(request.consumer_group);
  if (group == nullptr) {
    return net::Reply(ResponseCode::kSubscriptionGroupNotExist,
                      core::StrCat("subscription group [", request.consumer_group, "] does not exist"));
  }
  if (!group->consume_enable) {
    return Forbidden(kGroup, core::StrCat("subscription group no permission, ", request.consumer_group));
  }
  const TopicConfig* topic = shard_.catalog().FindTopic(request.topic);
  if (topic == nullptr) {
    return net::Reply(ResponseCode::kTopicNotExist,
                      core::StrCat("topic[", request.topic, "] not exist, apply first please!"));
  }
  if (!topic->readable()) {
    return Forbidden(kTopic, core::StrCat("the topic[", request.topic, "] pulling message is forbidden"));
  }
  if (request.queue_id < 0 || request.queue_id >= topic->read_queues) {
    return net::Reply(ResponseCode::kInvalidParameter,
                      core::StrCat("queueId[", request.queue_id, "] is illegal, topic:[", request.topic,
                                   "] topicConfig.readQueueNums:[", topic->read_queues, "]"));
  }
  // RocketMQ asks this only of pulls that are filtered as their group has announced.
  if (!group->forbidden_topics.empty() && group->forbidden_topics.contains(request.topic)) {
    return Forbidden(kSubscription, core::StrCat("the consumer group[", request.consumer_group,
                                                 "] is forbidden for topic[", request.topic, "]"));
  }
  checked.topic_sys_flag = topic->sys_flag;
  checked.group_sys_flag = group->sys_flag;
  return std::nullopt;
}

core::Task<std::optional<net::Reply>> PullHandlers::FindFilter(net::Connection& connection,
                                                               const net::PullMessageRequest& request, PullJob& job) {
  if ((request.sys_flag & kFlagSubscription) != 0) {
    co_return job.filter.Use(request.topic, request.expression_type.value_or(kExpressionTag), request.subscription.value_or(""),
                             shard_.config(), filters_);
  }
  std::optional<PullSubscription> found =
      shard_.consumer_groups().Find(connection.id(), request.consumer_group, request.topic);
  if (!found.has_value()) {
    found =
        co_await shard_.consumer_groups().FindOfGroup(std::string(request.consumer_group), std::string(request.topic));
  }
  if (!found->group_online) {
    co_return net::Reply(ResponseCode::kSubscriptionNotExist,
                         core::StrCat("the consumer's group info not exist, ", request.consumer_group));
  }
  const GroupConfig* group = shard_.catalog().FindGroup(request.consumer_group);
  if (found->model == MessageModel::kBroadcasting && group != nullptr && !group->consume_broadcast_enable) {
    co_return Forbidden(kBroadcasting, core::StrCat("the consumer group[", request.consumer_group,
                                                    "] can not consume by broadcast way"));
  }
  if (found->subscription == nullptr) {
    co_return net::Reply(ResponseCode::kSubscriptionNotExist,
                         core::StrCat("the consumer's subscription not exist, ", request.topic));
  }
  if (found->subscription->version < request.sub_version) {
    co_return net::Reply(ResponseCode::kSubscriptionNotLatest, "the consumer's subscription not latest");
  }
  const SubscriptionData& subscription = *found->subscription;
  if (!subscription.is_tag()) {
    std::optional<net::Reply> refusal = RefuseExpressionType(subscription.expression_type, shard_.config());
    if (!refusal.has_value() && subscription.sql == nullptr) {
      refusal = net::Reply(ResponseCode::kFilterDataNotExist,
                           core::StrCat("The broker's consumer filter data is not exist! ", subscription.SqlError()));
    }
    if (refusal.has_value()) co_return std::move(*refusal);
  }
  job.filter.Use(subscription);
  co_return std::nullopt;
}

absl::Duration PullHandlers::HoldTime(const net::PullMessageRequest& request) const {
  if ((request.sys_flag & kFlagSuspend) == 0) return absl::ZeroDuration();
  const BrokerConfig& config = shard_.config();
  if (!config.long_polling_enable) return config.short_polling_time;
  return std::clamp(absl::Milliseconds(request.suspend_timeout_millis), absl::ZeroDuration(), kHoldMax);
}

PullHandlers::PullHandlers(BrokerShard& shard) : shard_(shard) {
  shard.AddCloseListener([this](net::Connection& connection) {
    for (uint32_t owner = 0; owner < shard_.placement().shards(); ++owner) disk_turns_.erase({connection.id(), owner});
  });
}

core::Task<net::AnswerBytes::Hold> PullHandlers::TakeDiskTurn(net::Connection& connection, core::ShardId owner,
                                                              size_t bytes) {
  const auto capacity = static_cast<size_t>(shard_.config().output_bytes_per_connection_max);
  net::AnswerBytes& turns = disk_turns_.try_emplace({connection.id(), owner.value()}, capacity).first->second;
  net::AnswerBytes::Hold turn = turns.TryTake(bytes);
  if (turn) co_return turn;
  co_return co_await turns.Take(bytes, connection.stop_token());
}

core::Task<PullOutcome> PullHandlers::Read(net::Connection& connection, core::ShardId owner, PullJob& job,
                                           net::AnswerRoom& room) {
  const PullJob* borrowed = &job;
  const uint64_t key = PullSizes::KeyOf(job.topic, job.queue_id);
  const PullSizes::Size* const known = sizes_.Find(key);
  size_t expected = known == nullptr ? 1 : known->bytes;  // too little is made good once it is read
  bool on_disk = known != nullptr && known->on_disk;
  bool again = false;
  net::AnswerBytes::Hold turn;
  while (true) {
    if (on_disk && !turn) {
      // Few at a time, in the order of asking: queues that go through the log side by side are read from the same windows.
      turn = co_await TakeDiskTurn(connection, owner, std::max(expected, job.on_disk.bytes));
      if (!turn) co_return PullOutcome::Stopped();
    }
    // Before the first read from the disk this is but a sign that the peer takes its answers: else much would be read in vain.
    const size_t wanted = on_disk && !again ? std::min(expected, job.on_disk.bytes) : expected;
    room = connection.TryTakeAnswerRoom(wanted);
    const bool waited = !room;
    if (waited) room = co_await connection.TakeAnswerRoom(wanted);
    if (!room) co_return PullOutcome::Stopped();
    PullOutcome outcome;
    if (on_disk) {
      // Others need not wait for that disk. But where all wait for the peer, what is read without room would be read again.
      if (!waited && !again) room.ShrinkTo(0);
      outcome = co_await Wait(connection, owner, job);
      if (outcome.stopped) co_return outcome;
    } else {
      outcome = co_await shard_.peers().On(
          owner, [](BrokerShard& there, const PullJob* pull) { return PullNow(there, pull); }, borrowed);
      if (outcome.on_disk) {
        on_disk = true;
        expected = outcome.bytes;
        room.ShrinkTo(0);
        continue;
      }
    }
    job.commit.reset();
    sizes_.Learn(key, outcome.bytes, outcome.on_disk);
    if (outcome.messages > 0 && (!room || outcome.bytes > wanted)) {
      room.ShrinkTo(0);
      room = connection.TryTakeAnswerRoom(outcome.bytes);
      if (!room) {  // it is read again once there is
        expected = outcome.bytes;
        again = true;
        continue;
      }
    }
    room.ShrinkTo(outcome.bytes);
    co_return outcome;
  }
}

core::Task<PullOutcome> PullHandlers::Wait(net::Connection& connection, core::ShardId owner, const PullJob& job) {
  const core::StopToken closed = connection.stop_token();
  if (owner == shard_.id()) co_return co_await PullPatiently(shard_, &job, closed);
  core::StopSource stop;  // the owner's
  RemoteStop remote(owner, stop);
  if (closed.stop_requested()) co_return PullOutcome::Stopped();
  closed.Register(remote);
  const PullJob* borrowed = &job;
  PullOutcome outcome = co_await shard_.peers().On(
      owner,
      [](BrokerShard& there, const PullJob* pull, core::StopToken stopped) {
        return PullPatiently(there, pull, stopped);
      },
      borrowed, stop.token());
  co_await remote.Settled();
  co_return outcome;
}

net::Reply PullHandlers::Answer(const PullJob& job, const Checked& checked, PullOutcome outcome, net::AnswerRoom room) {
  if (outcome.stopped) return net::Reply::None();
  const std::string_view what = outcome.reset ? "OFFSET_RESET" : FetchStatusName(outcome.status);
  net::Reply reply(PullResponseCode(outcome, job.from), std::string(what));
  reply.Add("suggestWhichBrokerId", 0);
  reply.Add("nextBeginOffset", outcome.next.value());
  reply.Add("minOffset", outcome.min.value());
  reply.Add("maxOffset", outcome.max.value());
  reply.Add("topicSysFlag", checked.topic_sys_flag);
  reply.Add("groupSysFlag", checked.group_sys_flag);
  if (outcome.messages == 0) {
    shard_.stats().OnGetMiss();
    return reply;
  }
  shard_.stats().OnGet(
      job.group, job.topic, job.queue_id,
      {.messages = static_cast<uint64_t>(outcome.messages), .bytes = outcome.bytes, .millis = outcome.millis});
  net::Reply::ForeignParts parts;
  for (const core::Slice& part : outcome.records->parts) parts.emplace_back(part);
  reply.SetForeignBody(std::move(outcome.records), std::move(parts)).KeepUntilSent(std::move(room));
  return reply;
}

core::Task<net::Reply> PullHandlers::Serve(net::RequestContext context, net::PullMessageRequest request) {
  const uint64_t judged = shard_.access_version();  // when it was let through
  const BrokerConfig& config = shard_.config();
  if ((config.broker_permission & kPermRead) == 0) {
    co_return Forbidden(kBroker, core::StrCat("the broker[", config.broker_name, "] pulling message is forbidden"));
  }
  const bool lite = context.frame.code == static_cast<int32_t>(net::RequestCode::kLitePullMessage);
  if (lite && !config.lite_pull_message_enable) {
    co_return Forbidden(kBroker,
                        core::StrCat("the broker[", config.broker_name, "] for lite pull consumer is forbidden"));
  }
  if (shard_.catalog().FindGroup(request.consumer_group) == nullptr) {
    const absl::StatusOr<GroupConfig> made =
        co_await shard_.catalog_writer().EnsureGroup(std::string(request.consumer_group));
    if (!made.ok()) co_return ReplyFromStatus(made.status(), ResponseCode::kSubscriptionGroupNotExist);
  }
  Checked checked;
  if (std::optional<net::Reply> refusal = CheckTopicAndGroup(request, checked); refusal.has_value()) {
    co_return std::move(*refusal);
  }
  PullJob job;
  job.group = request.consumer_group;
  job.topic = request.topic;
  std::optional<net::Reply> refusal = co_await FindFilter(context.connection, request, job);
  if (refusal.has_value()) co_return std::move(*refusal);

  job.queue_id = request.queue_id;
  job.from = core::LogicalOffset(request.queue_offset);
  job.in_memory = LimitsOf(request, config.max_transfer_count_in_memory, config.max_transfer_bytes_in_memory);
  job.on_disk = LimitsOf(request, config.max_transfer_count_on_disk, config.max_transfer_bytes_on_disk);
  if ((request.sys_flag & kFlagCommitOffset) != 0 && request.commit_offset >= 0) {
    job.commit = core::LogicalOffset(request.commit_offset);
  }
  const core::ShardId owner = shard_.placement().OwnerOf(job.topic, job.queue_id);
  const core::MonoTime arrived = core::Reactor::Current().now();
  net::Connection& connection = context.connection;
  net::AnswerRoom room;
  PullOutcome outcome = co_await Read(connection, owner, job, room);

  const bool nothing = PullResponseCode(outcome, job.from) == ResponseCode::kPullNotFound;
  const absl::Duration hold = nothing && !outcome.stopped ? HoldTime(request) : absl::ZeroDuration();
  std::string group;
  std::string topic;
  if (hold > absl::ZeroDuration()) {
    room.ShrinkTo(0);
    job.held_until = arrived + hold;
    if (connection.held_requests() >= static_cast<size_t>(config.held_pulls_per_connection_max)) {
      // One too many: for a moment, as who is answered at once asks again at once. It stays a request under way, of which a connection has so
      // many before it is not read.
      ++shard_.connection_held_pulls().hits;
      job.held_until = std::min(*job.held_until, core::Reactor::Current().now() + config.short_polling_time);
    } else {
      group = job.group;
      topic = job.topic;
      job.group = group;
      job.topic = topic;
      context.ReleaseFrame();  // `request` points nowhere from here on
    }
    PullOutcome later = co_await Wait(connection, owner, job);
    job.held_until.reset();
    if (later.messages > 0) {
      room = connection.TryTakeAnswerRoom(later.bytes);
      if (!room) {
        later = PullOutcome();  // kept, it would hold what others wait for
        later = co_await Read(connection, owner, job, room);
      }
    }
    // Who asks may not be allowed to any more: he is told that there is nothing, asks again, and is judged. A reset is told once, and holds no message.
    if (!later.full && (later.reset || shard_.access_version() == judged)) outcome = std::move(later);
  }
  co_return Answer(job, checked, std::move(outcome), std::move(room));
}

void RegisterPullHandlers(BrokerShard& shard) {
  PullHandlers& handlers = shard.Adopt(std::make_unique<PullHandlers>(shard));
  shard.OnMainPort(handlers, &PullHandlers::Pull);
  shard.OnMainPort(handlers, &PullHandlers::LitePull);
}

}  // namespace broker
