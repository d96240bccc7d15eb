#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nameserver {

inline constexpr int64_t kMasterId = 0;
/// Bits of a topic's permission. Source: RocketMQ 5.3.3 PermName.
inline constexpr int32_t kPermWrite = 2;
inline constexpr int32_t kPermReadWrite = 6;
/// Bits of a topic's sysFlag. Source: RocketMQ 5.3.3 TopicSysFlag.
inline constexpr int32_t kTopicSysFlagUnit = 1;
inline constexpr int32_t kTopicSysFlagUnitSub = 2;

/// The version of a broker's table of topics; equal means nothing has changed. Source: RocketMQ 5.3.3 DataVersion.
struct DataVersion {
  int64_t state_version = 0;
  int64_t timestamp = 0;
  int64_t counter = 0;
  friend bool operator==(const DataVersion&, const DataVersion&) = default;
};

/// A topic's queues on the brokers of one name.
struct QueueData {
  int32_t read_queues = 16;
  int32_t write_queues = 16;
  int32_t perm = kPermReadWrite;
  int32_t topic_sys_flag = 0;
  friend bool operator==(const QueueData&, const QueueData&) = default;
};

/// Where the queues of a static topic lie; handed on as it is. Source: RocketMQ 5.3.3 TopicQueueMappingInfo.
struct QueueMapping {
  std::string broker_name;
  std::map<int32_t, int32_t> current_ids;
  bool dirty = false;
  int64_t epoch = 0;
  std::string scope;
  std::string topic;
  int32_t total_queues = 0;
  friend bool operator==(const QueueMapping&, const QueueMapping&) = default;
};

/// The brokers of one name: a master and its slaves. Immutable once published. Source: RocketMQ 5.3.3 BrokerData.
struct BrokerGroup {
  std::string cluster;
  std::string name;
  std::map<int64_t, std::string> addresses;  // by broker id
  bool acting_master = false;
  std::string zone;
  friend bool operator==(const BrokerGroup&, const BrokerGroup&) = default;
};

}  // namespace nameserver
