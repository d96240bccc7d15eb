#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// `filter_groups` is joined by commas.
struct QueryCorrectionOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryCorrectionOffset;
  std::optional<std::string_view> filter_groups;
  std::string_view compare_group;
  std::string_view topic;
  static constexpr auto kFields = std::tuple(Optional("filterGroups", &QueryCorrectionOffsetRequest::filter_groups),
                                             Required("compareGroup", &QueryCorrectionOffsetRequest::compare_group),
                                             Required("topic", &QueryCorrectionOffsetRequest::topic));
};

struct QueryConsumeQueueRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryConsumeQueue;
  std::string_view topic;
  int32_t queue_id = 0;
  int64_t index = 0;
  int32_t count = 0;
  std::optional<std::string_view> consumer_group;
  static constexpr auto kFields =
      std::tuple(Required("topic", &QueryConsumeQueueRequest::topic), Required("queueId", &QueryConsumeQueueRequest::queue_id),
                 Required("index", &QueryConsumeQueueRequest::index), Required("count", &QueryConsumeQueueRequest::count),
                 Optional("consumerGroup", &QueryConsumeQueueRequest::consumer_group));
};

struct GetAllConsumerOffsetRequest {
  static constexpr RequestCode kCode = RequestCode::kGetAllConsumerOffset;
  static constexpr auto kFields = std::tuple();
};

}  // namespace net
