#pragma once

#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// Without `readable` it only asks.
struct UpdateAndGetGroupForbiddenRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateAndGetGroupForbidden;
  std::string_view group;
  std::string_view topic;
  std::optional<bool> readable;
  static constexpr auto kFields = std::tuple(Required("group", &UpdateAndGetGroupForbiddenRequest::group),
                                             Required("topic", &UpdateAndGetGroupForbiddenRequest::topic),
                                             Optional("readable", &UpdateAndGetGroupForbiddenRequest::readable));
};

}  // namespace net
