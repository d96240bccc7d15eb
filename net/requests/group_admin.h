#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// Body: SubscriptionGroupConfig.
struct UpdateAndCreateSubscriptionGroupRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateAndCreateSubscriptionGroup;
  static constexpr auto kFields = std::tuple();
};

/// Body: {groupConfigList:[SubscriptionGroupConfig]}.
struct UpdateAndCreateSubscriptionGroupListRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateAndCreateSubscriptionGroupList;
  static constexpr auto kFields = std::tuple();
};

struct GetAllSubscriptionGroupConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetAllSubscriptionGroupConfig;
  static constexpr auto kFields = std::tuple();
};

struct GetSubscriptionGroupConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetSubscriptionGroupConfig;
  std::string_view group;
  static constexpr auto kFields = std::tuple(Required("group", &GetSubscriptionGroupConfigRequest::group));
};

/// `remove_offset` is what 4.9 calls `clean_offset`.
struct DeleteSubscriptionGroupRequest {
  static constexpr RequestCode kCode = RequestCode::kDeleteSubscriptionGroup;
  std::string_view group_name;
  bool clean_offset = false;
  bool remove_offset = false;
  static constexpr auto kFields = std::tuple(Required("groupName", &DeleteSubscriptionGroupRequest::group_name),
                                             Optional("cleanOffset", &DeleteSubscriptionGroupRequest::clean_offset),
                                             Optional("removeOffset", &DeleteSubscriptionGroupRequest::remove_offset));
};

/// `topic_list` is joined by semicolons.
struct GetConsumeStatsRequest {
  static constexpr RequestCode kCode = RequestCode::kGetConsumeStats;
  std::string_view consumer_group;
  std::optional<std::string_view> topic;
  std::optional<std::string_view> topic_list;
  static constexpr auto kFields = std::tuple(Required("consumerGroup", &GetConsumeStatsRequest::consumer_group),
                                             Optional("topic", &GetConsumeStatsRequest::topic),
                                             Optional("topicList", &GetConsumeStatsRequest::topic_list));
};

struct GetBrokerConsumeStatsRequest {
  static constexpr RequestCode kCode = RequestCode::kGetBrokerConsumeStats;
  bool is_order = false;
  static constexpr auto kFields = std::tuple(Required("isOrder", &GetBrokerConsumeStatsRequest::is_order));
};

struct GetConsumerConnectionListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetConsumerConnectionList;
  std::string_view consumer_group;
  static constexpr auto kFields =
      std::tuple(Required("consumerGroup", &GetConsumerConnectionListRequest::consumer_group));
};

struct GetProducerConnectionListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetProducerConnectionList;
  std::string_view producer_group;
  static constexpr auto kFields =
      std::tuple(Required("producerGroup", &GetProducerConnectionListRequest::producer_group));
};

struct GetAllProducerInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kGetAllProducerInfo;
  static constexpr auto kFields = std::tuple();
};

struct QueryConsumeTimeSpanRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryConsumeTimeSpan;
  std::string_view topic;
  std::string_view group;
  static constexpr auto kFields = std::tuple(Required("topic", &QueryConsumeTimeSpanRequest::topic),
                                             Required("group", &QueryConsumeTimeSpanRequest::group));
};

struct QueryTopicsByConsumerRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryTopicsByConsumer;
  std::string_view group;
  static constexpr auto kFields = std::tuple(Required("group", &QueryTopicsByConsumerRequest::group));
};

struct QuerySubscriptionByConsumerRequest {
  static constexpr RequestCode kCode = RequestCode::kQuerySubscriptionByConsumer;
  std::string_view group;
  std::optional<std::string_view> topic;
  static constexpr auto kFields = std::tuple(Required("group", &QuerySubscriptionByConsumerRequest::group),
                                             Optional("topic", &QuerySubscriptionByConsumerRequest::topic));
};

struct InvokeBrokerToResetOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kInvokeBrokerToResetOffset;
  std::string_view group;
  std::string_view topic;
  int64_t timestamp = 0;
  bool is_force = false;
  int32_t queue_id = -1;
  std::optional<int64_t> offset;
  static constexpr auto kFields = std::tuple(Required("group", &InvokeBrokerToResetOffsetRequest::group),
                                             Required("topic", &InvokeBrokerToResetOffsetRequest::topic),
                                             Required("timestamp", &InvokeBrokerToResetOffsetRequest::timestamp),
                                             Required("isForce", &InvokeBrokerToResetOffsetRequest::is_force),
                                             Optional("queueId", &InvokeBrokerToResetOffsetRequest::queue_id),
                                             Optional("offset", &InvokeBrokerToResetOffsetRequest::offset));
};

struct InvokeBrokerToGetConsumerStatusRequest {
  static constexpr RequestCode kCode = RequestCode::kInvokeBrokerToGetConsumerStatus;
  std::string_view topic;
  std::string_view group;
  std::optional<std::string_view> client_addr;
  static constexpr auto kFields =
      std::tuple(Required("topic", &InvokeBrokerToGetConsumerStatusRequest::topic),
                 Required("group", &InvokeBrokerToGetConsumerStatusRequest::group),
                 Optional("clientAddr", &InvokeBrokerToGetConsumerStatusRequest::client_addr));
};

struct CloneGroupOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kCloneGroupOffset;
  std::string_view source_group;
  std::string_view target_group;
  std::optional<std::string_view> topic;
  bool offline = false;
  static constexpr auto kFields = std::tuple(Required("srcGroup", &CloneGroupOffsetRequest::source_group),
                                             Required("destGroup", &CloneGroupOffsetRequest::target_group),
                                             Optional("topic", &CloneGroupOffsetRequest::topic),
                                             Optional("offline", &CloneGroupOffsetRequest::offline));
};

}  // namespace net
