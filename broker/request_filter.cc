#include "broker/request_filter.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/config.h"

namespace broker {

void RequestFilter::Use(const SubscriptionData& subscription) {
  if (subscription.class_filter) return;
  sql = subscription.sql;
  if (subscription.is_tag()) tags.codes.assign(subscription.codes.begin(), subscription.codes.end());
}

std::optional<net::Reply> RequestFilter::Use(std::string_view topic, std::string_view type, std::string_view expression,
                                             const BrokerConfig& config, sql::FilterCache& cache) {
  if (!IsTagType(type)) {
    if (std::optional<net::Reply> refusal = RefuseExpressionType(type, config)) return refusal;
    absl::StatusOr<std::shared_ptr<const broker::sql::Filter>> filter = cache.Get(expression);
    if (!filter.ok())
      return net::Reply(net::ResponseCode::kSubscriptionParseFailed, std::string(filter.status().message()));
    sql = *std::move(filter);
    return std::nullopt;
  }
  if (expression.empty() || expression == "*") return std::nullopt;
  const std::optional<SubscriptionData> parsed = ParseTagExpression(topic, expression);
  if (!parsed.has_value())
    return net::Reply(net::ResponseCode::kSubscriptionParseFailed, "parse the consumer's subscription failed");
  Use(*parsed);
  return std::nullopt;
}

}  // namespace broker
