#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// `offset` is a physical offset.
struct ViewMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kViewMessageById;
  std::optional<std::string_view> topic;
  int64_t offset = 0;
  static constexpr auto kFields =
      std::tuple(Optional("topic", &ViewMessageRequest::topic), Required("offset", &ViewMessageRequest::offset));
};

struct QueryMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryMessage;
  std::string_view topic;
  std::string_view key;
  int32_t max_num = 0;
  int64_t begin_timestamp = 0;
  int64_t end_timestamp = 0;
  bool unique_key_query = false;
  static constexpr auto kFields =
      std::tuple(Required("topic", &QueryMessageRequest::topic), Required("key", &QueryMessageRequest::key),
                 Required("maxNum", &QueryMessageRequest::max_num),
                 Required("beginTimestamp", &QueryMessageRequest::begin_timestamp),
                 Required("endTimestamp", &QueryMessageRequest::end_timestamp),
                 Optional("_UNIQUE_KEY_QUERY", &QueryMessageRequest::unique_key_query));
};

struct QueryMessageResponse {
  int64_t index_last_update_timestamp = 0;
  int64_t index_last_update_physical_offset = 0;
  static constexpr auto kFields =
      std::tuple(Required("indexLastUpdateTimestamp", &QueryMessageResponse::index_last_update_timestamp),
                 Required("indexLastUpdatePhyoffset", &QueryMessageResponse::index_last_update_physical_offset));
};

}  // namespace net
