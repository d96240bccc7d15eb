#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/json.h"

namespace broker {

inline constexpr std::string_view kExpressionTag = "TAG";
inline constexpr std::string_view kExpressionSql92 = "SQL92";

/// What a consumer wants of one topic. Source: RocketMQ 5.3.3 SubscriptionData.
struct SubscriptionData {
  std::string topic;
  std::string expression = "*";
  std::string expression_type{kExpressionTag};
  std::vector<std::string> tags;
  std::vector<int32_t> codes;  // Java hashes of the tags; none: every message
  int64_t version = 0;         // subVersion: when the client made it
  bool class_filter = false;

  bool is_tag() const { return expression_type.empty() || expression_type == kExpressionTag; }
  /// JSON with the fields of RocketMQ 5.3.3 SubscriptionData.
  void WriteJson(net::JsonWriter& json) const;
  static SubscriptionData FromJson(const net::JsonValue& json);
  friend bool operator==(const SubscriptionData&, const SubscriptionData&) = default;
};

/// The subscription that a tag expression means: null, "" and "*" take everything, else "A || B". nullopt when it can't be
/// parsed (nothing but separators). Source: RocketMQ 5.3.3 FilterAPI.buildSubscriptionData.
std::optional<SubscriptionData> ParseTagExpression(std::string_view topic, std::string_view expression);

}  // namespace broker
