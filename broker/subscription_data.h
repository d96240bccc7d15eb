#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/json.h"
#include "net/reply.h"

namespace broker {

struct BrokerConfig;
namespace sql {
class Filter;
}

inline constexpr std::string_view kExpressionTag = "TAG";
inline constexpr std::string_view kExpressionSql92 = "SQL92";

/// No type means tags. Source: RocketMQ 5.3.3 ExpressionType.isTagType.
inline bool IsTagType(std::string_view type) { return type.empty() || type == kExpressionTag; }

/// What a consumer wants of one topic. Source: RocketMQ 5.3.3 SubscriptionData.
struct SubscriptionData {
  std::string topic;
  std::string expression = "*";
  std::string expression_type{kExpressionTag};
  std::vector<std::string> tags;
  std::vector<int32_t> codes;  // Java hashes of the tags; none: every message
  int64_t version = 0;         // subVersion: when the client made it
  bool class_filter = false;
  /// The expression of type SQL92, compiled; null when it can't be. Shared by all shards that know of this subscription.
  std::shared_ptr<const sql::Filter> sql;

  bool is_tag() const { return IsTagType(expression_type); }
  bool is_sql() const { return expression_type == kExpressionSql92; }
  /// Of a subscription of type SQL92: why its expression can't be compiled; empty when it can.
  std::string SqlError() const;
  /// JSON with the fields of RocketMQ 5.3.3 SubscriptionData.
  void WriteJson(net::JsonWriter& json) const;
  static SubscriptionData FromJson(const net::JsonValue& json);
  /// Whether both ask for the same; what that is compiled to follows from it.
  friend bool operator==(const SubscriptionData& a, const SubscriptionData& b);
};

/// What a client is told whose expressions are of a `type` that this broker does not filter by; nothing when it does.
std::optional<net::Reply> RefuseExpressionType(std::string_view type, const BrokerConfig& config);

/// The subscription that a tag expression means: null, "" and "*" take everything, else "A || B". nullopt when it can't be
/// parsed (nothing but separators). Source: RocketMQ 5.3.3 FilterAPI.buildSubscriptionData.
std::optional<SubscriptionData> ParseTagExpression(std::string_view topic, std::string_view expression);

}  // namespace broker
