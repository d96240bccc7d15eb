#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// Oneway. Body: the half message's record.
struct CheckTransactionStateRequest {
  static constexpr RequestCode kCode = RequestCode::kCheckTransactionState;
  std::optional<std::string_view> topic;
  int64_t tran_state_table_offset = 0;
  int64_t commit_log_offset = 0;
  std::optional<std::string_view> msg_id;
  std::optional<std::string_view> transaction_id;
  std::optional<std::string_view> offset_msg_id;
  std::optional<std::string_view> broker_name;
  static constexpr auto kFields =
      std::tuple(Optional("topic", &CheckTransactionStateRequest::topic),
                 Required("tranStateTableOffset", &CheckTransactionStateRequest::tran_state_table_offset),
                 Required("commitLogOffset", &CheckTransactionStateRequest::commit_log_offset),
                 Optional("msgId", &CheckTransactionStateRequest::msg_id),
                 Optional("transactionId", &CheckTransactionStateRequest::transaction_id),
                 Optional("offsetMsgId", &CheckTransactionStateRequest::offset_msg_id),
                 Optional("bname", &CheckTransactionStateRequest::broker_name));
};

/// Oneway: the client balances its queues anew.
struct NotifyConsumerIdsChangedRequest {
  static constexpr RequestCode kCode = RequestCode::kNotifyConsumerIdsChanged;
  std::string_view consumer_group;
  static constexpr auto kFields =
      std::tuple(Required("consumerGroup", &NotifyConsumerIdsChangedRequest::consumer_group));
};

/// Oneway. Body: ResetOffsetBody.
struct ResetConsumerClientOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kResetConsumerClientOffset;
  std::string_view topic;
  std::string_view group;
  int64_t timestamp = 0;
  bool is_force = false;
  static constexpr auto kFields = std::tuple(Required("topic", &ResetConsumerClientOffsetRequest::topic),
                                             Required("group", &ResetConsumerClientOffsetRequest::group),
                                             Required("timestamp", &ResetConsumerClientOffsetRequest::timestamp),
                                             Required("isForce", &ResetConsumerClientOffsetRequest::is_force));
};

struct GetConsumerStatusFromClientRequest {
  static constexpr RequestCode kCode = RequestCode::kGetConsumerStatusFromClient;
  std::string_view topic;
  std::string_view group;
  std::optional<std::string_view> client_addr;
  static constexpr auto kFields = std::tuple(Required("topic", &GetConsumerStatusFromClientRequest::topic),
                                             Required("group", &GetConsumerStatusFromClientRequest::group),
                                             Optional("clientAddr", &GetConsumerStatusFromClientRequest::client_addr));
};

/// From a tool to the broker and, the same, from the broker to the client. The answer's body is relayed as it lies.
struct GetConsumerRunningInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kGetConsumerRunningInfo;
  std::string_view consumer_group;
  std::string_view client_id;
  std::optional<bool> jstack;
  static constexpr auto kFields = std::tuple(Required("consumerGroup", &GetConsumerRunningInfoRequest::consumer_group),
                                             Required("clientId", &GetConsumerRunningInfoRequest::client_id),
                                             Optional("jstackEnable", &GetConsumerRunningInfoRequest::jstack));
};

/// As GetConsumerRunningInfo; towards the client the body is the message's record.
struct ConsumeMessageDirectlyRequest {
  static constexpr RequestCode kCode = RequestCode::kConsumeMessageDirectly;
  std::string_view consumer_group;
  std::optional<std::string_view> client_id;
  std::optional<std::string_view> msg_id;
  std::optional<std::string_view> broker_name;
  std::optional<std::string_view> topic;
  std::optional<int32_t> topic_sys_flag;
  std::optional<int32_t> group_sys_flag;
  static constexpr auto kFields = std::tuple(Required("consumerGroup", &ConsumeMessageDirectlyRequest::consumer_group),
                                             Optional("clientId", &ConsumeMessageDirectlyRequest::client_id),
                                             Optional("msgId", &ConsumeMessageDirectlyRequest::msg_id),
                                             Optional("brokerName", &ConsumeMessageDirectlyRequest::broker_name),
                                             Optional("topic", &ConsumeMessageDirectlyRequest::topic),
                                             Optional("topicSysFlag", &ConsumeMessageDirectlyRequest::topic_sys_flag),
                                             Optional("groupSysFlag", &ConsumeMessageDirectlyRequest::group_sys_flag));
};

struct PushReplyMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kPushReplyMessageToClient;
  std::string_view producer_group;
  std::string_view topic;
  std::string_view default_topic;
  int32_t default_topic_queue_nums = 0;
  int32_t queue_id = 0;
  int32_t sys_flag = 0;
  int64_t born_timestamp = 0;
  int32_t flag = 0;
  std::optional<std::string_view> properties;
  std::optional<int32_t> reconsume_times;
  std::optional<bool> unit_mode;
  std::string_view born_host;
  std::string_view store_host;
  int64_t store_timestamp = 0;
  static constexpr auto kFields = std::tuple(
      Required("producerGroup", &PushReplyMessageRequest::producer_group),
      Required("topic", &PushReplyMessageRequest::topic),
      Required("defaultTopic", &PushReplyMessageRequest::default_topic),
      Required("defaultTopicQueueNums", &PushReplyMessageRequest::default_topic_queue_nums),
      Required("queueId", &PushReplyMessageRequest::queue_id), Required("sysFlag", &PushReplyMessageRequest::sys_flag),
      Required("bornTimestamp", &PushReplyMessageRequest::born_timestamp),
      Required("flag", &PushReplyMessageRequest::flag), Optional("properties", &PushReplyMessageRequest::properties),
      Optional("reconsumeTimes", &PushReplyMessageRequest::reconsume_times),
      Optional("unitMode", &PushReplyMessageRequest::unit_mode),
      Required("bornHost", &PushReplyMessageRequest::born_host),
      Required("storeHost", &PushReplyMessageRequest::store_host),
      Required("storeTimestamp", &PushReplyMessageRequest::store_timestamp));
};

}  // namespace net
