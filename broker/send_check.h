#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/broker_shard.h"
#include "broker/message_properties.h"
#include "core/task.h"
#include "net/requests/send.h"
#include "net/response_code.h"

namespace broker {

/// Why a message is not taken.
struct SendRefusal {
  net::ResponseCode code = net::ResponseCode::kSystemError;
  std::string remark;
};

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

/// What a send to %RETRY%group becomes: its group must exist, and a message that has been tried too often, or whose group consumes in
/// order, goes to %DLQ%group, which is made. Source: RocketMQ 5.3.3 SendMessageProcessor.handleRetryAndDLQ.
struct RetryRoute {
  std::optional<SendRefusal> refusal;
  std::string dead_letter_topic;  // where it goes instead, or empty
};
core::Task<RetryRoute> RouteRetry(BrokerShard& shard, const net::SendMessageHeader& header, int32_t client_version);

/// Features of RocketMQ that this broker does not have: such a message is refused by name, never stored as an ordinary one. So a delayed
/// message is not delivered at once, and a half message not before its commit.
std::optional<SendRefusal> CheckSendFeatures(int32_t sys_flag, const ScannedProperties& properties);

}  // namespace broker
