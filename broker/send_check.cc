#include "broker/send_check.h"

#include <utility>

#include "absl/status/statusor.h"
#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/config.h"
#include "broker/half_message.h"
#include "broker/order_locks.h"
#include "broker/system_topics.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

// Source: RocketMQ 5.3.3 MQVersion.V3_4_9, MessageSysFlag.
constexpr int32_t kVersionWithMaxReconsume = 121;
constexpr int32_t kSysFlagInnerBatch = 0x40 | 0x80;

SendRefusal Refuse(ResponseCode code, std::string remark) { return {code, std::move(remark)}; }

SendRefusal NotExist(std::string_view topic) {
  return Refuse(ResponseCode::kTopicNotExist, core::StrCat("topic[", topic, "] not exist, apply first please!"));
}

core::Task<bool> HasOrderedConsumer(BrokerShard& shard, std::string group) {
  const core::Sharded<BrokerShard>& peers = shard.peers();
  for (uint32_t i = 0; i < shard.placement().shards(); ++i) {
    const bool holds = co_await peers.On(
        core::ShardId(i),
        [](BrokerShard& there, std::string name) {
          return there.order_locks().HoldsAny(name, core::Reactor::Current().now());
        },
        group);
    if (holds) co_return true;
  }
  co_return false;
}

}  // namespace

std::optional<SendRefusal> CheckKnownTopic(const BrokerConfig& config, const TopicConfig& topic, const net::SendMessageHeader& header) {
  if ((config.broker_permission & kPermWrite) == 0 && topic.order) {
    return Refuse(ResponseCode::kNoPermission,
                  core::StrCat("the broker[", config.broker_name, "] sending message is forbidden"));
  }
  if (header.queue_id >= topic.queues()) {
    return Refuse(ResponseCode::kInvalidParameter,
                  core::StrCat("request queueId[", header.queue_id, "] is illegal, topic[", header.topic, "] has ",
                               topic.queues(), " queues"));
  }
  if (!topic.writable() || topic.write_queues <= 0) {
    return Refuse(ResponseCode::kNoPermission, core::StrCat("the topic[", header.topic, "] sending message is forbidden"));
  }
  return std::nullopt;
}

std::optional<SendRefusal> CheckSendTopic(const BrokerShard& shard, const net::SendMessageHeader& header,
                                          SendTopic& topic) {
  if (IsForbiddenToSend(header.topic)) {
    return Refuse(ResponseCode::kNoPermission,
                  core::StrCat("Sending message to topic[", header.topic, "] is forbidden."));
  }
  const TopicConfig* found = shard.catalog().FindTopic(header.topic);
  if (found == nullptr) return std::nullopt;
  topic.known = true;
  topic.write_queues = found->write_queues;
  return CheckKnownTopic(shard.config(), *found, header);
}

core::Task<std::optional<SendRefusal>> MakeTopicForSend(BrokerShard& shard, const net::SendMessageHeader& header) {
  AutoCreate request{.topic = std::string(header.topic),
                     .default_topic = std::string(header.default_topic),
                     .queues = header.default_topic_queue_nums,
                     .unit_mode = header.unit_mode};
  absl::StatusOr<TopicConfig> made = co_await shard.catalog_writer().EnsureTopicForSend(std::move(request));
  if (absl::IsNotFound(made.status()) && IsRetryTopic(header.topic)) {
    TopicConfig retry;
    retry.name = std::string(header.topic);
    retry.read_queues = 1;
    retry.write_queues = 1;
    retry.sys_flag = header.unit_mode ? kTopicSysFlagUnitSub : 0;
    made = co_await shard.catalog_writer().EnsureTopic(std::move(retry));
  }
  if (made.ok()) co_return std::nullopt;
  if (absl::IsNotFound(made.status())) co_return NotExist(header.topic);
  if (absl::IsResourceExhausted(made.status())) {
    co_return Refuse(ResponseCode::kTopicNotExist,
                     core::StrCat("topic[", header.topic, "] not exist: ", core::ToStd(made.status().message())));
  }
  co_return Refuse(ResponseCodeOf(made.status()), std::string(made.status().message()));
}

core::Task<GroupRetries> FindGroupRetries(BrokerShard& shard, std::string group) {
  if (const GroupConfig* known = shard.catalog().FindGroup(group); known != nullptr) {
    co_return GroupRetries{.refusal = std::nullopt, .tries_max = known->retry_max_times, .queues = known->retry_queues};
  }
  const absl::StatusOr<GroupConfig> made = co_await shard.catalog_writer().EnsureGroup(group);
  GroupRetries retries;
  if (made.ok()) {
    retries.tries_max = made->retry_max_times;
    retries.queues = made->retry_queues;
  } else if (absl::IsNotFound(made.status())) {
    retries.refusal =
        Refuse(ResponseCode::kSubscriptionGroupNotExist, core::StrCat("subscription group not exist, ", group));
  } else {
    retries.refusal = Refuse(ResponseCodeOf(made.status()), std::string(made.status().message()));
  }
  co_return retries;
}

core::Task<absl::StatusOr<TopicConfig>> FindOrMakeTopic(BrokerShard& shard, TopicConfig config) {
  if (const TopicConfig* known = shard.catalog().FindTopic(config.name); known != nullptr) co_return *known;
  co_return co_await shard.catalog_writer().EnsureTopic(std::move(config));
}

core::Task<std::optional<SendRefusal>> MakeDeadLetterTopic(BrokerShard& shard, std::string_view group) {
  TopicConfig dead_letters;
  dead_letters.name = DlqTopicOf(group);
  dead_letters.read_queues = 1;
  dead_letters.write_queues = 1;
  const absl::StatusOr<TopicConfig> made = co_await FindOrMakeTopic(shard, std::move(dead_letters));
  if (made.ok()) co_return std::nullopt;
  co_return Refuse(ResponseCodeOf(made.status()), std::string(made.status().message()));
}

core::Task<RetryRoute> RouteRetry(BrokerShard& shard, const net::SendMessageHeader& header, int32_t client_version) {
  RetryRoute route;
  const std::string group(header.topic.substr(kRetryTopicPrefix.size()));
  GroupRetries retries = co_await FindGroupRetries(shard, group);
  if (retries.refusal.has_value()) {
    route.refusal = std::move(retries.refusal);
    co_return route;
  }
  const bool ordered = co_await HasOrderedConsumer(shard, group);
  if (header.reconsume_times <= TriesMax(retries, client_version, header.max_reconsume_times) && !ordered)
    co_return route;
  route.dead_letter_topic = DlqTopicOf(group);
  route.refusal = co_await MakeDeadLetterTopic(shard, group);
  co_return route;
}

int32_t TriesMax(const GroupRetries& retries, int32_t client_version, std::optional<int32_t> asked) {
  return client_version >= kVersionWithMaxReconsume && asked.value_or(-1) >= 0 ? *asked : retries.tries_max;
}

std::optional<SendRefusal> CheckSendFeatures(int32_t sys_flag, const ScannedProperties& properties) {
  const auto unsupported = [](std::string_view what) {
    return Refuse(ResponseCode::kMessageIllegal, core::StrCat(what, " not supported by this broker; the message is not stored"));
  };
  if (!properties.transaction && (sys_flag & kSysFlagTransaction) != 0) {
    return Refuse(ResponseCode::kMessageIllegal, "sysFlag says that the message is of a transaction (0x4, 0x8), but it has no property TRAN_MSG");
  }
  if ((sys_flag & kSysFlagInnerBatch) != 0) return unsupported("batches stored as one record (sysFlag 0x40, 0x80) are");
  return std::nullopt;
}

std::optional<SendRefusal> CheckNoTransaction(std::string_view why, const ScannedProperties& properties) {
  if (!properties.transaction) return std::nullopt;
  return Refuse(ResponseCode::kMessageIllegal, core::StrCat(why, " (", kPropertyTransaction, ")"));
}

std::optional<SendRefusal> CheckNotDelayed(std::string_view why, const ScannedProperties& properties) {
  if (!AsksToWait(properties)) return std::nullopt;
  return Refuse(ResponseCode::kMessageIllegal,
                core::StrCat(why, " (", AsksForDelay(properties) ? kPropertyDelay : properties.timer, ")"));
}

std::optional<SendRefusal> CheckBrokerWritable(const BrokerConfig& config) {
  if ((config.broker_permission & kPermWrite) != 0) return std::nullopt;
  return Refuse(ResponseCode::kNoPermission,
                core::StrCat("the broker[", config.broker_name, "] sending message is forbidden"));
}

}  // namespace broker
