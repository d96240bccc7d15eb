#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

struct QueryConsumerOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryConsumerOffset;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = 0;
  std::optional<bool> set_zero_if_not_found;
  static constexpr auto kFields = std::tuple(
      Required("consumerGroup", &QueryConsumerOffsetRequest::consumer_group),
      Required("topic", &QueryConsumerOffsetRequest::topic), Required("queueId", &QueryConsumerOffsetRequest::queue_id),
      Optional("setZeroIfNotFound", &QueryConsumerOffsetRequest::set_zero_if_not_found));
};

struct UpdateConsumerOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateConsumerOffset;
  std::string_view consumer_group;
  std::string_view topic;
  int32_t queue_id = 0;
  int64_t commit_offset = 0;
  static constexpr auto kFields = std::tuple(Required("consumerGroup", &UpdateConsumerOffsetRequest::consumer_group),
                                             Required("topic", &UpdateConsumerOffsetRequest::topic),
                                             Required("queueId", &UpdateConsumerOffsetRequest::queue_id),
                                             Required("commitOffset", &UpdateConsumerOffsetRequest::commit_offset));
};

struct GetMaxOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kGetMaxOffset;
  std::string_view topic;
  int32_t queue_id = 0;
  bool committed = true;
  static constexpr auto kFields =
      std::tuple(Required("topic", &GetMaxOffsetRequest::topic), Required("queueId", &GetMaxOffsetRequest::queue_id),
                 Optional("committed", &GetMaxOffsetRequest::committed));
};

struct GetMinOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kGetMinOffset;
  std::string_view topic;
  int32_t queue_id = 0;
  static constexpr auto kFields =
      std::tuple(Required("topic", &GetMinOffsetRequest::topic), Required("queueId", &GetMinOffsetRequest::queue_id));
};

/// `boundary_type` "upper" in any case is the last of equal times; everything else the first.
struct SearchOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kSearchOffsetByTimestamp;
  std::string_view topic;
  int32_t queue_id = 0;
  int64_t timestamp = 0;
  std::optional<std::string_view> boundary_type;
  static constexpr auto kFields =
      std::tuple(Required("topic", &SearchOffsetRequest::topic), Required("queueId", &SearchOffsetRequest::queue_id),
                 Required("timestamp", &SearchOffsetRequest::timestamp),
                 Optional("boundaryType", &SearchOffsetRequest::boundary_type));
};

struct GetEarliestMsgStoreTimeRequest {
  static constexpr RequestCode kCode = RequestCode::kGetEarliestMsgStoreTime;
  std::string_view topic;
  int32_t queue_id = 0;
  static constexpr auto kFields = std::tuple(Required("topic", &GetEarliestMsgStoreTimeRequest::topic),
                                             Required("queueId", &GetEarliestMsgStoreTimeRequest::queue_id));
};

/// Answers QueryConsumerOffset, GetMaxOffset, GetMinOffset and SearchOffsetByTimestamp.
struct OffsetResponse {
  int64_t offset = 0;
  static constexpr auto kFields = std::tuple(Required("offset", &OffsetResponse::offset));
};

/// Answers GetEarliestMsgStoreTime; -1 for an empty queue.
struct TimestampResponse {
  int64_t timestamp = 0;
  static constexpr auto kFields = std::tuple(Required("timestamp", &TimestampResponse::timestamp));
};

}  // namespace net
