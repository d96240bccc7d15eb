#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

struct GetBrokerRuntimeInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kGetBrokerRuntimeInfo;
  static constexpr auto kFields = std::tuple();
};

struct GetBrokerHaStatusRequest {
  static constexpr RequestCode kCode = RequestCode::kGetBrokerHaStatus;
  static constexpr auto kFields = std::tuple();
};

struct GetBrokerConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetBrokerConfig;
  static constexpr auto kFields = std::tuple();
};

/// `version` is a DataVersion as JSON; the body is properties text.
struct GetBrokerConfigResponse {
  std::string_view version;
  static constexpr auto kFields = std::tuple(Required("version", &GetBrokerConfigResponse::version));
};

/// Body: properties text.
struct UpdateBrokerConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateBrokerConfig;
  static constexpr auto kFields = std::tuple();
};

struct ViewBrokerStatsDataRequest {
  static constexpr RequestCode kCode = RequestCode::kViewBrokerStatsData;
  std::string_view stats_name;
  std::string_view stats_key;
  static constexpr auto kFields = std::tuple(Required("statsName", &ViewBrokerStatsDataRequest::stats_name),
                                             Required("statsKey", &ViewBrokerStatsDataRequest::stats_key));
};

}  // namespace net
