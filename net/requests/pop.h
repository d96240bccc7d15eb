#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// Takes messages of a topic for a time: whoever does not acknowledge one by then is not the last to get it. `queue_id` -1: of any queue. Times in ms.
struct PopMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kPopMessage;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = -1;
  int32_t max_msg_nums = 0;
  int64_t invisible_time = 0;
  int64_t poll_time = 0;             // held for so long, from born_time on
  std::optional<int64_t> born_time;  // when the client has asked; missing or 0: now
  int32_t init_mode = 0;  // where a group begins that is new to a queue: 0 at its first message, 1 at its last
  std::optional<std::string_view> expression_type;
  std::optional<std::string_view> expression;
  std::optional<bool> order;
  std::optional<std::string_view> attempt_id;
  static constexpr auto kFields = std::tuple(
      Required("consumerGroup", &PopMessageRequest::consumer_group), Required("topic", &PopMessageRequest::topic),
      Required("queueId", &PopMessageRequest::queue_id), Required("maxMsgNums", &PopMessageRequest::max_msg_nums),
      Required("invisibleTime", &PopMessageRequest::invisible_time),
      Required("pollTime", &PopMessageRequest::poll_time), Optional("bornTime", &PopMessageRequest::born_time),
      Required("initMode", &PopMessageRequest::init_mode), Optional("expType", &PopMessageRequest::expression_type),
      Optional("exp", &PopMessageRequest::expression), Optional("order", &PopMessageRequest::order),
      Optional("attemptId", &PopMessageRequest::attempt_id));
};

/// The message is done. `extra_info` is its receipt (POP_CK).
struct AckMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kAckMessage;
  std::string_view consumer_group;
  std::string_view topic;  // where it was taken from: perhaps the retry topic
  int32_t queue_id = 0;
  std::string_view extra_info;
  int64_t offset = 0;
  static constexpr auto kFields =
      std::tuple(Required("consumerGroup", &AckMessageRequest::consumer_group),
                 Required("topic", &AckMessageRequest::topic), Required("queueId", &AckMessageRequest::queue_id),
                 Required("extraInfo", &AckMessageRequest::extra_info), Required("offset", &AckMessageRequest::offset));
};

/// The same for many messages, which are in the body.
struct BatchAckMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kBatchAckMessage;
  static constexpr auto kFields = std::tuple();
};

/// The message is to be seen again after `invisible_time` from now, sooner or later than its receipt says.
struct ChangeInvisibleTimeRequest {
  static constexpr RequestCode kCode = RequestCode::kChangeMessageInvisibleTime;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = 0;
  std::string_view extra_info;
  int64_t offset = 0;
  int64_t invisible_time = 0;
  static constexpr auto kFields = std::tuple(Required("consumerGroup", &ChangeInvisibleTimeRequest::consumer_group),
                                             Required("topic", &ChangeInvisibleTimeRequest::topic),
                                             Required("queueId", &ChangeInvisibleTimeRequest::queue_id),
                                             Required("extraInfo", &ChangeInvisibleTimeRequest::extra_info),
                                             Required("offset", &ChangeInvisibleTimeRequest::offset),
                                             Required("invisibleTime", &ChangeInvisibleTimeRequest::invisible_time));
};

/// Waits until there is something to pop, and takes nothing.
struct NotificationRequest {
  static constexpr RequestCode kCode = RequestCode::kNotification;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = -1;
  int64_t poll_time = 0;
  std::optional<int64_t> born_time;
  std::optional<bool> order;
  std::optional<std::string_view> attempt_id;
  static constexpr auto kFields = std::tuple(
      Required("consumerGroup", &NotificationRequest::consumer_group), Required("topic", &NotificationRequest::topic),
      Required("queueId", &NotificationRequest::queue_id), Required("pollTime", &NotificationRequest::poll_time),
      Optional("bornTime", &NotificationRequest::born_time), Optional("order", &NotificationRequest::order),
      Optional("attemptId", &NotificationRequest::attempt_id));
};

/// What a pop would take next, left where it is.
struct PeekMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kPeekMessage;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = -1;
  int32_t max_msg_nums = 0;
  static constexpr auto kFields = std::tuple(
      Required("consumerGroup", &PeekMessageRequest::consumer_group), Required("topic", &PeekMessageRequest::topic),
      Required("queueId", &PeekMessageRequest::queue_id), Required("maxMsgNums", &PeekMessageRequest::max_msg_nums));
};

/// How many pops of the group wait for messages.
struct PollingInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kPollingInfo;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = -1;
  static constexpr auto kFields =
      std::tuple(Required("consumerGroup", &PollingInfoRequest::consumer_group),
                 Required("topic", &PollingInfoRequest::topic), Required("queueId", &PollingInfoRequest::queue_id));
};

/// Which queues a member of a group is to consume, and how. What it asks is in the body.
struct QueryAssignmentRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryAssignment;
  static constexpr auto kFields = std::tuple();
};

/// Whether a group is to pull or to pop a topic. In the body.
struct SetMessageRequestModeRequest {
  static constexpr RequestCode kCode = RequestCode::kSetMessageRequestMode;
  static constexpr auto kFields = std::tuple();
};

struct GetAllMessageRequestModeRequest {
  static constexpr RequestCode kCode = RequestCode::kGetAllMessageRequestMode;
  static constexpr auto kFields = std::tuple();
};

}  // namespace net
