#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

/// Body: HeartbeatData as JSON.
struct HeartBeatRequest {
  static constexpr RequestCode kCode = RequestCode::kHeartBeat;
  static constexpr auto kFields = std::tuple();
};

struct HeartBeatResponse {
  bool supports_v2 = false;
  bool subscriptions_changed = false;
  static constexpr auto kFields = std::tuple(Required("IS_SUPPORT_HEART_BEAT_V2", &HeartBeatResponse::supports_v2),
                                             Required("IS_SUB_CHANGE", &HeartBeatResponse::subscriptions_changed));
};

struct UnregisterClientRequest {
  static constexpr RequestCode kCode = RequestCode::kUnregisterClient;
  std::string_view client_id;
  std::optional<std::string_view> producer_group;
  std::optional<std::string_view> consumer_group;
  static constexpr auto kFields = std::tuple(Required("clientID", &UnregisterClientRequest::client_id),
                                             Optional("producerGroup", &UnregisterClientRequest::producer_group),
                                             Optional("consumerGroup", &UnregisterClientRequest::consumer_group));
};

struct GetConsumerListByGroupRequest {
  static constexpr RequestCode kCode = RequestCode::kGetConsumerListByGroup;
  std::string_view consumer_group;
  static constexpr auto kFields = std::tuple(Required("consumerGroup", &GetConsumerListByGroupRequest::consumer_group));
};

/// Body: {clientId, group, namespace, subscriptionData}.
struct CheckClientConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kCheckClientConfig;
  static constexpr auto kFields = std::tuple();
};

/// Body: {clientId, consumerGroup, mqSet, onlyThisBroker}.
struct LockBatchMqRequest {
  static constexpr RequestCode kCode = RequestCode::kLockBatchMq;
  static constexpr auto kFields = std::tuple();
};

/// Body as LockBatchMq.
struct UnlockBatchMqRequest {
  static constexpr RequestCode kCode = RequestCode::kUnlockBatchMq;
  static constexpr auto kFields = std::tuple();
};

}  // namespace net
