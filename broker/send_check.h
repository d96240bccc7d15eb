#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "broker/broker_shard.h"
#include "broker/message_properties.h"
#include "broker/send_refusal.h"
#include "core/task.h"
#include "net/requests/send.h"
#include "net/response_code.h"

namespace broker {

/// What a send needs to know of its topic.
struct SendTopic {
  bool known = false;
  int32_t write_queues = 0;
};

/// Checks topic and queue against the catalog as it is; `topic.known` is false for one that must first be made. The checks
/// and the codes are RocketMQ 5.3.3's AbstractSendMessageProcessor.msgCheck. Stricter: a topic without the write
/// permission takes nothing, where RocketMQ relies on routes and producers that have none yet.
std::optional<SendRefusal> CheckSendTopic(const BrokerShard& shard, const net::SendMessageHeader& header, SendTopic& topic);

/// The part of it that is about a topic that is there and open to sends, and the queue.
std::optional<SendRefusal> CheckKnownTopic(const BrokerConfig& config, const TopicConfig& topic, const net::SendMessageHeader& header);

/// Makes the unknown topic of a send from its template, or a retry topic as such. Nothing when it is there now. This is where the names of sends are
/// judged (RequestResource::by_lookup): INVALID_PARAMETER for one that is none.
core::Task<std::optional<SendRefusal>> MakeTopicForSend(BrokerShard& shard, const net::SendMessageHeader& header);

/// What a group says of its retries.
struct GroupRetries {
  std::optional<SendRefusal> refusal;
  int32_t tries_max = 0;
  int32_t queues = 0;
};
/// The group as it is, or made where groups are made automatically; else SUBSCRIPTION_GROUP_NOT_EXIST.
core::Task<GroupRetries> FindGroupRetries(BrokerShard& shard, std::string group);
/// How often a message may be tried again: as the client says, if it is new enough to, else as the group does.
int32_t TriesMax(const GroupRetries& retries, int32_t client_version, std::optional<int32_t> asked);
/// The topic as it is, or `config` made; a topic that is there costs no way to another shard.
core::Task<absl::StatusOr<TopicConfig>> FindOrMakeTopic(BrokerShard& shard, TopicConfig config);
/// Makes %DLQ%group, which everybody may read, unless it is there.
core::Task<std::optional<SendRefusal>> MakeDeadLetterTopic(BrokerShard& shard, std::string_view group);

/// What a send to %RETRY%group becomes: its group must exist, and a message that has been tried too often, or whose group consumes in
/// order, goes to %DLQ%group, which is made. Source: RocketMQ 5.3.3 SendMessageProcessor.handleRetryAndDLQ.
struct RetryRoute {
  std::optional<SendRefusal> refusal;
  std::string dead_letter_topic;  // where it goes instead, or empty
};
core::Task<RetryRoute> RouteRetry(BrokerShard& shard, const net::SendMessageHeader& header, int32_t client_version);

/// Features of RocketMQ that this broker does not have: such a message is refused by name, never stored as an ordinary one.
std::optional<SendRefusal> CheckSendFeatures(int32_t sys_flag, const ScannedProperties& properties);
/// For what can't be a transaction: a half message would be everybody's before its commit. Refused with the remark `why`.
std::optional<SendRefusal> CheckNoTransaction(std::string_view why, const ScannedProperties& properties);
/// For what can't be delayed: a message that asks for it is refused with the remark `why`.
std::optional<SendRefusal> CheckNotDelayed(std::string_view why, const ScannedProperties& properties);
/// NO_PERMISSION when the broker as a whole takes nothing.
std::optional<SendRefusal> CheckBrokerWritable(const BrokerConfig& config);

}  // namespace broker
