#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// Long-polling read of a queue. `sys_flag` is a PullSysFlag; `sub_version` 0 or missing in old clients.
struct PullMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kPullMessage;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = 0;
  int64_t queue_offset = 0;
  int32_t max_msg_nums = 0;
  int32_t sys_flag = 0;
  int64_t commit_offset = 0;
  int64_t suspend_timeout_millis = 0;
  std::optional<std::string_view> subscription;
  int64_t sub_version = 0;
  std::optional<std::string_view> expression_type;
  std::optional<int32_t> max_msg_bytes;
  std::optional<int32_t> request_source;
  std::optional<std::string_view> proxy_forward_client_id;
  static constexpr auto kFields = std::tuple(
      Required("consumerGroup", &PullMessageRequest::consumer_group), Required("topic", &PullMessageRequest::topic),
      Required("queueId", &PullMessageRequest::queue_id), Required("queueOffset", &PullMessageRequest::queue_offset),
      Required("maxMsgNums", &PullMessageRequest::max_msg_nums), Required("sysFlag", &PullMessageRequest::sys_flag),
      Required("commitOffset", &PullMessageRequest::commit_offset),
      Required("suspendTimeoutMillis", &PullMessageRequest::suspend_timeout_millis),
      Optional("subscription", &PullMessageRequest::subscription),
      Required("subVersion", &PullMessageRequest::sub_version),
      Optional("expressionType", &PullMessageRequest::expression_type),
      Optional("maxMsgBytes", &PullMessageRequest::max_msg_bytes),
      Optional("requestSource", &PullMessageRequest::request_source),
      Optional("proxyFrowardClientId", &PullMessageRequest::proxy_forward_client_id));
};

/// The same read by a consumer that assigns its queues itself.
struct LitePullMessageRequest : PullMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kLitePullMessage;
};

/// Codes SUCCESS, PULL_NOT_FOUND, PULL_RETRY_IMMEDIATELY and PULL_OFFSET_MOVED all need it complete: Java clients dereference it.
struct PullMessageResponse {
  int64_t suggest_which_broker_id = 0;
  int64_t next_begin_offset = 0;
  int64_t min_offset = 0;
  int64_t max_offset = 0;
  std::optional<int64_t> offset_delta;
  std::optional<int32_t> topic_sys_flag;
  std::optional<int32_t> group_sys_flag;
  std::optional<int32_t> forbidden_type;
  static constexpr auto kFields = std::tuple(
      Required("suggestWhichBrokerId", &PullMessageResponse::suggest_which_broker_id),
      Required("nextBeginOffset", &PullMessageResponse::next_begin_offset),
      Required("minOffset", &PullMessageResponse::min_offset), Required("maxOffset", &PullMessageResponse::max_offset),
      Optional("offsetDelta", &PullMessageResponse::offset_delta),
      Optional("topicSysFlag", &PullMessageResponse::topic_sys_flag),
      Optional("groupSysFlag", &PullMessageResponse::group_sys_flag),
      Optional("forbiddenType", &PullMessageResponse::forbidden_type));
};

}  // namespace net
