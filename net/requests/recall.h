#pragma once

#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3 RecallMessageRequestHeader, RecallMessageResponseHeader.

namespace net {

/// A producer takes back a message that waits for its time.
struct RecallMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kRecallMessage;
  std::string_view producer_group;
  std::string_view topic;
  std::string_view recall_handle;  // of the answer to its send
  static constexpr auto kFields = std::tuple(Optional("producerGroup", &RecallMessageRequest::producer_group),
                                             Required("topic", &RecallMessageRequest::topic),
                                             Required("recallHandle", &RecallMessageRequest::recall_handle));
};

struct RecallMessageResponse {
  std::string_view msg_id;  // unique key of the message
  static constexpr auto kFields = std::tuple(Required("msgId", &RecallMessageResponse::msg_id));
};

}  // namespace net
