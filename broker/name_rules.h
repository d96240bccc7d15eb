#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace broker {

inline constexpr size_t kTopicNameBytesMax = 127;
/// %RETRY% and %DLQ% topics of long group names; what a record can hold.
inline constexpr size_t kInternalTopicNameBytesMax = 255;
inline constexpr size_t kGroupNameBytesMax = 255;

/// The only place where names from the network are judged. Each returns what is wrong in RocketMQ's words (the remark of INVALID_PARAMETER), or
/// nothing. Letters, digits, '_', '-', '%', '|' only: no separator, so that no name can become a path. Source: RocketMQ 5.3.3 TopicValidator.
std::optional<std::string> WrongTopicName(std::string_view name);
std::optional<std::string> WrongGroupName(std::string_view name);

/// Topics that the broker itself lives on: an administrator may not change or delete them. The fixed list, and every name that begins with
/// rmq_sys_; topics named like the cluster and the broker are added by the broker itself.
bool IsSystemTopic(std::string_view name);
/// The fixed list of them.
std::span<const std::string_view> FixedSystemTopics();
/// Topics that nobody may send to: "Sending message to topic[x] is forbidden." (NO_PERMISSION).
bool IsForbiddenToSend(std::string_view name);
/// Groups with this prefix exist without being made.
inline constexpr std::string_view kSystemGroupPrefix = "CID_RMQ_SYS_";

}  // namespace broker
