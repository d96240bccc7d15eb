#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "net/json.h"

namespace broker {

/// What may be done with a topic. Source: RocketMQ 5.3.3 PermName.
inline constexpr int32_t kPermInherit = 1;  // may be the template of a topic made by a send
inline constexpr int32_t kPermWrite = 2;
inline constexpr int32_t kPermRead = 4;
inline constexpr int32_t kPermPriority = 8;
inline constexpr int32_t kPermReadWrite = kPermRead | kPermWrite;

/// Source: RocketMQ 5.3.3 TopicSysFlag.
inline constexpr int32_t kTopicSysFlagUnit = 1;
inline constexpr int32_t kTopicSysFlagUnitSub = 2;

/// The topic that clients take as template of unknown ones. Source: RocketMQ 5.3.3 TopicValidator.
inline constexpr std::string_view kAutoCreateTopic = "TBW102";
inline constexpr std::string_view kRetryTopicPrefix = "%RETRY%";
inline constexpr std::string_view kDlqTopicPrefix = "%DLQ%";

/// A topic of this broker. Immutable once it is in a Catalog. Source: RocketMQ 5.3.3 TopicConfig.
struct TopicConfig {
  std::string name;
  int32_t read_queues = 16;
  int32_t write_queues = 16;
  int32_t perm = kPermReadWrite;
  std::string filter_type = "SINGLE_TAG";
  int32_t sys_flag = 0;
  bool order = false;
  std::map<std::string, std::string> attributes;

  bool readable() const { return (perm & kPermRead) != 0; }
  bool writable() const { return (perm & kPermWrite) != 0; }
  bool inherits() const { return (perm & kPermInherit) != 0; }
  /// Queue ids are below it.
  int32_t queues() const { return std::max(read_queues, write_queues); }

  /// JSON with the fields of RocketMQ 5.3.3 TopicConfig.
  std::string ToJson() const;
  void WriteJson(net::JsonWriter& json) const;
  /// Missing members get their defaults; a missing name is kInvalidArgument.
  static absl::StatusOr<TopicConfig> FromJson(std::string_view json);
  static absl::StatusOr<TopicConfig> FromJson(const net::JsonValue& json);
  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;
};

/// "%RETRY%group", where messages of a group wait for another attempt.
std::string RetryTopicOf(std::string_view group);
/// "%DLQ%group".
std::string DlqTopicOf(std::string_view group);
inline bool IsRetryTopic(std::string_view topic) { return topic.starts_with(kRetryTopicPrefix); }
/// A topic that belongs to a group.
inline bool IsInternalTopic(std::string_view topic) {
  return IsRetryTopic(topic) || topic.starts_with(kDlqTopicPrefix);
}

}  // namespace broker
