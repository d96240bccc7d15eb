#include "broker/subscription_data.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "broker/config.h"
#include "broker/sql/filter.h"
#include "core/strings.h"
#include "store/tags_code.h"

namespace broker {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && static_cast<uint8_t>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<uint8_t>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

/// Every message of a pull is compared with each: beyond this an expression is refused as not parseable, and a heartbeat's list of tags
/// is not looked at.
constexpr size_t kTagsMax = 1024;
/// Duplicates are left out while that is cheap; later ones do no harm.
constexpr size_t kTagsComparedMax = 64;

void AddTag(SubscriptionData& data, std::string_view tag) {
  if (data.tags.size() <= kTagsComparedMax && std::find(data.tags.begin(), data.tags.end(), tag) != data.tags.end()) return;
  data.tags.emplace_back(tag);
  data.codes.push_back(store::JavaHash(tag));
}

}  // namespace

std::optional<SubscriptionData> ParseTagExpression(std::string_view topic, std::string_view expression) {
  SubscriptionData data;
  data.topic = topic;
  if (expression.empty() || expression == "*") return data;
  data.expression = expression;
  for (size_t begin = 0; begin <= expression.size();) {
    const size_t end = std::min(expression.find("||", begin), expression.size());
    const std::string_view tag = Trim(expression.substr(begin, end - begin));
    if (!tag.empty()) AddTag(data, tag);
    begin = end + 2;
  }
  if (data.tags.empty() || data.tags.size() > kTagsMax) return std::nullopt;
  return data;
}

bool operator==(const SubscriptionData& a, const SubscriptionData& b) {
  const auto asked = [](const SubscriptionData& data) {
    return std::tie(data.topic, data.expression, data.expression_type, data.tags, data.codes, data.version,
                    data.class_filter);
  };
  return asked(a) == asked(b);
}

std::string SubscriptionData::SqlError() const {
  return std::string(sql::Filter::Compile(expression).status().message());
}

std::optional<net::Reply> RefuseExpressionType(std::string_view type, const BrokerConfig& config) {
  if (IsTagType(type) || (type == kExpressionSql92 && config.enable_property_filter)) return std::nullopt;
  return net::Reply(net::ResponseCode::kSystemError,
                    core::StrCat("The broker does not support consumer to filter message by ", type));
}

void SubscriptionData::WriteJson(net::JsonWriter& json) const {
  json.BeginObject().Member("classFilterMode", class_filter).Key("codeSet").BeginArray();
  for (const int32_t code : codes) json.Int(code);
  json.EndArray().Member("expressionType", expression_type).Member("subString", expression).Member("subVersion", version);
  json.StringsMember("tagsSet", tags).Member("topic", topic).EndObject();
}

SubscriptionData SubscriptionData::FromJson(const net::JsonValue& json) {
  SubscriptionData data;
  data.topic = json["topic"].text();
  data.expression = json["subString"].TextOr("*");
  data.expression_type = json["expressionType"].TextOr(kExpressionTag);
  data.version = json["subVersion"].IntOr(0);
  data.class_filter = json["classFilterMode"].BoolOr(false);
  // The hashes are made here from the tags, whoever sent them: a client's own hash function need not agree with Java's.
  for (const net::JsonValue& tag : json["tagsSet"].items()) AddTag(data, tag.text());
  if (data.tags.empty()) {
    for (const net::JsonValue& code : json["codeSet"].items()) {
      if (const std::optional<int64_t> number = code.AsInt(); number) data.codes.push_back(static_cast<int32_t>(*number));
    }
  }
  if (data.codes.size() > kTagsMax) {
    // Everything is sent to such a consumer. Clients look at the tags again in any case, since hashes are not unique.
    data.expression = "*";
    data.tags.clear();
    data.codes.clear();
  }
  if (data.is_sql()) data.sql = sql::Filter::Compile(data.expression).value_or(nullptr);
  if (data.tags.empty() && data.codes.empty() && data.is_tag()) {
    // Some clients send only the expression.
    const std::optional<SubscriptionData> parsed = ParseTagExpression(data.topic, data.expression);
    if (parsed.has_value()) {
      data.tags = parsed->tags;
      data.codes = parsed->codes;
    }
  }
  return data;
}

}  // namespace broker
