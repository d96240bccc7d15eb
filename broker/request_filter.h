#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "broker/sql/filter_cache.h"
#include "broker/subscription_data.h"
#include "net/reply.h"
#include "store/message.h"

namespace broker {

struct BrokerConfig;

/// What a consumer wants of a topic, as an owner of queues filters by it.
struct RequestFilter {
  store::TagFilter tags;
  std::shared_ptr<const sql::Filter> sql;  // null: `tags` is all

  void Use(const SubscriptionData& subscription);
  /// By the expression that a request carries, of `type` (empty: tags). Nothing: it is in use; else the answer: SUBSCRIPTION_PARSE_FAILED, where RocketMQ gives everything for some
  /// expressions that it can't read, or what RefuseExpressionType says.
  std::optional<net::Reply> Use(std::string_view topic, std::string_view type, std::string_view expression,
                                const BrokerConfig& config, sql::FilterCache& cache);
};

}  // namespace broker
