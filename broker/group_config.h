#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "net/json.h"

namespace broker {

/// A subscription group (consumer group) of this broker. Immutable once it is in a Catalog. Source: RocketMQ 5.3.3
/// SubscriptionGroupConfig.
struct GroupConfig {
  std::string name;
  bool consume_enable = true;
  bool consume_from_min_enable = true;
  bool consume_broadcast_enable = true;
  bool consume_message_orderly = false;
  int32_t retry_queues = 1;
  int32_t retry_max_times = 16;
  /// GroupRetryPolicy as the client gave it; the broker only hands it on.
  std::string retry_policy_json = R"({"type":"CUSTOMIZED"})";
  int64_t broker_id = 0;
  int64_t which_broker_when_consume_slowly = 1;
  bool notify_consumer_ids_changed_enable = true;
  int32_t sys_flag = 0;
  int32_t consume_timeout_minutes = 15;
  std::map<std::string, std::string> attributes;
  /// Topics that the group may not pull (UPDATE_AND_GET_GROUP_FORBIDDEN). RocketMQ keeps them in a table beside.
  std::set<std::string, std::less<>> forbidden_topics;

  /// JSON with the fields of RocketMQ 5.3.3 SubscriptionGroupConfig, and our own where topics are forbidden.
  std::string ToJson() const;
  void WriteJson(net::JsonWriter& json) const;
  /// Missing members (RocketMQ 4.9 knows fewer) get their defaults; a missing name is kInvalidArgument.
  static absl::StatusOr<GroupConfig> FromJson(std::string_view json);
  static absl::StatusOr<GroupConfig> FromJson(const net::JsonValue& json);
  friend bool operator==(const GroupConfig&, const GroupConfig&) = default;
};

}  // namespace broker
