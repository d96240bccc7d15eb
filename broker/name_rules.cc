#include "broker/name_rules.h"

#include <algorithm>
#include <array>

#include "core/strings.h"

namespace broker {
namespace {

constexpr bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '%' ||
         c == '|';
}

// RocketMQ calls a name of blanks only "blank"; which characters count as blank is Java's business, so only the usual ones.
bool IsBlank(std::string_view name) { return name.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::optional<std::string> WrongName(std::string_view what, std::string_view name, size_t bytes_max, std::string_view too_long) {
  if (IsBlank(name)) return core::StrCat("The specified ", what, " is blank.");
  if (!std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return core::StrCat("The specified ", what, " contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$");
  }
  if (name.size() > bytes_max) return std::string(too_long);
  return std::nullopt;
}

// Source: RocketMQ 5.3.3 TopicValidator.SYSTEM_TOPIC_SET.
constexpr std::array<std::string_view, 9> kSystemTopics = {
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
};
constexpr std::string_view kSystemTopicPrefix = "rmq_sys_";

// Source: RocketMQ 5.3.3 TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET.
constexpr std::array<std::string_view, 6> kForbiddenToSend = {
    "SCHEDULE_TOPIC_XXXX",        "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC", "SELF_TEST_TOPIC",          "OFFSET_MOVED_EVENT",
};

}  // namespace

std::optional<std::string> WrongTopicName(std::string_view name) {
  const bool internal = name.starts_with("%RETRY%") || name.starts_with("%DLQ%");
  return WrongName("topic", name, internal ? kInternalTopicNameBytesMax : kTopicNameBytesMax,
                   "The specified topic is longer than topic max length.");
}

std::optional<std::string> WrongGroupName(std::string_view name) {
  return WrongName("group", name, kGroupNameBytesMax, "The specified group is longer than group max length.");
}

std::span<const std::string_view> FixedSystemTopics() { return kSystemTopics; }

bool IsSystemTopic(std::string_view name) {
  return std::find(kSystemTopics.begin(), kSystemTopics.end(), name) != kSystemTopics.end() ||
         name.starts_with(kSystemTopicPrefix);
}

bool IsForbiddenToSend(std::string_view name) {
  return std::find(kForbiddenToSend.begin(), kForbiddenToSend.end(), name) != kForbiddenToSend.end();
}

}  // namespace broker
