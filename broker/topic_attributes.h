#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace broker {

using TopicAttributes = std::map<std::string, std::string>;

/// The attributes after an administrator's changes: "+key" with a value sets, "-key" removes. `creating`: the topic is new, and only
/// additions are legal. kInvalidArgument says which key is unknown, unchangeable, given twice or has a wrong value. Source: RocketMQ 5.3.3
/// AttributeUtil.alterCurrentAttributes, TopicAttributes.
absl::StatusOr<TopicAttributes> AlterAttributes(const TopicAttributes& current, const TopicAttributes& changes, bool creating);

/// "+message.type=DELAY,-reserve.time" as changes. Source: RocketMQ 5.3.3 AttributeParser.
absl::StatusOr<TopicAttributes> ParseAttributeChanges(const std::string& text);

}  // namespace broker
