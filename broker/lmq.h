#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "broker/string_map.h"
#include "net/name_rules.h"

namespace broker {

struct BrokerConfig;

// Light message queues (enableLmq): topics %LMQ%x with one queue each, that are there without being made. No nameserver knows them; clients that use them
// know the broker. Messages come by multi-dispatch (broker/multi_dispatch.h), or are sent there. Source: RocketMQ 5.3.3 LmqTopicConfigManager,
// LmqSubscriptionGroupManager.

inline bool IsLmq(std::string_view name) { return name.starts_with(net::kLmqPrefix); }

/// The light queues of which this shard has messages. One shard.
class LmqQueues {
 public:
  /// `max`: queues of the broker (maxLmqConsumeQueueNum), of which each of `shards` has its part and a little more.
  LmqQueues(int64_t max, size_t shards);
  /// Those of `topics`.
  void Load(const std::vector<std::string>& topics);
  /// Before a message goes there. kFailedPrecondition: it would be one queue too many.
  absl::Status Admit(std::string_view topic);
  void Forget(std::string_view topic);
  size_t size() const { return known_.size(); }
  /// Consumer offsets that light queues, and groups that are named like them, may have here: of such there may be any number, and nobody deletes them.
  size_t offsets_max() const { return kOffsetsOfEach * max_; }

 private:
  static constexpr size_t kOffsetsOfEach = 8;

  const size_t max_;
  StringMap<bool> known_;
};

}  // namespace broker
